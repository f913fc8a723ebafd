"""Passwords: hashed as the cheat sheet says, the same however a keyboard writes them, renewed when that changes."""

from __future__ import annotations

import asyncio

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from cpsl.errors import GatewayError
from cpsl.gateway.users.forms import FormError
from cpsl.gateway.users.passwords import Passwords, check


def test_a_hash_is_argon2id_with_19_mib_and_fits_what_it_is_of() -> None:
    async def main() -> None:
        passwords = Passwords()
        kept = await passwords.hash("café au lait")
        found = extract_parameters(kept)
        assert (found.type, found.memory_cost, found.time_cost, found.parallelism) == (Type.ID, 19 * 1024, 2, 1)
        assert await passwords.fits(kept, "cafe\u0301 au lait")
        assert not await passwords.fits(kept, "cafe au lait")
        assert not await passwords.fits(None, "café au lait")
        assert not await passwords.fits("no hash at all", "café au lait")
        assert not await passwords.fits(kept, "x" * 2000)
        assert not passwords.is_outdated(kept)

    asyncio.run(main())


def test_a_hash_of_other_parameters_is_outdated_and_still_good() -> None:
    kept = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("correct horse")
    passwords = Passwords()
    assert passwords.is_outdated(kept)
    assert asyncio.run(passwords.fits(kept, "correct horse"))


def test_too_many_at_once_are_told_to_come_back() -> None:
    async def main() -> list[object]:
        passwords = Passwords()
        tasks = [asyncio.create_task(passwords.hash("correct horse")) for _ in range(110)]
        await asyncio.sleep(0)
        refused = [task for task in tasks if task.done() and task.exception()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return [task.exception() for task in refused]

    errors = asyncio.run(main())
    assert len(errors) == 10
    assert all(isinstance(each, GatewayError) and each.status == 503 for each in errors)


@pytest.mark.parametrize("password", ["", "1234567", "password1", "PASSWORD1", "x" * 1025, "e\u0301" * 7])
def test_what_nobody_should_choose(password: str) -> None:
    with pytest.raises(FormError) as refused:
        check(password)
    assert refused.value.code == "weak_password"
    assert password not in refused.value.message or not password


@pytest.mark.parametrize("password", ["12characters", "x" * 1024, "\0" * 8, "long and clear", "\ud800" * 8])
def test_what_anybody_may_choose(password: str) -> None:
    check(password)
