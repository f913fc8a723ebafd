"""What is made of the code is what ``python -m docs`` makes of it now."""

from __future__ import annotations

import pytest

from docs.generated import ROOT, files

FILES = files()


@pytest.mark.parametrize("name", FILES)
def test_it_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == FILES[name], "run: python -m docs"
