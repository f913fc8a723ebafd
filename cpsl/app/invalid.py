"""The error for code of the app that cannot work. Its text says what to do: a traceback shows nothing else."""

from __future__ import annotations

from cpsl.errors import InvalidRequest


def invalid(problem: str, advice: str, code: str) -> InvalidRequest:
    """A ValueError of two sentences: the ``problem``, and the ``advice``."""
    return InvalidRequest(f"{problem}. {advice.rstrip('.')}.", code=code)
