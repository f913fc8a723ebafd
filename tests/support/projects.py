"""Small projects, and what becomes of deploying them."""

from __future__ import annotations

import gzip
import os
import tarfile

import cpsl
from cpsl.wire.apps import DeployDone, DeployError, DeployEvent
from tests.support.gateway import GatewayProcess

Files = dict[str, str]
ANSWERS = """\
import cpsl
app = cpsl.App(name="NAME")

@app.message()
async def handle(session, msg):
    await session.reply("ANSWER")
"""


def answering(name: str, answer: str = "first", before: str = "") -> Files:
    """A project whose app always says the same; ``before`` runs when it is imported."""
    return {"app.py": before + ANSWERS.replace("NAME", name).replace("ANSWER", answer)}


def packed(*entries: tuple[str, bytes, bytes]) -> bytes:
    """An archive of (name, content, type) as an attacker would make it."""
    plain = []
    for name, content, kind in entries:
        info = tarfile.TarInfo(name)
        info.size, info.type, info.linkname = len(content), kind, "/etc/passwd" if kind in b"12" else ""
        plain += [info.tobuf(tarfile.GNU_FORMAT, errors="surrogateescape"), content, bytes(-len(content) % 512)]
    return gzip.compress(b"".join(plain) + bytes(1024))


def archive(files: Files) -> bytes:
    """A project as it is sent."""
    return packed(*((name, text.encode(), tarfile.REGTYPE) for name, text in files.items()))


def deploy(gateway: GatewayProcess, project: Files | bytes, entry: str = "app.py:app") -> list[DeployEvent]:
    """All that a deploy says."""
    events: list[DeployEvent] = []
    content = project if isinstance(project, bytes) else archive(project)
    with gateway.client() as client:
        try:
            events.extend(client.deploys.create(content, entry))
        except cpsl.DeployFailed as error:
            return [*events, DeployError(error.code, error.message, error.hint, error.traceback)]
    return events


def failed(gateway: GatewayProcess, project: Files | bytes, entry: str = "app.py:app") -> DeployError:
    """How a deploy failed, after a look that nothing of it is left."""
    before = debris(gateway)
    last = deploy(gateway, project, entry)[-1]
    assert isinstance(last, DeployError)
    assert debris(gateway) == before
    return last


def succeeded(gateway: GatewayProcess, project: Files) -> DeployDone:
    """How a deploy ended well."""
    last = deploy(gateway, project)[-1]
    assert isinstance(last, DeployDone), last
    return last


def debris(gateway: GatewayProcess) -> tuple[set[str], set[str]]:
    """What the disk has of versions and of uploads."""
    return set(os.listdir(gateway.data_dir / "versions")), set(os.listdir(gateway.data_dir / "tmp"))


def ask(gateway: GatewayProcess, app: str, text: str = "hi") -> str:
    """What an app answers."""
    with gateway.client() as client:
        return client.chat(app, text).text
