"""A deploy: an archive comes in, and a version goes live, or nothing has changed."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from cpsl import bundle
from cpsl.engine.protocol import Answer, AppBroken, Engine, OnLog
from cpsl.errors import CapsuleError, GatewayError, InvalidRequest
from cpsl.gateway.accounts.service import Actor
from cpsl.gateway.apps.service import Apps, VersionRef
from cpsl.gateway.channels.service import Channels
from cpsl.gateway.files.service import FileSystems
from cpsl.gateway.secrets.service import Secrets
from cpsl.gateway.settings import Settings
from cpsl.wire.apps import (
    AppSpec,
    DeployCheck,
    DeployDone,
    DeployError,
    DeployEvent,
    DeployLog,
    DeployStatus,
    Missing,
)
from cpsl.wire.frames import GetSecret, LogRecord, Question, Start
from cpsl.wire.ids import new_id
from cpsl.wire.names import check_secret_name
from cpsl.wire.resources import CHANNEL_CREDENTIALS

log = logging.getLogger("cpsl.gateway.deploys")
Report = Callable[[DeployEvent], None]


class Refused(InvalidRequest):
    """The app names resources that do not exist."""

    default_code = "missing_resources"

    def __init__(self, missing: list[Missing]) -> None:
        names = ", ".join(f"{item.kind} {item.name}" for item in missing)
        super().__init__(f"the app needs what this workspace has not: {names}", hint=missing[0].command)
        self.missing = missing


class Deploys:
    """Makes versions out of archives."""

    def __init__(
        self,
        apps: Apps,
        engine: Engine,
        secrets: Secrets,
        filesystems: FileSystems,
        channels: Channels,
        settings: Settings,
    ) -> None:
        self._apps = apps
        self._engine = engine
        self._secrets = secrets
        self._filesystems = filesystems
        self._channels = channels
        self._settings = settings
        self._running: set[asyncio.Task[None]] = set()

    async def check(self, workspace_id: str, spec: AppSpec) -> DeployCheck:
        """What the app names and the workspace has not, each with the command that creates it."""
        secrets = {secret.name for secret in await self._secrets.all(workspace_id)}
        filesystems = {filesystem.name for filesystem in await self._filesystems.all(workspace_id)}
        channels = {channel.name for channel in await self._channels.all(workspace_id)}
        return DeployCheck(
            [
                *(_secret(name) for name in _needed_secrets(spec) if name not in secrets),
                *(_filesystem(mount.name) for mount in spec.mounts if mount.name not in filesystems),
                *(_channel(each.name) for each in spec.channels if each.name and each.name not in channels),
            ]
        )

    def deploy(self, actor: Actor, archive: Path, entry: str, secrets: list[str]) -> AsyncIterator[DeployEvent]:
        """Deploy an archive, which is taken over; yields what happens, last a ``done`` or an ``error``.

        The deploy goes on when nobody looks any more.
        """
        version_id = new_id("ver")
        taken = archive.with_name(f"{version_id}.tar.gz")
        os.replace(archive, taken)
        events: asyncio.Queue[DeployEvent | None] = asyncio.Queue()
        task = asyncio.create_task(self._deploy(actor, taken, entry, secrets, version_id, events.put_nowait))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: events.put_nowait(None))
        return _until_none(events)

    async def close(self, timeout: float) -> None:
        """Wait for deploys under way, for at most ``timeout`` seconds."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout)

    async def _deploy(
        self, actor: Actor, archive: Path, entry: str, secrets: list[str], version_id: str, report: Report
    ) -> None:
        last: DeployEvent
        try:
            ref = await self._make(actor, archive, entry, secrets, version_id, report)
            last = DeployDone(ref.app, ref.number, self._apps.url(ref.app))
        except Exception as error:
            await self._engine.drain([version_id])
            await asyncio.to_thread(shutil.rmtree, self._apps.folder(version_id), ignore_errors=True)
            last = _failure(error)
        finally:
            archive.unlink(missing_ok=True)
        report(last)  # once this is read nothing of the deploy is left lying about

    async def _make(
        self, actor: Actor, archive: Path, entry: str, secrets: list[str], version_id: str, report: Report
    ) -> VersionRef:
        folder = self._apps.folder(version_id)
        report(DeployStatus("Unpacking"))
        await asyncio.to_thread(_unpack, archive, folder, self._settings.max_bundle_bytes)
        named = [check_secret_name(name) for name in secrets]
        start = Start(
            app="",
            version=0,
            code_dir=str(folder),
            entry=entry,
            environment=await self._secrets.open(actor.workspace_id, named),
            isolation=self._settings.isolation,
        )
        return await self._import(actor, version_id, entry, await self._look(actor, start, report), report)

    async def _look(self, actor: Actor, start: Start, report: Report) -> AppSpec:
        """What the app declares. What it prints now it will print again when it is imported in earnest."""
        printed: list[LogRecord] = []
        try:
            return await self._engine.inspect(start, self._answers(actor), printed.extend)
        except AppBroken:
            _reporting(report)(printed)
            raise

    async def _import(self, actor: Actor, version_id: str, entry: str, wanted: AppSpec, report: Report) -> VersionRef:
        """Import the version with all that it asks for, and make it live once it has answered.

        What an app declares may depend on what it finds, so the look before may have been wrong: then once more.
        """
        while True:
            missing = (await self.check(actor.workspace_id, wanted)).missing
            if missing:
                raise Refused(missing)
            report(DeployStatus(f"Importing {entry}"))
            candidate = VersionRef("", wanted.name, actor.workspace_id, 0, version_id, entry, wanted)
            start = await self._apps.start_frame(candidate)
            spec = await self._engine.prepare(version_id, start, self._answers(actor), _reporting(report))
            if (spec.image, spec.mounts, spec.secrets) == (wanted.image, wanted.mounts, wanted.secrets):
                return await self._apps.activate(actor.workspace_id, version_id, entry, spec)
            wanted = spec

    def _answers(self, actor: Actor) -> Answer:
        async def answer(question: Question) -> str:
            return await self._answer_import(actor, question)

        return answer

    async def _answer_import(self, actor: Actor, question: Question) -> str:
        """While it is imported an app may read secrets, which whoever deploys could read by deploying; no more."""
        if not isinstance(question, GetSecret):
            raise GatewayError(
                "the app asked the gateway for something while it was imported",
                code="not_running_yet",
                hint="Do this in @app.boot() or in a handler.",
            )
        values = await self._secrets.open(actor.workspace_id, [question.name])
        if question.name not in values:
            raise Refused([_secret(question.name)])
        return values[question.name]


def _reporting(report: Report) -> OnLog:
    def on_log(records: list[LogRecord]) -> None:
        for record in records:
            report(DeployLog(record.message))

    return on_log


async def _until_none(events: asyncio.Queue[DeployEvent | None]) -> AsyncIterator[DeployEvent]:
    while (event := await events.get()) is not None:
        yield event


def _failure(error: Exception) -> DeployError:
    if isinstance(error, Refused):
        return DeployError(error.code, error.message, error.hint, missing=error.missing)
    if isinstance(error, CapsuleError):
        traceback = error.traceback if isinstance(error, AppBroken) else ""
        return DeployError(error.code, error.message, error.hint, traceback)
    log.error("a deploy failed", exc_info=error)
    return DeployError("internal_error", "the gateway failed to deploy this", "See: capsule gateway logs")


def _unpack(archive: Path, folder: Path, limit: int) -> None:
    folder.parent.mkdir(exist_ok=True)
    bundle.unpack(archive, folder, bundle.Limits(total_bytes=limit))


def _needed_secrets(spec: AppSpec) -> list[str]:
    by_integrations = [name for each in spec.integrations for name in (each.client_id, each.client_secret) if name]
    by_channels = [name for each in spec.channels for name in each.config.values()]
    return list(dict.fromkeys([*spec.secrets, *spec.references, *by_integrations, *by_channels]))


def _secret(name: str) -> Missing:
    return Missing("secret", name, f"capsule secret create {name}=…")


def _filesystem(name: str) -> Missing:
    return Missing("filesystem", name, f"capsule fs create {name}")


def _channel(name: str) -> Missing:
    example = " ".join(f"-c {credential}=…" for credential in CHANNEL_CREDENTIALS["telegram"])
    return Missing("channel", name, f"capsule channel create {name} --type telegram {example}")
