"""How often something may be tried, and who counts as one."""

from __future__ import annotations

import pytest

from cpsl.errors import RateLimited
from cpsl.gateway.users.rates import Rate, Rates, network_of

THRICE = Rate("thrice", 3, 60)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_window_slides() -> None:
    clock = Clock()
    rates = Rates(clock)
    for clock.now in (0.0, 20.0, 40.0):
        rates.spend(THRICE, "a")
    with pytest.raises(RateLimited) as refused:
        rates.spend(THRICE, "a")
    assert refused.value.retry_after == 20
    clock.now = 60.0
    rates.spend(THRICE, "a")
    assert not rates.has_left(THRICE, "a")


def test_each_counts_alone_and_what_was_right_does_not_count() -> None:
    rates = Rates(Clock())
    for _ in range(3):
        rates.spend(THRICE, "a")
    rates.spend(THRICE, "b")
    rates.give_back(THRICE, "a")
    rates.spend(THRICE, "a")
    rates.forget(THRICE, "a")
    assert rates.has_left(THRICE, "a")


def test_memory_is_bounded() -> None:
    rates = Rates(Clock())
    for number in range(60_000):
        rates.spend(THRICE, str(number))
    assert len(rates._tried) <= 50_000


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("not an address", "not an address"),
        ("", ""),
    ],
)
def test_one_client(address: str, network: str) -> None:
    assert network_of(address) == network
