"""Nothing foreign gets through: every exception of httpx, by enumeration, becomes one of ours."""

import asyncio
import inspect
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import httpx_sse
import msgspec
import pytest

from cpsl import errors
from cpsl.client import AsyncClient, Client, wall

URL = "http://127.0.0.1:1980"


def foreign() -> list[Exception]:
    """One of each exception that httpx has."""
    kinds = [kind for _, kind in inspect.getmembers(httpx, inspect.isclass) if issubclass(kind, Exception)]
    return [make(kind) for kind in kinds]


def make(kind: type[Exception]) -> Exception:
    request = httpx.Request("GET", URL)
    if issubclass(kind, httpx.HTTPStatusError):
        return kind("x", request=request, response=httpx.Response(500))
    takes_a_message = "message" in inspect.signature(kind).parameters or kind is httpx.CookieConflict
    return kind("x") if takes_a_message else kind()


def others() -> list[Exception]:
    return [
        httpx_sse.SSEError("x"),
        ssl.SSLCertVerificationError("x"),
        msgspec.DecodeError("x"),
        msgspec.ValidationError("x"),
        UnicodeDecodeError("utf-8", b"", 0, 1, "x"),
    ]


@pytest.mark.parametrize("error", [*foreign(), *others()], ids=lambda error: type(error).__name__)
def test_every_foreign_error_becomes_one_of_ours(error: Exception) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise error

    async def async_call() -> None:
        http = httpx.AsyncClient(transport=httpx.MockTransport(handler))
        async with AsyncClient("cps_x", URL, http_client=http, max_retries=0) as client:
            await client.list_apps()

    http = httpx.Client(transport=httpx.MockTransport(handler))
    client = Client("cps_x", URL, http_client=http, max_retries=0)
    for call in (client.list_apps, lambda: client.chat("a", "b"), lambda: asyncio.run(async_call())):
        with pytest.raises(errors.CapsuleError) as caught:
            call()
        assert caught.value.message
        assert caught.value.code != "error"


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (httpx.ConnectError("x"), errors.ConnectionFailed, "gateway_unreachable"),
        (httpx.ReadTimeout("x"), errors.GatewayTimeout, "timeout"),
        (httpx.ProxyError("x"), errors.ConnectionFailed, "proxy_failed"),
        (httpx.RemoteProtocolError("x"), errors.ConnectionFailed, "connection_lost"),
        (httpx.DecodingError("x"), errors.GatewayError, "invalid_answer"),
        (httpx.InvalidURL("x"), errors.ConfigError, "invalid_gateway_url"),
        (httpx.LocalProtocolError("x"), errors.InvalidRequest, "invalid_request"),
    ],
)
def test_what_becomes_of_which(error: Exception, kind: type[errors.CapsuleError], code: str) -> None:
    ours = wall.translated(error, URL)
    assert (type(ours), ours.code) == (kind, code)


def test_a_bad_certificate_is_found_behind_any_other_error() -> None:
    error = httpx.ConnectError("x")
    error.__context__ = ssl.SSLCertVerificationError("self-signed")
    assert wall.translated(error, URL).code == "tls_failed"


def test_our_own_errors_and_strangers_pass() -> None:
    for error in (errors.NotFound("x"), KeyError("x"), OSError("x")):
        with pytest.raises(type(error)) as caught, wall.wall(URL):
            raise error
        assert caught.value is error


@pytest.mark.parametrize(("value", "seconds"), [(None, None), ("7", 7), ("soon", None), ("", None), ("٣", None)])
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert wall.retry_after(value) == seconds


def test_retry_after_as_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    assert 18 <= (wall.retry_after(later) or 0) <= 20
    assert wall.retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
