"""What went wrong in the app's code, as the user may see it and as its developer needs it."""

from __future__ import annotations

from cpsl.errors import (
    CapsuleError,
    FileUploadTimeout,
    IntegrationDeclined,
    IntegrationTimeout,
    InvalidRequest,
)
from cpsl.runtime.tracebacks import own_traceback
from cpsl.wire.frames import TurnFailure

_FOR_USERS = (IntegrationTimeout, IntegrationDeclined, FileUploadTimeout)
"""Errors about what the user did or did not do: their text is written for the user."""


def failure_of(error: BaseException) -> TurnFailure:
    """``error`` of a handler. Its text may hold anything, so users see only its kind; the traceback has it all."""
    if isinstance(error, _FOR_USERS):
        return TurnFailure(error.code, f"{error.message}.", error.hint, own_traceback(error))
    message = f"The app failed ({type(error).__name__})."
    hint = error.hint if isinstance(error, CapsuleError) else None
    traceback = own_traceback(error)
    return TurnFailure("app_error", message, traceback=f"{traceback}\nHint: {hint}" if hint else traceback)


def not_stored(error: InvalidRequest) -> TurnFailure:
    """A value in ``session.data`` that cannot be kept: the answer is out, but something would be lost silently."""
    return TurnFailure("app_error", "The app could not save this session.", traceback=f"{error.message}. {error.hint}")


CANCELLED = TurnFailure("cancelled", "Cancelled.")
NO_HANDLER = TurnFailure(
    "no_message_handler",
    "This app does not answer messages.",
    hint="Its developer can add a function with @app.message().",
)
