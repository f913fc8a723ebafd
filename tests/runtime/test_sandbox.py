from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cpsl.wire import frames
from cpsl.wire.events import Block
from tests.runtime.host import Host, running

Code = Callable[[str], Path]
Demo = Callable[..., None]


def test_the_app_sees_its_mount_and_the_machine_does_not(demo: Demo, tmp_path: Path, namespaces: str) -> None:
    source = tmp_path / "reports"
    source.mkdir()

    async def steps(host: Host) -> None:
        assert (await host.turn("write /data/x.txt")).text == "written"
        assert (source / "x.txt").read_text() == "x"
        assert not Path("/data/x.txt").exists()

    demo(steps, isolation=namespaces, mounts=[frames.Mount(str(source), "/data")])


def test_nothing_else_can_be_seen_or_written(demo: Demo, tmp_path: Path, namespaces: str) -> None:
    readable = tmp_path / "ro"
    readable.mkdir()

    async def steps(host: Host) -> None:
        assert (await host.turn("ls /app")).text == "app.py"
        assert (await host.turn("ls /tmp")).text == ""
        assert (await host.turn("write /tmp/x")).text == "written"
        assert (await host.turn("write /home/app/x")).text == "written"
        for path in ("/x", "/app/x", "/usr/x", "/etc/x", "/ro/x", "/dev/x", "/proc/sys/kernel/hostname"):
            failure = (await host.turn(f"write {path}")).failure
            assert failure is not None
            assert "Error" in failure.message
        for path in (str(tmp_path), "/var/log", "/boot", "/old", "/new", f"/proc/{os.getpid()}/root"):
            assert (await host.turn(f"ls {path}")).failure is not None
        assert (await host.turn("ls /etc")).text.split().count("shadow") == 0

    demo(steps, isolation=namespaces, mounts=[frames.Mount(str(readable), "/ro", read_only=True)])


def test_a_missing_mount_is_a_broken_app(code: Code, namespaces: str) -> None:
    async def go() -> Any:
        mounts = [frames.Mount("/nowhere/at/all", "/data")]
        async with running(code("demo"), isolation=namespaces, mounts=mounts) as host:
            return host.first.result()

    broken = asyncio.run(go())
    assert (type(broken), broken.code) == (frames.Broken, "mount_missing")


# --- the full example of the tutorial ---------------------------------------------------------------------------------

FORM = {"access_key_id": "AKIA1", "secret_access_key": "s3cret", "region": "eu-west-1"}
FILES = {"fil_1": b"a,b\n1,2\n" * 300_000}


def answers(question: Any) -> Any:
    match question:
        case frames.OpenPrompt(kind="form", integration="aws"):
            return {"outcome": "answered", "credentials": {"fields": FORM}}
        case frames.OpenPrompt(kind="file", path="/data/uploads", accept=".csv,text/csv"):
            size = len(FILES["fil_1"])
            file = {"file_id": "fil_1", "name": "../../data.csv", "content_type": "text/csv", "size": size}
            return {"outcome": "answered", "file": file}
        case frames.ReadFile():
            return FILES[question.file_id][question.offset : question.offset + question.length]
    return frames.CallError("unexpected", repr(question))


def test_the_tutorials_full_example(code: Code, tmp_path: Path, namespaces: str) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    mounts = [frames.Mount(str(reports), "/data")]

    async def go() -> None:
        async with running(
            code("integrations_demo"),
            answers=answers,
            isolation=namespaces,
            mounts=mounts,
            environment={"OPENAI_API_KEY": "sk-1"},
        ) as host:
            assert isinstance(host.first.result(), frames.Booted)
            await talk(host, reports)

    asyncio.run(go())


async def talk(host: Host, reports: Path) -> None:
    assert (await host.turn("connect aws")).text == "Connected aws for region eu-west-1"
    hint = await host.turn("hint github")
    assert hint.text == "Rendered a non-blocking integration card."
    card = hint.events[0]
    assert isinstance(card, Block)
    assert card.payload["link"] == "http://gw/a/demo/connect/github"
    for name in ("data.csv", "data (1).csv"):
        upload = await host.turn("upload csv")
        assert upload.text == f"Uploaded data.csv to /data/uploads/{name}"
        stored = (reports / "uploads" / name).read_bytes()
        assert hashlib.sha256(stored).digest() == hashlib.sha256(FILES["fil_1"]).digest()
    assert (await host.turn("write report")).text == "Wrote /data/reports/summary.txt"
    assert (reports / "reports" / "summary.txt").read_text() == "Secret loaded: True\n"
    assert (await host.turn("what?")).text.startswith("Try: connect github, connect aws")
