"""Data handlers: from query parameters to JSON."""

from __future__ import annotations

from functools import partial
from typing import Any

from cpsl.app.app import App
from cpsl.app.handlers import DataHandler
from cpsl.app.integrations import IntegrationCredentials
from cpsl.app.plain import to_json
from cpsl.app.types import RequestContext, UserInfo
from cpsl.runtime import calls
from cpsl.runtime.failures import failure_of
from cpsl.wire import frames


async def answer(app: App, user: frames.AppUser | None, request: frames.DataRequest) -> frames.DataResponse:
    """Ask the handler that ``request`` names. Who may ask is the gateway's decision, made before."""
    handler = app.handlers.data.get(request.name)
    if handler is None:
        failure = frames.TurnFailure("unknown_data_handler", f"This app has no data called {request.name!r}.")
        return frames.DataResponse(request.call_id, failure=failure)
    wrong = _wrong_parameters(handler, request.params)
    if wrong:
        return frames.DataResponse(request.call_id, failure=frames.TurnFailure("invalid_request", wrong))
    try:
        result = await calls.run(handler.is_async, _bound(handler, user, request))
        return frames.DataResponse(request.call_id, to_json(result, f"What {request.name!r} returned"))
    except BaseException as error:
        return frames.DataResponse(request.call_id, failure=failure_of(error))


def _wrong_parameters(handler: DataHandler, params: dict[str, str]) -> str:
    missing = sorted(handler.required - params.keys())
    if missing:
        return f"The parameter {missing[0]!r} is missing."
    unknown = sorted(params.keys() - handler.parameters)
    if unknown and not handler.takes_any:
        known = ", ".join(sorted(handler.parameters)) or "none"
        return f"There is no parameter {unknown[0]!r}; there are: {known}."
    return ""


def _bound(handler: DataHandler, user: frames.AppUser | None, request: frames.DataRequest) -> partial[Any]:
    context: list[RequestContext] = []
    if handler.wants_context:
        context.append(
            RequestContext(
                user=UserInfo.of(user),
                integrations={name: IntegrationCredentials.of(given) for name, given in request.integrations.items()},
                authenticated=user is not None and user.authenticated,
                request=dict(request.params),
            )
        )
    return partial(handler.function, *context, **request.params)
