"""The session that the README shows is what its commands print, on a machine where nothing was before."""

from __future__ import annotations

from docs import record


def test_the_session_in_the_readme_and_its_picture() -> None:
    steps = record.session()
    readme = (record.ROOT / "README.md").read_text(encoding="utf-8")
    assert record.BEGIN + record.text(steps) + record.END in readme, "run: python -m docs.record"
    drawn = (record.ROOT / "docs" / "session.svg").read_text(encoding="utf-8")
    assert drawn == record.picture(steps)
    assert "url(http" not in drawn
    assert "textualize" not in drawn
