"""Errors leave as RFC 9457 problems, whatever raised them; what we did not expect leaves no detail but an id."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from cpsl.errors import AuthError, CapsuleError, InvalidRequest, RateLimited
from cpsl.wire.problem import MEDIA_TYPE, Problem, from_error

log = logging.getLogger("cpsl.gateway")
_TITLES = {
    400: ("bad_request", "the request cannot be read"),
    404: ("not_found", "there is nothing at this address"),
    405: ("method_not_allowed", "this address does not answer that method"),
    413: ("too_large", "the request is larger than this address takes"),
    415: ("unsupported_media_type", "this address does not read that content type"),
}


def answer(problem: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    """The response that carries ``problem``."""
    return Response(
        msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=headers or {},
    )


def request_id(request: Request[Any, Any, Any]) -> str:
    """The id that names this request in its response and in the log."""
    return str(request.scope["state"].get("request_id", ""))


def on_capsule_error(request: Request[Any, Any, Any], error: CapsuleError) -> Response[bytes]:
    problem = from_error(error, request_id(request))
    headers: dict[str, str] = {}
    if isinstance(error, AuthError) and error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="capsule"'
    if isinstance(error, RateLimited) and error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if error.status >= 500:
        log.error("%s %s: %s (%s)", request.method, request.url.path, error.message, problem.request_id)
    return answer(problem, headers)


def on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    if error.detail == "client disconnected prematurely":  # nobody reads the answer, and nothing of ours failed
        return on_capsule_error(request, InvalidRequest("the upload broke off", code="upload_cut", status=400))
    if error.status_code >= 500:
        return on_unexpected(request, error)
    code, title = _TITLES.get(error.status_code, ("invalid_request", "the request is not valid"))
    status = error.status_code
    if isinstance(error, ValidationException):
        code, title, status = "invalid_request", _explain(error), 422
    return answer(Problem(title, status, code, request_id=request_id(request)), dict(error.headers or {}))


def on_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("%s %s failed (%s)", request.method, request.url.path, request_id(request), exc_info=error)
    problem = Problem(
        "the gateway failed to serve this request",
        500,
        "internal_error",
        hint="The gateway's log has the details under this request id: capsule gateway logs",
        request_id=request_id(request),
    )
    return answer(problem)


def _explain(error: ValidationException) -> str:
    extra = error.extra if isinstance(error.extra, list) else []
    items = [item for item in extra if isinstance(item, dict)]
    if any(item.get("key") == "data" and item.get("message") == "'data'" for item in items):
        return "the request needs a body"  # which the framework only says as the KeyError that it is
    parts = [f"{item.get('key', 'body')}: {item.get('message', '')}" for item in items]
    return "; ".join(parts) or "the request is not valid"


HANDLERS: dict[Any, Any] = {
    CapsuleError: on_capsule_error,
    HTTPException: on_http_exception,
    Exception: on_unexpected,
}
