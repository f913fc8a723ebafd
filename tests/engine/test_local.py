"""Runtimes of the local engine: forked, or started plainly where an import does not allow a fork."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from cpsl.engine.local.cgroups import Cgroups
from cpsl.engine.local.health import CRASHES
from cpsl.engine.local.supervision import processes_of
from cpsl.engine.protocol import AppBroken, OutOfMemory, RuntimeLost
from cpsl.wire.frames import AppUser
from tests.engine.conftest import APP, THREAD, Bench, bench
from tests.support.processes import are_gone

Drive = Callable[..., None]
SOCKET = "import socket\nheld = socket.socket()\n"
IGNORES = "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
WAYS = [pytest.param("", id="forked"), pytest.param(THREAD, id="thread"), pytest.param(SOCKET, id="socket")]


@pytest.mark.parametrize("before", WAYS)
def test_each_user_has_a_process_and_a_state_of_their_own(drive: Drive, before: str) -> None:
    async def steps(bench: Bench) -> None:
        assert await bench.says("state['turns']", "ann") == 1
        assert await bench.says("state['turns']", "ann") == 2
        assert await bench.says("state['turns']", "bob") == 1
        first, second = await bench.runtime("ann"), await bench.runtime("bob")
        assert first.life.pid != second.life.pid
        assert await bench.says("random.random()", "ann") != await bench.says("random.random()", "bob")
        assert bench.printed().count("booted") == 2

    drive(steps, before=before)


@pytest.mark.parametrize(("before", "imports"), [("", 1), (THREAD, 3)])
def test_an_app_is_imported_once_unless_it_cannot_be_forked(drive: Drive, before: str, imports: int) -> None:
    async def steps(bench: Bench) -> None:
        await asyncio.gather(*(bench.runtime(user) for user in ("ann", "bob", "cleo")))
        assert bench.imports == imports
        told = [line for line in bench.printed() if "started one by one" in line]
        assert len(told) == (1 if before else 0)

    drive(steps, before=before)


@pytest.mark.parametrize("before", [*WAYS, pytest.param(IGNORES, id="forked, ignoring its children")])
def test_a_runtime_that_ends_is_told_and_the_next_turn_works(drive: Drive, before: str) -> None:
    async def steps(bench: Bench) -> None:
        with pytest.raises(RuntimeLost, match="ended unexpectedly" if before in (THREAD, SOCKET) else "exit status 3"):
            await bench.turn("os._exit(3)")
        assert await bench.says("1 + 1") == 2
        waiting = asyncio.ensure_future(bench.turn("asyncio.sleep(30)"))
        runtime = await bench.runtime()
        await bench.until(lambda: runtime.is_busy)
        os.kill(runtime.life.pid, signal.SIGKILL)
        with pytest.raises(RuntimeLost):
            await waiting
        assert await bench.says("2 + 2") == 4

    drive(steps, before=before)


def test_what_is_flushed_is_out_though_the_process_ends_at_once(drive: Drive) -> None:
    async def steps(bench: Bench) -> None:
        with pytest.raises(RuntimeLost):
            await bench.turn("print('last words', flush=True) or os._exit(1)")
        assert "last words" in bench.printed()

    drive(steps)


def test_a_version_that_is_drained_while_it_is_imported_is_imported_again(drive: Drive) -> None:
    async def steps(bench: Bench) -> None:
        asking = asyncio.ensure_future(bench.runtime())
        await bench.until(lambda: bench.imports == 1)
        await bench.engine.drain(["v1"])
        runtime = await asking
        assert bench.imports == 2
        assert await bench.says("1") == 1
        assert await bench.runtime() is runtime

    drive(steps)


def test_an_app_that_cannot_be_imported_is_left_alone_too(drive: Drive) -> None:
    async def steps(bench: Bench) -> None:
        for number in range(CRASHES + 3):
            with pytest.raises(AppBroken):
                await bench.runtime(f"user {number}")
        assert bench.imports == CRASHES
        assert "imported" in bench.engine.trouble("v1")

    drive(steps, before="raise SystemExit('not today')\n")


@pytest.mark.parametrize("before", WAYS)
def test_an_orderly_end_runs_the_shutdown_hook(drive: Drive, before: str) -> None:
    async def steps(bench: Bench) -> None:
        runtime = await bench.runtime()
        await bench.engine.drain(["v1"])
        await bench.until(runtime.ended.is_set)
        assert "shut down" in bench.printed()
        assert await bench.says("'new'") == "new"

    drive(steps, before=before)


def test_turns_in_flight_end_where_they_began(drive: Drive) -> None:
    async def steps(bench: Bench) -> None:
        slow = asyncio.ensure_future(bench.turn("asyncio.sleep(0.5, state['imported'])"))
        before = await bench.runtime()
        await bench.until(lambda: before.is_busy)
        await bench.engine.drain(["v1"])
        assert await bench.says("'fresh'") == "fresh"
        after = await bench.runtime()
        assert after is not before
        assert (await slow).failure is None
        await bench.until(before.ended.is_set)
        assert not after.ended.is_set()

    drive(steps)


def test_when_the_zygote_dies_its_runtimes_go_on_and_the_next_user_gets_a_new_one(drive: Drive) -> None:
    async def steps(bench: Bench) -> None:
        ann = await bench.runtime("ann")
        zygote = bench.engine._zygotes["v1"]
        for child in _app_processes(zygote._process.pid):
            os.kill(child, signal.SIGKILL)
            break
        await bench.until(zygote.ended.is_set)
        assert await bench.says("'alive'", "ann") == "alive"
        assert await bench.runtime("ann") is ann
        assert await bench.says("'new'", "bob") == "new"
        assert bench.imports == 2

    drive(steps)


def _app_processes(launcher: int) -> list[int]:
    """The zygote below a launcher: the launcher itself without a sandbox, else the child of its child."""
    found = list(processes_of(launcher))
    return found[2:3] or found


def test_an_idle_runtime_ends_and_one_that_is_kept_warm_stays(drive: Drive) -> None:
    async def steps(bench: Bench) -> None:
        idle = await bench.runtime("idle")
        place = next(iter(bench.engine._runtimes))._replace(user_id="warm")
        warm = await bench.engine.runtime(place, AppUser("warm"), bench._launch, keep_warm_seconds=60)
        await bench.until(idle.ended.is_set, 5)
        assert not warm.ended.is_set()

    drive(steps, idle_timeout=0.2)


def test_a_crash_loop_is_left_alone_after_its_budget(drive: Drive) -> None:
    async def steps(bench: Bench) -> None:
        for _ in range(CRASHES):
            with pytest.raises(RuntimeLost):
                await bench.turn("os._exit(1)")
        with pytest.raises(AppBroken) as caught:
            await bench.runtime()
        assert caught.value.code == "app_unhealthy"
        assert "crashed" in bench.engine.trouble("v1")
        assert await bench.says("1", "somebody else") == 1
        await bench.engine.drain(["v1"])
        assert bench.engine.trouble("v1") == ""
        assert await bench.says("1") == 1

    drive(steps)


@pytest.mark.parametrize(
    "sent",
    [
        "[line.send(b'nonsense')]",
        "[line.send(b'-99')]",
        "[line.send(str(10**60).encode())]",
        "[socket.send_fds(line, [b'pid'], [0, 1, 2])]",
        "[socket.send_fds(line, [b'pid'], [os.pidfd_open(os.getpid())]) for _ in range(50)]",
        "[socket.send_fds(line, [b'pid'], [line.fileno()] * 4) for _ in range(50)]",
    ],
)
def test_whatever_an_app_says_on_its_life_line_its_turn_ends(drive: Drive, sent: str) -> None:
    """An app that keeps the line from the process that watches over it: only its import can, in the zygote."""
    keep = (
        "import os, socket\nfrom cpsl.runtime import private\nlines = []\nannounce = private._announce\n"
        "private._announce = lambda life: (lines.append(life.dup()), announce(life))\n"
    )

    async def steps(bench: Bench) -> None:
        assert await bench.says("len(lines)") == 1
        before = len(os.listdir("/proc/self/fd"))
        await bench.says(f"[{sent} for line in lines] and 1")
        await asyncio.sleep(0.1)
        assert len(os.listdir("/proc/self/fd")) <= before
        with pytest.raises(RuntimeLost):
            await asyncio.wait_for(bench.turn("os._exit(3)"), 10)
        assert await bench.says("1") == 1

    drive(steps, before=keep)


LEAVING = "import subprocess\nleft = [subprocess.Popen(['sleep', '1000']).pid]\n"


@pytest.mark.parametrize("end", ["stop", "os._exit(3)", "os.kill(os.getpid(), 9)"])
@pytest.mark.parametrize("before", WAYS)
def test_without_isolation_too_what_an_app_leaves_behind_ends_with_it(tmp_path: Path, before: str, end: str) -> None:
    async def go() -> None:
        async with bench(tmp_path, "none") as made:
            left = await made.says("left + [subprocess.Popen(['sleep', '1000']).pid]")
            if end != "stop":
                with pytest.raises(RuntimeLost):
                    await made.turn(end)
                assert are_gone(left[1:])
        assert are_gone(left)

    (tmp_path / "app.py").write_text(before + LEAVING + APP.replace("MEMORY", "512"))
    asyncio.run(go())


def test_two_users_never_get_the_same_temporary_name(drive: Drive) -> None:
    async def steps(bench: Bench) -> None:
        names = [await bench.says("tempfile.mktemp()", user) for user in ("ann", "bob", "eve")]
        assert len(set(names)) == 3

    drive(steps, before="import tempfile\ntempfile.mktemp()\n")


FORKING = """
import multiprocessing, os

def pool():
    with multiprocessing.get_context("fork").Pool(2) as made:
        return made.map(abs, [-1, -2])

def printing():
    print("parent", end="")
    child = os.fork()
    if child == 0:
        print("child says so", flush=True)
        os._exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def falling_out(how):
    return os.fork() > 0 or how()

def leave():
    sys.exit(5)

def fail():
    raise ValueError("of the child")
"""
HOWS = ("leave", "fail", "int")


@pytest.mark.parametrize("before", WAYS)
def test_a_process_that_the_app_forks_does_not_speak_for_it(drive: Drive, before: str) -> None:
    async def steps(bench: Bench) -> None:
        for call, value in (("pool()", [1, 2]), ("printing()", 3), *((f"falling_out({how})", True) for how in HOWS)):
            assert await bench.says(call) == value
            assert await bench.says(f"asyncio.to_thread(lambda: {call})") == value
            assert await bench.says("1") == 1
        await bench.until(lambda: bench.printed().count("child says so") == 2)
        assert await bench.says("state['turns']") == 3 * (2 + len(HOWS)) + 1

    drive(steps, before=before + FORKING)


@pytest.mark.parametrize("instead", ["None", "socket.send_fds(life, [b'pid'], [0])", "life.send(b'5')"])
def test_a_runtime_that_never_says_who_it_is_is_given_up(drive: Drive, instead: str) -> None:
    hide = (
        "import socket, time\nfrom cpsl.runtime import private\n"
        f"private._announce = lambda life: ({instead}, time.sleep(60))\n"
    )

    async def steps(bench: Bench) -> None:
        with pytest.raises(AppBroken) as caught:
            await asyncio.wait_for(bench.runtime(), 10)
        assert caught.value.code == "start_timeout"

    drive(steps, before=hide, start_timeout=1.5)


def test_a_boot_hook_that_ends_the_process_is_left_alone_too(drive: Drive) -> None:
    async def steps(bench: Bench) -> None:
        for _ in range(CRASHES):
            with pytest.raises(RuntimeLost):
                await bench.runtime()
        with pytest.raises(AppBroken) as caught:
            await bench.runtime()
        assert caught.value.code == "app_unhealthy"

    drive(steps, before="import os\ndef print(*given): os._exit(4)\n")


def test_memory_is_limited_without_control_groups_too(drive: Drive) -> None:
    async def steps(bench: Bench) -> None:
        with pytest.raises(OutOfMemory, match="64 MiB"):
            await bench.turn("[os.urandom(1024 * 1024) for _ in range(200)] and asyncio.sleep(5)")
        assert await bench.says("'again'") == "again"

    drive(steps, memory=64, cgroups=Cgroups(0, {}))


def test_many_who_ask_at_once_get_one_runtime_and_giving_up_stops_nobody(drive: Drive) -> None:
    async def steps(bench: Bench) -> None:
        asking = [asyncio.ensure_future(bench.runtime()) for _ in range(10)]
        await asyncio.sleep(0)
        asking[0].cancel()
        found = await asyncio.gather(*asking[1:])
        assert len({id(each) for each in found}) == 1

    drive(steps)


def test_an_app_that_does_not_come_up_in_time_is_stopped(drive: Drive) -> None:
    async def steps(bench: Bench) -> None:
        with pytest.raises(AppBroken) as caught:
            await bench.runtime()
        assert caught.value.code == "start_timeout"

    drive(steps, before="import time\ntime.sleep(60)\n", start_timeout=1.0)


LOGGING = """
import logging
logging.basicConfig(level=logging.DEBUG, format="%(name)s|%(message)s")
logging.addLevelName(25, "NOTICE")
"""


@pytest.mark.parametrize(
    ("call", "level", "message"),
    [
        ("logging.warning('root')", "warning", "root|root"),
        ("logging.getLogger('mine').debug('deep')", "debug", "mine|deep"),
        ("logging.getLogger('mine').log(25, 'own')", "info", "mine|own"),
        ("logging.getLogger('mine').critical('worst')", "critical", "mine|worst"),
        ("print('mine|said')", "info", "mine|said"),
        ("print('mine|said', file=sys.stderr)", "info", "mine|said"),
    ],
)
def test_what_an_app_logs_by_its_own_handlers_keeps_its_level(
    drive: Drive, call: str, level: str, message: str
) -> None:
    async def steps(bench: Bench) -> None:
        await bench.turn(call)
        (record,) = [record for _, record in bench.logs if record.message == message]
        assert record.level == level

    drive(steps, before=LOGGING)
