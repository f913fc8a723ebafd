"""Imports httpx without its command line, which brings rich and click where they are installed: 40 ms of 110."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any


def import_httpx() -> None:
    """Import httpx. For this process ``httpx.main`` is then what it is without the extra ``httpx[cli]``."""
    if "httpx" in sys.modules:
        return
    modules: dict[str, Any] = sys.modules
    modules["httpx._main"] = None  # the import system answers this with the ImportError that httpx provides for
    try:
        import_module("httpx")
    finally:
        del modules["httpx._main"]
