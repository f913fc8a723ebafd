"""A deploy: an archive comes in, and a version goes live, or nothing has changed."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from cpsl import bundle
from cpsl.engine.protocol import AppBroken
from cpsl.errors import CapsuleError, InvalidRequest, NotFound
from cpsl.gateway.accounts.service import Actor
from cpsl.gateway.apps.deployment_rows import NewDeployment
from cpsl.gateway.apps.deployments import Deployments
from cpsl.gateway.apps.development import check_channels
from cpsl.gateway.apps.importing import Importer
from cpsl.gateway.apps.inventory import Inventory, Refused
from cpsl.gateway.apps.restarts import Restarts
from cpsl.gateway.apps.retention import Retention
from cpsl.gateway.apps.service import Apps, VersionRef
from cpsl.gateway.secrets.service import Secrets
from cpsl.gateway.settings import Settings
from cpsl.wire.accounts import NO_ISOLATION
from cpsl.wire.apps import (
    AppSpec,
    DeployDone,
    DeployError,
    DeployEvent,
    DeployLog,
    DeployStatus,
    Development,
    ImageSpec,
    MountSpec,
)
from cpsl.wire.frames import Start
from cpsl.wire.names import check_app_name, check_secret_name

log = logging.getLogger("cpsl.gateway.deploys")
_SLOW_SECONDS = 1.0  # what takes longer is not left without a word
Report = Callable[[DeployEvent], None]
Needs = tuple[ImageSpec, list[MountSpec], list[str]]
"""What has to be there before an app can be imported."""


class Wanted(NamedTuple):
    """What is to become of an archive: ``secrets`` are those that must be there when ``entry`` is imported.

    ``app`` is what the client believes the app's name to be, or empty.
    """

    entry: str
    app: str
    secrets: list[str]
    development: Development | None = None

    def spec_of(self, declared: AppSpec) -> AppSpec:
        """The app as it goes live, of what it declares."""
        return declared if self.development is None else self.development.spec_of(declared)

    @property
    def name(self) -> str:
        """What the app is to be called as far as is known, or empty."""
        if not self.app:
            return ""
        try:
            return self.spec_of(AppSpec(check_app_name(self.app))).name
        except InvalidRequest:
            return ""


class Sent(NamedTuple):
    """What came: the ``archive``, which is taken over, the ``fingerprint`` of all of it, the caller's ``key``."""

    archive: Path
    fingerprint: bytes
    key: str | None = None


class Deploys:
    """Makes versions out of archives."""

    def __init__(
        self,
        deployments: Deployments,
        apps: Apps,
        secrets: Secrets,
        inventory: Inventory,
        importer: Importer,
        restarts: Restarts,
        retention: Retention,
        settings: Settings,
    ) -> None:
        self._deployments = deployments
        self._apps = apps
        self._secrets = secrets
        self._inventory = inventory
        self._importer = importer
        self._restarts = restarts
        self._retention = retention
        self._settings = settings
        self._running: set[asyncio.Task[None]] = set()

    async def deploy(self, actor: Actor, sent: Sent, wanted: Wanted) -> str:
        """Begin to deploy an archive, or find what was begun with the same key; the deployment's id.

        It goes on when nobody looks. Raises InvalidRequest (``idempotency_key_reused``) for a key of another deploy.
        """
        new = NewDeployment(actor.workspace_id, actor.account_id, wanted.name, wanted.entry, sent.key, sent.fingerprint)
        id, is_new = await self._deployments.begin(new)
        if is_new:
            taken = sent.archive.with_name(f"{id}.tar.gz")
            os.replace(sent.archive, taken)
            task = asyncio.create_task(self._deploy(actor, taken, wanted, id))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return id

    async def close(self, timeout: float) -> None:
        """Wait for deploys under way, for at most ``timeout`` seconds; what is not done then is left to the next."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout)
        for task in self._running:
            task.cancel()

    async def _deploy(self, actor: Actor, archive: Path, wanted: Wanted, version_id: str) -> None:
        last: DeployDone | DeployError
        report = partial(self._deployments.report, version_id)
        try:
            ref = await self._make(actor, archive, wanted, version_id, report)
            last = DeployDone(ref.app, ref.number, self._apps.url(ref.app), ref.version_id)
        except Exception as error:
            await self._importer.forget(version_id)
            await asyncio.to_thread(shutil.rmtree, self._apps.folder(version_id), ignore_errors=True)
            last = _failure(error)
        finally:
            archive.unlink(missing_ok=True)
        await self._deployments.end(version_id, last)  # once this is read nothing of the deploy is left lying about

    async def _make(self, actor: Actor, archive: Path, wanted: Wanted, version_id: str, report: Report) -> VersionRef:
        folder = self._apps.folder(version_id)
        report(DeployStatus("Unpacking", version_id))
        if self._settings.isolation == "none":
            report(DeployStatus(f"Warning: {NO_ISOLATION}"))
        await asyncio.to_thread(_unpack, archive, folder, self._settings.max_bundle_bytes)
        named = [check_secret_name(name) for name in wanted.secrets]
        start = Start(
            app="",
            version=0,
            code_dir=str(folder),
            entry=wanted.entry,
            environment=await self._secrets.open(actor.workspace_id, named),
            isolation=self._settings.isolation,
        )
        ref = await self._bring_up(actor, version_id, wanted, start, report)
        self._retention.tidy()
        return ref

    async def _bring_up(
        self, actor: Actor, version_id: str, wanted: Wanted, start: Start, report: Report
    ) -> VersionRef:
        """Import the version, first with what the live one asks for: mostly that is the same, and saves a look."""
        before = await self._live_spec(actor, wanted)
        if before is not None:
            with suppress(Refused):
                try:
                    return await self._import(actor, version_id, wanted, before, report)
                except AppBroken:
                    if await self._asks_for(version_id, actor, start) in (None, _needs(before)):
                        raise
        spec = wanted.spec_of(await self._look(actor, version_id, start, report))
        return await self._import(actor, version_id, wanted, spec, report)

    async def _live_spec(self, actor: Actor, wanted: Wanted) -> AppSpec | None:
        if not (name := wanted.name):
            return None
        try:
            return (await self._apps.live(actor.workspace_id, name)).spec
        except NotFound:
            return None

    async def _look(self, actor: Actor, version_id: str, start: Start, report: Report) -> AppSpec:
        """What the app declares. What it prints now it will print again when it is imported in earnest."""
        printed: list[str] = []
        told = DeployStatus(f"Importing {start.entry} to see what it asks for")
        slow = asyncio.get_running_loop().call_later(_SLOW_SECONDS, report, told)
        try:
            return await self._importer.look(actor.workspace_id, version_id, start, printed.append)
        except AppBroken:
            for line in printed:
                report(DeployLog(line))
            raise
        finally:
            slow.cancel()

    async def _asks_for(self, version_id: str, actor: Actor, start: Start) -> Needs | None:
        """What the app asks for, without a word; None if even a look at it fails."""
        try:
            return _needs(await self._importer.look(actor.workspace_id, version_id, start, lambda _: None))
        except AppBroken:
            return None

    async def _import(
        self, actor: Actor, version_id: str, wanted: Wanted, declared: AppSpec, report: Report
    ) -> VersionRef:
        """Import the version with all that it asks for, and make it live once it has answered.

        What an app declares may depend on what it finds, so the look before may have been wrong: then once more.
        """
        entry, is_dev = wanted.entry, wanted.development is not None
        while True:
            if wanted.development is not None:
                await check_channels(self._apps, actor.workspace_id, declared, wanted.development)
            await self._inventory.require(actor.workspace_id, declared)
            candidate = VersionRef("", declared.name, actor.workspace_id, 0, version_id, entry, declared, time.time())
            spec = wanted.spec_of(await self._make_ready(candidate, report))
            if _needs(spec) == _needs(declared):
                ref = await self._apps.activate(actor.workspace_id, version_id, entry, spec, is_dev=is_dev)
                await self._restarts.if_changed(ref, candidate.deployed_at)
                return ref
            declared = spec

    async def _make_ready(self, candidate: VersionRef, report: Report) -> AppSpec:
        def on_line(line: str) -> None:
            report(DeployLog(line))

        if not self._importer.has_image(candidate.spec):
            report(DeployStatus("Building the image"))
        start = await self._apps.start_frame(candidate, on_line)
        report(DeployStatus(f"Importing {candidate.entry}"))
        return await self._importer.make_ready(candidate, start, on_line)


def _needs(spec: AppSpec) -> Needs:
    return spec.image, spec.mounts, spec.secrets


def _failure(error: Exception) -> DeployError:
    if isinstance(error, Refused):
        return DeployError(error.code, error.message, error.hint, missing=error.missing, status=error.status)
    if isinstance(error, CapsuleError):
        traceback = error.traceback if isinstance(error, AppBroken) else ""
        return DeployError(error.code, error.message, error.hint, traceback, status=error.status)
    log.error("a deploy failed", exc_info=error)
    return DeployError("internal_error", "the gateway failed to deploy this", "See: capsule gateway logs")


def _unpack(archive: Path, folder: Path, limit: int) -> None:
    folder.parent.mkdir(exist_ok=True)
    bundle.unpack(archive, folder, bundle.Limits(total_bytes=limit))
