import pytest

from cpsl.auth import device
from cpsl.errors import AuthError
from cpsl.wire.accounts import DeviceCode, DeviceToken, OAuthError

TOKEN = DeviceToken("cps_x", "Bearer", "home")
PENDING = OAuthError("authorization_pending")


def run(answers: list[device.Answer], expires_in: int = 600, interval: int = 5) -> tuple[DeviceToken, list[float]]:
    """Drive the protocol with these answers; the token and how long it waited each time."""
    code = DeviceCode("secret", "ABCD-EFGH", "https://x/device", "https://x/device?c", expires_in, interval)
    waits: list[float] = []
    left = iter(answers)
    protocol = device.poll(code)
    step = next(protocol)
    try:
        while True:
            if isinstance(step, device.Wait):
                waits.append(step.seconds)
                step = protocol.send(None)
            else:
                step = protocol.send(next(left))
    except StopIteration as end:
        return end.value, waits


def test_it_waits_before_it_asks_and_returns_the_token() -> None:
    assert run([PENDING, TOKEN]) == (TOKEN, [5, 5])


def test_slow_down_adds_five_seconds_for_good() -> None:
    slow = OAuthError("slow_down")
    assert run([slow, PENDING, slow, TOKEN])[1] == [5, 10, 10, 15]


def test_an_unreachable_gateway_is_asked_less_often() -> None:
    assert run([None, None, TOKEN])[1] == [5, 10, 20]


def test_an_interval_of_zero_does_not_spin() -> None:
    assert run([PENDING, TOKEN], interval=0)[1] == [1, 1]


def test_it_gives_up_when_the_code_expires() -> None:
    with pytest.raises(AuthError) as caught:
        run([PENDING] * 99, expires_in=30)
    assert caught.value.code == "expired_token"


@pytest.mark.parametrize("error", ["access_denied", "expired_token", "invalid_grant"])
def test_a_refusal_ends_it(error: str) -> None:
    with pytest.raises(AuthError) as caught:
        run([PENDING, OAuthError(error, "why")])
    assert caught.value.code == error
