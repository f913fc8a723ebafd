"""The examples of docs/testing.md do what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


def test_every_example_of_the_page_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    with names["Gateway"](names["app"], secrets={"MODEL_KEY": "any"}) as gateway:
        names["test_it_answers"](gateway)
    assert len(blocks) == 6
