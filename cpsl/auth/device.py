"""Login on another device, RFC 8628, as a protocol without I/O.

``poll`` yields what to do (``Wait``, ``Ask``) and receives what came back; who drives it owns the clock and the HTTP.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from cpsl.errors import AuthError
from cpsl.wire.accounts import DeviceCode, DeviceToken, OAuthError

CLIENT_ID = "capsule-cli"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
_SLOW_DOWN_SECONDS = 5  # RFC 8628 §3.5
_LONGEST_INTERVAL_SECONDS = 60


@dataclass(frozen=True)
class Wait:
    """Do nothing for so long."""

    seconds: float


@dataclass(frozen=True)
class Ask:
    """Ask the token endpoint; send back its DeviceToken or OAuthError, or None if it could not be reached."""


Step = Wait | Ask
Answer = DeviceToken | OAuthError | None


def poll(code: DeviceCode) -> Generator[Step, Answer, DeviceToken]:
    """Wait until the user has approved ``code``; returns the token.

    Raises AuthError: ``access_denied`` when they said no, ``expired_token`` when they did not come in time.
    """
    interval = float(max(code.interval, 1))
    waited = 0.0
    while waited + interval <= code.expires_in:
        yield Wait(interval)
        waited += interval
        answer = yield Ask()
        if isinstance(answer, DeviceToken):
            return answer
        interval = _next_interval(interval, answer)
    raise _failure("expired_token")


def _next_interval(interval: float, answer: OAuthError | None) -> float:
    if answer is None:  # RFC 8628 §3.5: on a connection timeout, back off, for example by doubling
        return min(interval * 2, _LONGEST_INTERVAL_SECONDS)
    if answer.error == "slow_down":
        return interval + _SLOW_DOWN_SECONDS
    if answer.error == "authorization_pending":
        return interval
    raise _failure(answer.error, answer.error_description)


def _failure(error: str, description: str = "") -> AuthError:
    known = {
        "access_denied": "The login was declined",
        "expired_token": "The code was not confirmed in time",
    }
    message = known.get(error) or f"The gateway refused the login: {description or error}"
    return AuthError(message, code=error, hint="Run 'capsule login' again.")
