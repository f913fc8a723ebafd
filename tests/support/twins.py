"""Makes the blocking half of the client of the async one: ``python -m tests.support.twins`` after every change of that.

What differs between ``async_nouns.py`` and ``nouns.py``, ``async_client.py`` and ``client.py`` is ``await`` and a few
names. So only the async files are written by people; a test compares the others with what this makes of them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parents[2] / "cpsl" / "client"
TWINS = {"async_client.py": "client.py", "async_nouns.py": "nouns.py"}

_NAMES = {
    "AsyncClient": "Client",
    "AsyncDriver": "SyncDriver",
    "AsyncIterator": "Iterator",
    "aclosing": "closing",
    "async_nouns as nouns": "nouns",
    "async_client": "client",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "for one event loop and any number of its tasks": "for any number of threads",
    " | AsyncIterable[bytes]": "",
    "AsyncIterable, ": "",
}
_WORDS = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in _NAMES))


def blocking(text: str) -> str:
    """The blocking twin of async code or of a docstring, not formatted yet."""
    text = re.sub(r"\b(?:async (?=(?:def|with|for)\b)|await )", "", text)
    return _WORDS.sub(lambda match: _NAMES[match[0]], text)


def _twin(name: str) -> str:
    head = f"# Made of {name} by python -m tests.support.twins: edit that.\n"
    text = re.sub(r"\n\nThe source of ``.*``\.\n", "", (HERE / name).read_text(), count=1)
    return formatted(head + blocking(text))


def formatted(text: str) -> str:
    """As ruff writes it."""
    for command in (["check", "--fix", "--quiet", "--select", "I,F401"], ["format", "--quiet"]):
        argv = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(HERE / "twin.py"), "-"]
        text = subprocess.run(argv, input=text, capture_output=True, text=True, check=True).stdout
    return text


def made() -> dict[Path, str]:
    """Each blocking file, and what is to be in it."""
    return {HERE / twin: _twin(name) for name, twin in TWINS.items()}


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text)
