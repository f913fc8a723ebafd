"""An app that runs in its image."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cpsl.wire import frames
from tests.images.conftest import Build
from tests.runtime.host import running

APP = """
import subprocess
import cpsl
import tiny

app = cpsl.App(name="demo")


@app.message()
async def handle(session, msg):
    done = subprocess.run(["/bin/sh", "-c", msg.text], capture_output=True, text=True)
    return f"{tiny.VERSION} {done.stdout}{done.stderr}"
"""


def test_an_app_finds_its_image(build: Build, wheels: Path, tmp_path: Path) -> None:
    commands = [
        "printf '#!/bin/sh\\necho made\\n' > /usr/local/bin/made-here; chmod 700 /usr/local/bin/made-here",
        "mkdir -p /opt/data /opt/more; echo theirs > /opt/data/file; echo more > /opt/more/file",
        "mkdir /etc/made; echo conf > /etc/made/conf; echo 1 > /etc/ssl/certs/made.pem",
    ]
    image = build(python_packages=["--no-index", "tiny"], commands=commands)
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (mounted / "file").write_text("mine\n")
    code = tmp_path / "code"
    code.mkdir()
    (code / "app.py").write_text(APP)

    async def go() -> None:
        mounts = [frames.Mount(str(mounted), "/opt/data")]
        async with running(code, isolation="namespaces", image=str(image), mounts=mounts) as host:
            assert isinstance(host.first.result(), frames.Booted)
            assert (await host.turn("made-here; tiny")).text == "2.0 made\ntiny 2.0\n"
            files = "/opt/more/file /etc/made/conf /etc/ssl/certs/made.pem /opt/data/file"
            assert (await host.turn(f"cat {files}")).text == "2.0 more\nconf\n1\nmine\n"
            assert (await host.turn("echo new > /opt/data/file; cat /opt/data/file")).text == "2.0 new\n"
            for path in ("/usr/local/bin/x", "/opt/more/x", "/opt/x", "/etc/made/x", "/opt/capsule/venv/x"):
                assert "Read-only file system" in (await host.turn(f"touch {path}")).text, path

    asyncio.run(go())
    assert (mounted / "file").read_text() == "new\n"
