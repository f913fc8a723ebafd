from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cpsl.engine.local.images import Images, is_empty
from cpsl.errors import DeployFailed, InvalidRequest
from cpsl.wire.apps import ImageSpec

ENDLESS = f"sleep {1_000_000 + os.getpid()}"
SLOW = ImageSpec(commands=["echo one; sleep 0.3; echo two; sleep 0.3; date +%s%N"])


def test_an_app_that_asks_for_nothing_has_no_image(folder: Path) -> None:
    images = Images(folder)
    assert is_empty(ImageSpec())
    assert asyncio.run(images.build(ImageSpec(), print)) is None
    assert images.path(ImageSpec()) is None
    assert images.log(ImageSpec()) == ""
    assert asyncio.run(images.collect([ImageSpec()])) == []
    assert not folder.exists()


def test_two_who_ask_at_once_get_one_build_and_all_of_its_output(images: Images) -> None:
    async def go() -> None:
        first: list[str] = []
        second: list[str] = []
        one = asyncio.create_task(images.build(SLOW, first.append))
        while "one" not in first:
            await asyncio.sleep(0.01)
        assert images.log(SLOW).endswith("one\n")
        assert "two" not in first
        two = asyncio.create_task(images.build(SLOW, second.append))
        assert await one == await two == images.path(SLOW)
        assert first == second
        assert images.log(SLOW) == "".join(f"{line}\n" for line in first)
        assert await images.build(SLOW, second.append) == images.path(SLOW)
        assert first == second  # it was there: nothing was built, nothing printed

    asyncio.run(go())


def test_one_who_gives_up_stops_nobody_and_the_last_one_does(images: Images, folder: Path) -> None:
    async def go() -> None:
        lines: list[str] = []
        one = asyncio.create_task(images.build(SLOW, lines.append))
        two = asyncio.create_task(images.build(SLOW, print))
        while "one" not in lines:
            await asyncio.sleep(0.01)
        one.cancel()
        assert await two is not None
        assert "two" not in lines  # whoever has left is told nothing more

        spec = ImageSpec(commands=[ENDLESS])
        last = asyncio.create_task(images.build(spec, lines.append))
        while f"--- Command 1 of 1: {ENDLESS}" not in lines:
            await asyncio.sleep(0.01)
        last.cancel()
        again = asyncio.create_task(images.build(spec, print))  # begun anew, and not told of the end of the other
        await asyncio.sleep(0.05)
        assert not again.done()
        again.cancel()
        with pytest.raises(asyncio.CancelledError):
            await last
        await images.close()
        assert images.path(spec) is None
        assert not running(ENDLESS)
        assert [path.name for path in folder.iterdir() if "building" in path.name] == []

    asyncio.run(go())


def test_a_closed_gateway_builds_no_more(images: Images) -> None:
    async def go() -> None:
        lines: list[str] = []
        build = asyncio.create_task(images.build(ImageSpec(commands=[ENDLESS]), lines.append))
        while not lines:
            await asyncio.sleep(0.01)
        await images.close()
        with pytest.raises(asyncio.CancelledError):
            await build
        assert not running(ENDLESS)

    asyncio.run(go())


@pytest.mark.parametrize("pause", [0.0, 0.005, 0.03])
def test_one_that_is_stopped_twice_leaves_no_process_and_no_pipe_behind(images: Images, pause: float) -> None:
    async def go() -> None:
        lines: list[str] = []
        build = asyncio.create_task(images.build(ImageSpec(commands=[ENDLESS]), lines.append))
        while not lines:
            await asyncio.sleep(0.01)
        build.cancel()
        await asyncio.sleep(pause)
        await images.close()
        assert not running(ENDLESS)

    asyncio.run(go())
    gc.collect()  # what was left open is told of here, and fails the test


def running(command: str) -> bool:
    return subprocess.run(["pgrep", "-fx", command], capture_output=True).returncode == 0


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


GATEWAY = """
import asyncio, sys
from pathlib import Path
from cpsl.engine.local.images import Images
from cpsl.wire.apps import ImageSpec
asyncio.run(Images(Path(sys.argv[1])).build(ImageSpec(commands=[sys.argv[2]]), print))
"""


def test_a_gateway_killed_in_the_middle_of_a_build(images: Images, folder: Path, tmp_path: Path) -> None:
    command = f"{ENDLESS} < /dev/null; test -e '{tmp_path}' || echo whole > /opt/whole"
    gateway = subprocess.Popen([sys.executable, "-c", GATEWAY, folder, command], start_new_session=True)
    wait_for(lambda: running(ENDLESS))
    gateway.kill()
    gateway.wait()
    wait_for(lambda: not running(ENDLESS))
    spec = ImageSpec(commands=[command])
    assert images.path(spec) is None
    (left,) = folder.iterdir()
    assert left.name.startswith(".building-")

    async def again() -> None:
        build = asyncio.create_task(images.build(spec, print))
        while not running(ENDLESS):
            await asyncio.sleep(0.02)
        assert await images.collect([]) == [left.name]  # and not the one that is being built
        os.kill(int(subprocess.check_output(["pgrep", "-fx", ENDLESS])), signal.SIGKILL)
        with pytest.raises(DeployFailed):
            await build

    asyncio.run(again())
    assert images.path(spec) is None
    assert "could not be built" in images.log(spec)


def test_what_nobody_uses_goes(images: Images, folder: Path) -> None:
    used, unused, broken = (ImageSpec(commands=[command]) for command in ("true", "mkdir -m 0 /opt/a", "false"))

    async def go() -> None:
        await images.build(used, print)
        await images.build(unused, print)
        with pytest.raises(DeployFailed):
            await images.build(broken, print)
        assert await images.collect([]) == []  # all of them young: a deploy may be about to use one
        for path in folder.iterdir():
            os.utime(path, (0, 0))
        await images.build(used, print)  # asked for, and young again
        old = images.path(unused)
        assert old is not None
        assert images.log(broken).endswith("(ended with exit status 1)\n")
        (log,) = folder.glob("*.failed.log")
        assert await images.collect([]) == sorted([old.name, log.name])
        for path in folder.iterdir():
            os.utime(path, (0, 0))
        assert await images.collect([used]) == []
        assert images.path(unused) is None
        assert images.path(used) is not None
        assert images.log(broken) == ""

    asyncio.run(go())


def test_a_folder_that_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DeployFailed, match="Not a directory") as caught:
        asyncio.run(Images(tmp_path / "file" / "images").build(SLOW, print))
    assert caught.value.code == "image_build_failed"


@pytest.mark.parametrize(
    "name",
    ["-o", "--help", "hello;reboot", "Hello", "hello world", "hello=", "../hello", "a", "hello\n", "hello/bookworm"],
)
def test_names_that_are_no_debian_packages(images: Images, name: str) -> None:
    with pytest.raises(InvalidRequest, match="Debian package"):
        asyncio.run(images.build(ImageSpec(apt_packages=[name]), print))
    assert asyncio.run(images.collect([ImageSpec(apt_packages=[name])])) == []
