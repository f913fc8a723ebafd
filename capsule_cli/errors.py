"""The one table from a type of error to the exit code of ``capsule``, and how an error looks."""

from __future__ import annotations

import os
import sys
import traceback
from textwrap import indent
from typing import Any

from cpsl import errors

MEANINGS = {
    0: "done",
    1: "failed",
    2: "wrong usage",
    3: "not found",
    4: "log in first",
    5: "exists or in use",
    6: "gateway away or too slow",
    7: "the app failed",
    8: "the app waits for a person",
    130: "interrupted",
}
"""What each exit code means."""


class TookTooLong(errors.CapsuleError, TimeoutError):
    """What was waited for did not come in time: exit code 6."""

    default_code = "wait_timeout"


EXIT_CODES: dict[type[BaseException], int] = {
    Exception: 1,
    errors.CapsuleError: 1,
    errors.InvalidRequest: 2,
    errors.ConfigError: 2,
    errors.NotFound: 3,
    FileNotFoundError: 3,
    errors.AuthError: 4,
    errors.Conflict: 5,
    FileExistsError: 5,
    errors.ConnectionFailed: 6,
    TookTooLong: 6,
    errors.AppError: 7,
    errors.DeployFailed: 7,
    errors.PromptRequired: 8,
    KeyboardInterrupt: 130,
}


class UsageError(errors.InvalidRequest):
    """The command line cannot be right: exit code 2."""

    default_code = "usage"


def exit_code(error: BaseException) -> int:
    """The exit code of ``error``: that of the nearest class in the table."""
    return next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), 1)


def facts(error: BaseException) -> dict[str, Any]:
    """``error`` as the object that ``--json`` prints on stderr; fields that are empty are left out."""
    if isinstance(error, errors.CapsuleError):
        found = {
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
            "request_id": error.request_id,
            "link": getattr(error, "link", None),
            "traceback": getattr(error, "traceback", None),
        }
    else:
        found = {
            "code": _code_of_foreign(error),
            "message": _foreign(error),
            "hint": _hint_for(error),
        }
    return {"error": {name: value for name, value in found.items() if value}}


def show(error: BaseException, *, as_json: bool) -> None:
    """Print ``error`` on stderr: one clear line and the next step, or one JSON object."""
    if os.environ.get("CAPSULE_DEBUG") == "1":
        traceback.print_exception(error, file=sys.stderr)
    if as_json:
        import json

        from capsule_cli.output import is_unicode

        print(json.dumps(facts(error), ensure_ascii=not is_unicode(sys.stderr)), file=sys.stderr)
    else:
        _show_to_a_person(error)


def _show_to_a_person(error: BaseException) -> None:
    from capsule_cli.output import bold_red, clean, dim

    told = facts(error)["error"]
    if told.get("traceback"):
        print(clean(told["traceback"].rstrip()), file=sys.stderr)
    # An id helps whoever looks into the logs; beside a mistake in the command it would only be noise.
    suffix = f" ({told['request_id']})" if told.get("request_id") and _is_theirs(error) else ""
    print(f"{bold_red('Error:')} {clean(told['message'])}{suffix}", file=sys.stderr)
    if told.get("hint"):
        print(dim(indent(clean(told["hint"]), "  ")), file=sys.stderr)


def _is_theirs(error: BaseException) -> bool:
    return isinstance(error, errors.AppError | errors.GatewayError | errors.PromptRequired | errors.DeployFailed)


def _foreign(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _code_of_foreign(error: BaseException) -> str:
    return "os_error" if isinstance(error, OSError) else "internal_error"


def _hint_for(error: BaseException) -> str | None:
    if isinstance(error, OSError):
        return None
    return "This is a bug in capsule. Run the command again with CAPSULE_DEBUG=1 to see where."
