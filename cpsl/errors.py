"""Every error that Capsule raises on purpose, split by who can act on it.

CapsuleError                        base; also a RuntimeError, as the published client raised
├── the person or script that asked
│   ├── InvalidRequest              the input is wrong (also a ValueError)         400, 422
│   │   ├── TooLarge                the input is over a limit                      413
│   │   └── EntryPointError         FILE.py:SYMBOL does not lead to an App
│   ├── NotFound                    no such app, session, secret … (a LookupError) 404
│   ├── Conflict                    it exists already, or is in use                409
│   ├── ConfigError                 the config file or a setting is unusable
│   └── AuthError                   who you are, what you may do                   401, 403
│       └── NotLoggedIn             no token at all
├── the app
│   ├── AppError                    the app's code failed during a turn
│   ├── DeployFailed                the app did not come up; the live version stays
│   ├── PromptRequired              the app waits for something a script cannot give
│   └── TurnCancelled               someone cancelled the turn
├── the gateway
│   ├── GatewayError                it failed to serve a good request              5xx
│   │   ├── StorageFull             no space left to store it                      507
│   │   └── ProviderFailed          the service behind an integration did          502
│   └── RateLimited                 too many requests; see ``retry_after``         429
├── the network
│   └── ConnectionFailed            no gateway there (also a ConnectionError)
│       ├── GatewayTimeout          it did not answer in time (also a TimeoutError)
│       └── StreamCut               the event stream was cut and could not be resumed
└── inside an app's handler
    ├── IntegrationTimeout          nobody connected in time (also a TimeoutError)
    ├── IntegrationDeclined         the user said no
    └── FileUploadTimeout           nobody uploaded in time (also a TimeoutError)

An error carries facts, not only prose: a stable ``code`` in snake case, a ``hint`` that is the next step,
the HTTP ``status`` and the ``request_id`` where there are any.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class CapsuleError(RuntimeError):
    """Base of all errors of this package.

    Parameters: ``message`` is one line for a person; ``code`` a stable snake-case name (the class has a default);
    ``hint`` the next step; ``status`` the HTTP status it travels with; ``request_id`` names the turn or request.
    """

    default_code: ClassVar[str] = "error"
    default_status: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.status = status or self.default_status
        self.request_id = request_id

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call the class with ``args`` alone and lose every keyword.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[CapsuleError], args: tuple[Any, ...], state: Mapping[str, Any]) -> CapsuleError:
    error = kind(*args)
    error.__dict__.update(state)
    return error


class InvalidRequest(CapsuleError, ValueError):
    """What was asked cannot be right; nothing was done."""

    default_code = "invalid_request"
    default_status = 422


class TooLarge(InvalidRequest):
    """What was sent is over a limit that the message names."""

    default_code = "too_large"
    default_status = 413


class EntryPointError(InvalidRequest):
    """``FILE.py:SYMBOL`` does not lead to a ``cpsl.App``."""

    default_code = "invalid_entry_point"


class NotFound(CapsuleError, LookupError, ValueError):
    """There is no such thing, or it is not yours. (A ValueError too, as the published client raised.)"""

    default_code = "not_found"
    default_status = 404


class Conflict(CapsuleError):
    """It exists already, or something still uses it."""

    default_code = "conflict"
    default_status = 409


class ConfigError(CapsuleError, ValueError):
    """The configuration on this machine cannot be used."""

    default_code = "invalid_config"
    default_status = 400


class AuthError(CapsuleError):
    """The token is wrong, expired or revoked, or may not do this."""

    default_code = "unauthorized"
    default_status = 401


class NotLoggedIn(AuthError):
    """No token was given and none is stored."""

    default_code = "not_logged_in"


class AppError(CapsuleError):
    """The app's own code failed during a turn. ``partial`` is the answer up to there."""

    default_code = "app_error"
    default_status = 502
    partial: str = ""


class DeployFailed(CapsuleError):
    """The new version did not come up. ``traceback`` is the app's own, when its code raised."""

    default_code = "deploy_failed"
    default_status = 422

    def __init__(self, message: str, *, traceback: str = "", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.traceback = traceback


class PromptRequired(CapsuleError):
    """The app waits for a person: to connect an integration, fill in a form, upload a file, approve.

    ``prompt`` is the prompt as the gateway sent it, ``link`` where a person can answer it, ``request_id`` and
    ``session_id`` the turn, which stays answerable until the prompt expires. ``partial`` is the answer up to there.
    """

    default_code = "prompt_required"
    default_status = 409

    def __init__(
        self,
        message: str,
        *,
        prompt: Mapping[str, Any] | None = None,
        session_id: str = "",
        partial: str = "",
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.prompt = dict(prompt or {})
        self.session_id = session_id
        self.partial = partial

    @property
    def link(self) -> str:
        """Where a person can answer the prompt in a browser, or an empty string."""
        return str(self.prompt.get("link") or "")


class TurnCancelled(CapsuleError):
    """The turn was cancelled before the app had finished."""

    default_code = "cancelled"
    default_status = 409


class GatewayError(CapsuleError):
    """The gateway could not serve a good request."""

    default_code = "gateway_error"


class StorageFull(GatewayError):
    """The gateway has no space left; nothing of this request was kept."""

    default_code = "storage_full"
    default_status = 507


class ProviderFailed(GatewayError):
    """The service behind an integration did not answer, or not as OAuth 2.0 says."""

    default_code = "provider_failed"
    default_status = 502


class RateLimited(CapsuleError):
    """Too many requests. ``retry_after`` says how many seconds to wait, where the gateway did."""

    default_code = "rate_limited"
    default_status = 429

    def __init__(self, message: str, *, retry_after: float | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after


class ConnectionFailed(CapsuleError, ConnectionError):
    """Nothing answers at the gateway's URL, or what answers is not a Capsule gateway."""

    default_code = "gateway_unreachable"
    default_status = 503


class GatewayTimeout(ConnectionFailed, TimeoutError):
    """The gateway did not answer in time."""

    default_code = "timeout"
    default_status = 504


class StreamCut(ConnectionFailed):
    """The event stream was cut and could not be resumed. The turn goes on at the gateway."""

    default_code = "stream_cut"


class IntegrationTimeout(CapsuleError, TimeoutError):
    """The user did not connect the integration in time."""

    default_code = "integration_timeout"
    default_status = 408


class IntegrationDeclined(CapsuleError):
    """The user declined to connect the integration."""

    default_code = "integration_declined"
    default_status = 409


class FileUploadTimeout(CapsuleError, TimeoutError):
    """The user did not upload a file in time."""

    default_code = "file_upload_timeout"
    default_status = 408
