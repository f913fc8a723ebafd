"""The wall: whatever httpx, ssl, msgspec or a stranger's server throws becomes an error of ``cpsl.errors`` here.

Nothing foreign passes, nothing names a token, and each error says what to do next.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from time import time
from urllib.parse import urlsplit

import httpx
import httpx_sse
import msgspec

from cpsl import config, errors
from cpsl.client.operations import Answer
from cpsl.wire.problem import Problem, to_error

FOREIGN = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,
    httpx_sse.SSEError,
    ssl.SSLError,
    msgspec.MsgspecError,
    UnicodeError,
)
"""All that the libraries below may raise on their own account."""

LOST = "connection_lost"
TRANSIENT_CODES = frozenset({"gateway_unreachable", LOST, "bad_gateway"})
TRANSIENT_STATUSES = frozenset({429, 502, 503, 504})


@contextmanager
def wall(gateway_url: str) -> Iterator[None]:
    """Translate everything foreign that is raised inside."""
    try:
        yield
    except FOREIGN as error:
        raise translated(error, gateway_url) from error


def translated(error: Exception, gateway_url: str) -> errors.CapsuleError:
    """The error of ours that stands for a foreign one. ``gateway_url`` is for the message."""
    if _about_tls(error):
        return _tls_failed(error, gateway_url)
    if isinstance(error, httpx.TransportError):
        return _transport_failed(error, gateway_url)
    if isinstance(error, httpx_sse.SSEError):
        return not_a_gateway(gateway_url, "it answered with something that is no event stream")
    if isinstance(error, httpx.InvalidURL):
        return errors.ConfigError(
            f"{gateway_url} is not a gateway's URL",
            code="invalid_gateway_url",
            hint="Use one like https://gateway.example.com.",
        )
    if isinstance(error, httpx.HTTPError | httpx.CookieConflict | msgspec.MsgspecError | UnicodeError):
        return invalid_answer(gateway_url, type(error).__name__)
    return errors.ConnectionFailed(
        f"The exchange with {gateway_url} was broken off ({type(error).__name__})", code=LOST, hint=_doctor(gateway_url)
    )


def _transport_failed(error: httpx.TransportError, url: str) -> errors.CapsuleError:
    if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
        return unreachable(url, slow=isinstance(error, httpx.ConnectTimeout))
    if isinstance(error, httpx.TimeoutException):
        return errors.GatewayTimeout(
            f"{url} did not answer in time", hint="Try again, or allow more with timeout= (seconds)."
        )
    if isinstance(error, httpx.ProxyError):
        return errors.ConnectionFailed(
            f"The proxy on the way to {url} failed",
            code="proxy_failed",
            hint="Check HTTPS_PROXY and NO_PROXY.",
        )
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return errors.InvalidRequest(f"This cannot be sent to {url} ({type(error).__name__})")
    return errors.ConnectionFailed(f"The connection to {url} was lost", code=LOST, hint=_doctor(url))


def unreachable(url: str, *, slow: bool = False) -> errors.ConnectionFailed:
    """Nothing listens there, or nothing that answers (``slow``)."""
    how = "does not answer" if slow else "cannot be reached"
    return errors.ConnectionFailed(f"The gateway at {url} {how}", hint=_doctor(url))


def not_a_gateway(url: str, why: str, status: int | None = None) -> errors.ConnectionFailed:
    """Something answers there, but it is no Capsule gateway."""
    return errors.ConnectionFailed(
        f"What answers at {url} is not a Capsule gateway: {why}",
        code="not_a_gateway",
        status=status,
        hint="Check the URL with 'capsule status'; a proxy or a network login page may be in between.",
    )


def invalid_answer(url: str, why: str) -> errors.GatewayError:
    """The gateway's answer does not hold what it must."""
    return errors.GatewayError(
        f"The answer of {url} cannot be understood ({why})",
        code="invalid_answer",
        hint="Client and gateway may be of different versions: compare them with 'capsule status'.",
    )


def _doctor(url: str) -> str:
    if config.is_loopback(url):
        return "Start the gateway with 'capsule gateway start'."
    return "Check the URL with 'capsule status', and your network."


def _about_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _tls_failed(error: Exception, url: str) -> errors.ConnectionFailed:
    return errors.ConnectionFailed(
        f"No safe connection to {url}: {error}",
        code="tls_failed",
        hint="Check the URL and its certificate; SSL_CERT_FILE adds an authority of your own.",
    )


# --- answers ------------------------------------------------------------------------------------------------------


def refusal(answer: Answer, gateway_url: str) -> errors.CapsuleError | None:
    """The error that an answer tells of, or None if it tells of none."""
    if 300 <= answer.status < 400:
        return _redirected(answer, gateway_url)
    if answer.status < 300:
        return None
    error = _told(answer) or _stranger(answer, gateway_url)
    error.request_id = error.request_id or answer.headers.get("x-request-id")
    if isinstance(error, errors.RateLimited):
        error.retry_after = retry_after(answer.headers.get("retry-after"))
    return error


def _told(answer: Answer) -> errors.CapsuleError | None:
    """The problem in the body, if there is one (RFC 9457)."""
    try:
        problem = msgspec.json.decode(answer.body, type=Problem)
    except msgspec.MsgspecError:
        return None
    return to_error(problem)


def _stranger(answer: Answer, url: str) -> errors.CapsuleError:
    """An error that did not come from a gateway: a proxy in front of it, or something else altogether."""
    if answer.status == 429:
        return errors.RateLimited(f"Too many requests to {url}", hint="Wait a moment and try again.")
    if answer.status in TRANSIENT_STATUSES:
        return errors.GatewayError(
            f"A proxy in front of {url} says that the gateway is not there (HTTP {answer.status})",
            code="bad_gateway",
            status=answer.status,
            hint=_doctor(url),
        )
    return not_a_gateway(url, f"it answered HTTP {answer.status} in a form of its own", answer.status)


def _redirected(answer: Answer, url: str) -> errors.ConnectionFailed:
    target = urlsplit(answer.headers.get("location", ""))
    host = f"{target.scheme}://{target.netloc}" if target.netloc else "another page"
    return errors.ConnectionFailed(
        f"{url} redirects to {host}; that was not followed, so the token went nowhere else",
        code="redirected",
        status=answer.status,
        hint=f"If {host} is your gateway, log in to it; else a network login page may be in between.",
    )


def retry_after(value: str | None) -> float | None:
    """Seconds to wait by a Retry-After header, in either of its two forms (RFC 9110 §10.2.3)."""
    if not value:
        return None
    if value.isascii() and value.strip().isdigit():
        return float(value)
    try:
        return max(parsedate_to_datetime(value).timestamp() - time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None


def is_transient(error: errors.CapsuleError) -> bool:
    """Whether the same request may well succeed a moment later."""
    if error.code in TRANSIENT_CODES:
        return True
    if isinstance(error, errors.ConnectionFailed):
        return False
    return isinstance(error, errors.RateLimited | errors.GatewayError) and error.status in TRANSIENT_STATUSES
