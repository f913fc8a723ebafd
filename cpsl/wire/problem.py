"""One shape for every error on HTTP: RFC 9457 ``application/problem+json`` plus ``code``, ``hint``, ``request_id``."""

from __future__ import annotations

from typing import Any

import msgspec

from cpsl import errors

MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, omit_defaults=True):
    """An error as it travels. ``details`` carries what the error's class adds, like the missing resources."""

    title: str
    status: int
    code: str
    detail: str = ""
    hint: str | None = None
    request_id: str | None = None
    type: str = "about:blank"
    details: dict[str, Any] = msgspec.field(default_factory=dict)


_BY_STATUS: dict[int, type[errors.CapsuleError]] = {
    401: errors.AuthError,
    403: errors.AuthError,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.TooLarge,
    429: errors.RateLimited,
    504: errors.GatewayTimeout,
    507: errors.StorageFull,
}


def from_error(error: errors.CapsuleError, request_id: str | None = None) -> Problem:
    """The problem that tells of ``error``."""
    return Problem(
        title=error.message,
        status=error.status,
        code=error.code,
        hint=error.hint,
        request_id=error.request_id or request_id,
    )


def to_error(problem: Problem) -> errors.CapsuleError:
    """The typed error that a problem tells of: by its code where a class owns it, else by its status."""
    kind = _BY_CODE.get(problem.code) or _BY_STATUS.get(problem.status) or _by_class(problem.status)
    return kind(
        problem.title,
        code=problem.code,
        hint=problem.hint,
        status=problem.status,
        request_id=problem.request_id,
    )


def error_for_event(code: str, message: str, hint: str | None, request_id: str) -> errors.CapsuleError:
    """The error that an ``error`` event of a turn stands for."""
    kind = errors.TurnCancelled if code == "cancelled" else errors.AppError
    return kind(message, code=code, hint=hint, request_id=request_id)


def _by_class(status: int) -> type[errors.CapsuleError]:
    return errors.InvalidRequest if 400 <= status < 500 else errors.GatewayError


_BY_CODE: dict[str, type[errors.CapsuleError]] = {
    kind.default_code: kind
    for kind in (
        errors.AppError,
        errors.DeployFailed,
        errors.EntryPointError,
        errors.RateLimited,
        errors.StorageFull,
        errors.TurnCancelled,
    )
}
