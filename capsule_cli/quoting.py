"""Words in the commands that are shown to people: to be pasted into their shell as they are."""

from __future__ import annotations

import os
from pathlib import Path


def quoted(word: str | Path) -> str:
    """``word`` as one word of a command line."""
    if os.name == "nt":
        return f'"{word}"' if " " in str(word) else str(word)
    import shlex

    return shlex.quote(str(word))
