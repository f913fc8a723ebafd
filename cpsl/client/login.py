"""Getting a token and keeping it: the local gateway's owner, a token by hand, a code confirmed in a browser (RFC 8628).

Silent: what there is to say is returned, or handed to a callback. Every way ends with ``GET /me``, so that a token is
only kept once it was seen to work.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec

from cpsl import auth, config, errors
from cpsl.auth import device, store
from cpsl.auth.resolve import token_name
from cpsl.client import calls, flows, wall
from cpsl.client.client import Client
from cpsl.client.connections import Wire
from cpsl.client.drivers import SyncDriver
from cpsl.client.operations import Answer, Call, Flow, Request, Send, T
from cpsl.client.timeouts import Timeout
from cpsl.wire.accounts import Bootstrap, DeviceCode, DeviceToken, Me, OAuthError

_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Login:
    """A login that worked: the profile it was stored as, who it is, ``where`` the token is kept (see auth.store)."""

    profile: config.Profile
    me: Me
    where: str


def login_local(bootstrap: Bootstrap, *, profile: str | None = None, http_client: httpx.Client | None = None) -> Login:
    """Log in to this machine's gateway by its bootstrap file (``auth.local.read_bootstrap``).

    Raises AuthError when the file is not that gateway's, ConnectionFailed when it is not running.
    """
    url = config.check_gateway_url(bootstrap.gateway_url)
    with _nobody(url, http_client) as run:
        made = run(flows.call(flows.Gateway(url), calls.local_login(bootstrap.bootstrap_secret, _machine())))
    return login_with_token(url, made.access_token, profile=profile, http_client=http_client)


def login_with_token(
    gateway_url: str, token: str, *, profile: str | None = None, http_client: httpx.Client | None = None
) -> Login:
    """Check a token with the gateway; keep it and make its profile the active one.

    Raises AuthError when the gateway does not know it, ConnectionFailed …; then nothing is kept.
    """
    found = auth.resolve(token, gateway_url)
    with Client(found.token, found.gateway_url, http_client=http_client, timeout=_TIMEOUT_SECONDS) as client:
        me = client.me()
    name = profile or profile_name(found.gateway_url)
    kept = config.Profile(name, found.gateway_url, me.workspace, me.account.email)
    where = store.write(token_name(name), found.token)
    config.save_profile(kept)
    return Login(kept, me, where)


def login_with_device(
    gateway_url: str,
    on_code: Callable[[DeviceCode], None],
    *,
    profile: str | None = None,
    http_client: httpx.Client | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Login:
    """Log in through a browser on any device. ``on_code`` is to show the code and its address.

    Raises AuthError: ``access_denied``, ``expired_token``.
    """
    url = config.check_gateway_url(gateway_url)
    with _nobody(url, http_client) as run:
        code = run(flows.call(flows.Gateway(url), _device_code()))
        on_code(code)
        token = _approved(code, lambda: run(_ask(url, code)), sleep)
    return login_with_token(url, token.access_token, profile=profile, http_client=http_client)


def logout(profile: str | None = None, *, http_client: httpx.Client | None = None) -> bool:
    """Forget a profile (the active one, if None) and its token, here and at the gateway.

    Returns whether the gateway revoked the token: it may be gone, or the token invalid already. Raises NotLoggedIn when
    there is nothing to forget, NotFound for an unknown profile.
    """
    name = _stored_profile(profile)
    try:
        revoked = _revoke(name, http_client)
    finally:
        try:
            store.delete(token_name(name))
        finally:  # a keyring that hangs keeps nobody logged in
            config.remove_profile(name)
    return revoked


def profile_name(gateway_url: str) -> str:
    """What a gateway's profile is called unless somebody says otherwise: ``local`` here, its host name elsewhere."""
    if config.is_loopback(gateway_url):
        return config.DEFAULT_PROFILE
    return urlsplit(gateway_url).netloc


def _stored_profile(name: str | None) -> str:
    loaded = config.load()
    chosen = name or loaded.active or config.DEFAULT_PROFILE
    if name is None and chosen not in loaded.profiles:
        raise errors.NotLoggedIn("You are not logged in", hint="There is nothing to log out of.")
    return loaded.profile(chosen).name


def _revoke(profile: str, http_client: httpx.Client | None) -> bool:
    try:
        with Client(profile=profile, http_client=http_client, timeout=5.0, max_retries=0) as client:
            client.tokens.delete("current")
    except errors.CapsuleError:
        return False
    return True


def _machine() -> str:
    return f"capsule on {socket.gethostname()}"[:100]


@contextmanager
def _nobody(url: str, http_client: httpx.Client | None) -> Iterator[Callable[[Flow[Any]], Any]]:
    """A way to run flows without a token."""
    driver = SyncDriver(Wire(url, None, Timeout(read=_TIMEOUT_SECONDS)), http_client)
    try:
        yield driver.run
    finally:
        driver.close()


def _form(path: str, values: dict[str, str]) -> Request:
    return Request("POST", path, content=urlencode(values).encode(), headers=calls.FORM)


def _device_code() -> Call[DeviceCode]:
    request = _form("/auth/device/code", {"client_id": device.CLIENT_ID, "client_name": _machine()})
    return Call(request, msgspec.json.Decoder(DeviceCode).decode)


def _ask(url: str, code: DeviceCode) -> Flow[device.Answer]:
    """One question to the token endpoint; None if it could not be reached (RFC 8628 §3.5: go on)."""
    values = {"grant_type": device.GRANT_TYPE, "device_code": code.device_code, "client_id": device.CLIENT_ID}
    try:
        answer: Answer = yield Send(_form("/auth/device/token", values))
    except errors.ConnectionFailed:
        return None
    if answer.status == 400:
        return _decoded(answer, OAuthError, url)
    error = wall.refusal(answer, url)
    if error is None:
        return _decoded(answer, DeviceToken, url)
    if wall.is_transient(error):
        return None
    raise error


def _decoded(answer: Answer, kind: type[T], url: str) -> T:
    with wall.wall(url):
        return msgspec.json.decode(answer.body, type=kind)


def _approved(code: DeviceCode, ask: Callable[[], device.Answer], sleep: Callable[[float], None]) -> DeviceToken:
    protocol = device.poll(code)
    try:
        step = next(protocol)
        while True:
            if isinstance(step, device.Wait):
                sleep(step.seconds)
                step = protocol.send(None)
            else:
                step = protocol.send(ask())
    except StopIteration as end:
        token: DeviceToken = end.value
        return token
