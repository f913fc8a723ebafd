"""Waiting for one of several things."""

from __future__ import annotations

import asyncio

from cpsl.gateway.bell import Bell, wait_for


def test_a_bell_wakes_all_who_wait_for_it_or_for_another_too() -> None:
    async def test() -> None:
        one, other = Bell(), Bell()
        waiting = [asyncio.create_task(wait_for(*bells, timeout=5)) for bells in ((one,), (other, one), (other,))]
        await asyncio.sleep(0)
        one.ring()
        one.ring()
        assert await asyncio.gather(*waiting[:2]) == [True, True]
        assert not waiting[2].done()
        other.ring()
        assert await waiting[2]

    asyncio.run(test())


def test_a_bell_that_has_rung_lets_nobody_wait() -> None:
    async def test() -> None:
        bell = Bell()
        bell.ring()
        assert bell.has_rung
        assert await wait_for(Bell(), bell, timeout=5)

    asyncio.run(test())


def test_waiting_ends_after_its_time_and_leaves_nothing_behind() -> None:
    async def test() -> None:
        bell = Bell()
        assert not await wait_for(bell, timeout=0.01)
        left = asyncio.create_task(wait_for(bell, timeout=5))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.wait([left])
        assert not bell._waiting
        bell.ring()

    asyncio.run(test())
