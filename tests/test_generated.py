"""What is made of the code is what ``python -m docs`` makes of it now."""

from __future__ import annotations

import pytest

from docs.generated import ROOT, files

FILES = files()


@pytest.mark.parametrize("name", FILES)
def test_it_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == FILES[name], "run: python -m docs"


def test_every_code_has_a_meaning_a_status_and_an_exit_code() -> None:
    _, _, codes = FILES["docs/errors.md"].partition("## Codes")
    rows = [line.split(" | ") for line in codes.splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert not [row[0] for row in rows if not all(cell.strip() for cell in row[:5])]
