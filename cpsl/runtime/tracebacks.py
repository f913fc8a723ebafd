"""Tracebacks as the app's developer wants them: without the frames of the platform below their code."""

from __future__ import annotations

from pathlib import Path
from traceback import StackSummary, TracebackException

_OURS = str(Path(__file__).resolve().parent.parent) + "/"
_PLUMBING = ("<frozen importlib", "/asyncio/", "/concurrent/futures/thread.py")


def own_traceback(error: BaseException) -> str:
    """The traceback of ``error``, with its causes, as text: the app's frames and those of its libraries."""
    told = TracebackException.from_exception(error, capture_locals=False)
    _strip(told)
    return "".join(told.format()).rstrip("\n")


def _strip(told: TracebackException) -> None:
    told.stack = StackSummary.from_list([frame for frame in told.stack if not _is_ours(frame.filename)])
    inner = [told.__cause__, told.__context__, *(getattr(told, "exceptions", None) or [])]
    for another in inner:
        if another is not None:
            _strip(another)


def _is_ours(filename: str) -> bool:
    return filename.startswith(_OURS) or any(part in filename for part in _PLUMBING)
