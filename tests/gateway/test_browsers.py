"""Who asks, when a browser asks: visitors by a signed cookie, and what no other site, app or visitor can do."""

from __future__ import annotations

import httpx
import pytest

from cpsl.gateway.users.cookies import Signer
from tests.support.gateway import APPS, GatewayProcess


@pytest.fixture(scope="session")
def app_id(gateway: GatewayProcess) -> str:
    gateway.deploy(APPS / "echo.py")
    with gateway.client() as client:
        return client.apps.get("echo").id


@pytest.mark.parametrize(
    "value",
    ["", "v", "v.", "v..", "s.", "s.nothing", "v.0123.4567", "x.y.z", "v.é.é", "v." + "a" * 4000],
)
def test_a_cookie_that_we_did_not_sign_is_nobody(gateway: GatewayProcess, app_id: str, value: str) -> None:
    headers = [(b"Cookie", f"capsule_{app_id}={value}".encode("latin-1"))]
    refused = httpx.get(f"{gateway.url}/api/v1/app/echo/sessions", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (401, "not_logged_in")


def test_a_signature_is_for_one_app_and_one_purpose() -> None:
    signer = Signer(b"k" * 32)
    value = signer.new_visitor("app_1")
    assert signer.visitor("app_1", value)
    assert signer.visitor("app_2", value) is None
    assert signer.visitor("app_1", value[:-1] + ("0" if value[-1] != "0" else "1")) is None
    assert Signer(b"l" * 32).visitor("app_1", value) is None
    assert signer.csrf_token(value) != signer.csrf_token(signer.new_visitor("app_1"))
    assert "k" * 8 not in repr(signer)
