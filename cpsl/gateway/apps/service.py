"""Which apps there are, which version of each is live, and how one is started."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Row

from cpsl.engine.protocol import Engine, OnLine, Place
from cpsl.errors import Conflict, NotFound
from cpsl.gateway.apps import store
from cpsl.gateway.db.database import Database
from cpsl.gateway.files.service import FileSystems, UserFiles
from cpsl.gateway.secrets.redaction import Redactions
from cpsl.gateway.secrets.service import Secrets
from cpsl.gateway.settings import Settings
from cpsl.wire.apps import App, AppSpec, Version
from cpsl.wire.frames import AppUser, Mount, Start


class VersionRef(msgspec.Struct, frozen=True):
    """A version of an app, with all that starting it needs to know. ``deployed_at`` in seconds since the epoch."""

    app_id: str
    app: str
    workspace_id: str
    number: int
    version_id: str
    entry: str
    spec: AppSpec
    deployed_at: float

    def place(self, user: AppUser | None = None) -> Place:
        """Where it runs for a user; without one, the version itself."""
        return Place(self.app_id, self.number, self.version_id, user.id if user else "")


class Apps:
    """The apps of every workspace. Versions are immutable, so what was read of them once is kept."""

    def __init__(
        self,
        db: Database,
        engine: Engine,
        secrets: Secrets,
        filesystems: FileSystems,
        user_files: UserFiles,
        redactions: Redactions,
        settings: Settings,
    ) -> None:
        self._db = db
        self._engine = engine
        self._secrets = secrets
        self._filesystems = filesystems
        self._user_files = user_files
        self._redactions = redactions
        self._settings = settings
        self._live: dict[tuple[str, str], VersionRef] = {}
        self._changes = 0

    async def all(self, workspace_id: str) -> list[App]:
        rows = await self._db.read(lambda connection: store.apps_of(connection, workspace_id))
        return [self._shown(row) for row in rows]

    async def get(self, workspace_id: str, name: str) -> App:
        """Raises NotFound."""
        return self._shown(await self._row(workspace_id, name))

    async def live(self, workspace_id: str, name: str) -> VersionRef:
        """The live version of an app, by the app's name or id. Raises NotFound."""
        known = self._live.get((workspace_id, name))
        if known is None:
            changes = self._changes
            known = _ref(await self._row(workspace_id, name))
            if changes == self._changes:  # what was read before a deploy must not be remembered after it
                self._live[workspace_id, name] = known
        return known

    async def version(self, app_id: str, number: int) -> VersionRef:
        """A certain version of an app. Raises NotFound."""
        row = await self._db.read(lambda connection: store.version(connection, app_id, number))
        if row is None:
            raise NotFound(f"version {number} of this app is gone")
        spec = msgspec.convert(row.spec, AppSpec)
        return VersionRef(app_id, row.name, row.workspace_id, number, row.id, row.entry, spec, row.created_at)

    async def live_public(self, name: str) -> VersionRef:
        """The live version of the app that a URL names. Raises NotFound."""
        known = self._live.get(("", name))
        if known is None:
            changes = self._changes
            app = await self.public(name)
            known = await self.version(app.id, app.live_version)
            if changes == self._changes:
                self._live["", name] = known
        return known

    async def public(self, name: str) -> App:
        """The app that a URL names. Raises NotFound."""
        row = await self._db.read(lambda connection: store.public_app(connection, name))
        if row is None:
            raise NotFound(f"there is no app {name!r} on this gateway")
        return self._shown(row)

    async def versions(self, workspace_id: str, name: str) -> list[Version]:
        app = await self.get(workspace_id, name)
        rows = await self._db.read(lambda connection: store.versions_of(connection, app.id))
        return [_version(row, app.name) for row in rows]

    async def live_before(self, app_id: str) -> int | None:
        """The number of the version that was live before the one that is, if it is still there."""
        return await self._db.read(lambda connection: store.live_before(connection, app_id))

    async def activate(
        self, workspace_id: str, version_id: str, entry: str, spec: AppSpec, *, is_dev: bool = False
    ) -> VersionRef:
        """Make a new version the live one, at once, and let the one before finish what it has begun."""
        made = await self._db.write(
            lambda connection: store.activate(connection, workspace_id, version_id, entry, spec, is_dev=is_dev)
        )
        self._forget_live()
        await self._engine.drain(made.previous)
        return VersionRef(made.app_id, spec.name, workspace_id, made.number, version_id, entry, spec, made.created_at)

    async def make_live(self, version: VersionRef, previous: int) -> None:
        """Make a version that there is the live one instead of ``previous``, which finishes what it has begun.

        Raises Conflict when another version than ``previous`` went live meanwhile.
        """

        def work(connection: Connection) -> list[str]:
            row = store.version(connection, version.app_id, version.number)
            if row is None or row.live_version != previous:
                raise Conflict(
                    f"{version.app} changed meanwhile",
                    code="changed_meanwhile",
                    hint=f"Look at it, then try again: capsule app versions {version.app}",
                )
            return store.make_live(connection, version.app_id, version.number)

        were_live = await self._db.write(work)
        self._forget_live()
        await self._engine.drain(were_live)

    async def delete(self, workspace_id: str, name: str) -> None:
        """Remove an app with its versions, sessions, logs and users' files. Its filesystems stay."""
        app = await self.get(workspace_id, name)
        rows = await self._db.read(lambda connection: store.versions_of(connection, app.id))
        files = await self._user_files.of_app(app.id)
        await self._engine.drain([row.id for row in rows])
        await self._db.write(lambda connection: store.remove_app(connection, app.id))
        self._forget_live()
        self._redactions.forget(row.id for row in rows)
        await self._user_files.discard(files)
        for row in rows:
            await asyncio.to_thread(shutil.rmtree, self.folder(row.id), ignore_errors=True)

    async def unfinished_turns(self, app_id: str) -> list[str]:
        """The turns of an app that have not ended."""
        return await self._db.read(lambda connection: store.unfinished_turns(connection, app_id))

    async def sweep(self) -> None:
        """Remove the code of versions that there are not: what a deploy left behind that was killed."""
        known = await self._db.read(store.version_ids)
        for folder in [each for each in self.folder("").iterdir() if each.name not in known]:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def start_frame(self, version: VersionRef, on_line: OnLine = lambda _: None) -> Start:
        """What importing a version needs: its image built (``on_line``), its secrets opened, its mounts found."""
        image = await self._engine.build(version.spec.image, on_line)
        environment = await self.open_secrets(version, version.spec.secrets)
        mounts = []
        for mount in version.spec.mounts:
            found = await self._filesystems.get(version.workspace_id, mount.name)
            mounts.append(Mount(str(self._filesystems.path(found.id)), mount.path))
        return Start(
            app=version.app,
            version=version.number,
            code_dir=str(self.folder(version.version_id)),
            entry=version.entry,
            app_url=self.url(version.app),
            image=image,
            mounts=mounts,
            environment=environment,
            isolation=self._settings.isolation,
            cpu=version.spec.cpu,
        )

    async def open_secrets(self, version: VersionRef, names: list[str]) -> dict[str, str]:
        """Values of secrets for a runtime of this version, whose log masks them from now on."""
        values = await self._secrets.open(version.workspace_id, names, version.deployed_at)
        self._redactions.of(version.version_id).add(values.values())
        return values

    async def naming_secrets(self, workspace_id: str, names: list[str]) -> list[tuple[VersionRef, list[str]]]:
        """The live versions that name one of these secrets, each with those of ``names`` that it names."""
        rows = await self._db.read(lambda connection: store.apps_of(connection, workspace_id))
        refs = [_ref(row) for row in rows if row.spec]
        users = [(ref, [name for name in named_secrets(ref.spec) if name in names]) for ref in refs]
        return [(ref, named) for ref, named in users if named]

    def build_log(self, version: VersionRef) -> str:
        """What building the image of a version printed; empty if it has none of its own, or its log is gone."""
        return self._engine.build_log(version.spec.image)

    async def mounting(self, workspace_id: str, filesystem: str) -> list[str]:
        """Names of the apps whose live version mounts a filesystem."""
        return await self._using(workspace_id, lambda spec: any(mount.name == filesystem for mount in spec.mounts))

    async def naming_channel(self, workspace_id: str, channel: str) -> list[str]:
        """Names of the apps whose live version names a channel."""
        return await self._using(workspace_id, lambda spec: any(each.name == channel for each in spec.channels))

    def url(self, name: str) -> str:
        """Where people find an app."""
        return f"{self._settings.url}/a/{name}"

    def file_url(self, app: str, file_id: str) -> str:
        """Where a file that a user gave, or is shown, can be fetched with that user's token."""
        return f"{self._settings.url}/api/v1/app/{app}/files/{file_id}"

    def folder(self, version_id: str) -> Path:
        """Where the code of a version lies."""
        return self._settings.data_dir / "versions" / version_id

    def _forget_live(self) -> None:
        self._changes += 1
        self._live.clear()

    async def _using(self, workspace_id: str, uses: Callable[[AppSpec], bool]) -> list[str]:
        rows = await self._db.read(lambda connection: store.apps_of(connection, workspace_id))
        return [row.name for row in rows if row.spec and uses(msgspec.convert(row.spec, AppSpec))]

    async def _row(self, workspace_id: str, name: str) -> Row[Any]:
        row = await self._db.read(lambda connection: store.app(connection, workspace_id, name))
        if row is None:
            raise NotFound(
                f"no app {name[:80]!r} in this workspace",
                code="app_not_found",
                hint="List them with: capsule app list",
            )
        return row

    def _shown(self, row: Row[Any]) -> App:
        spec = msgspec.convert(row.spec, AppSpec) if row.spec else AppSpec(row.name)
        return App(
            id=row.id,
            name=row.name,
            hostname=row.name,
            url=self.url(row.name),
            live_version=row.live_version,
            price_in_cents=spec.price,
            pricing_type=spec.pricing_type,
            description=spec.description,
            created_at=row.created_at,
            updated_at=row.updated_at,
            trouble=self._engine.trouble(row.version_id) if row.version_id else "",
        )


def named_secrets(spec: AppSpec) -> list[str]:
    """Every secret that an app names, in whichever way, once."""
    by_integrations = [name for each in spec.integrations for name in (each.client_id, each.client_secret) if name]
    by_channels = [name for each in spec.channels for name in each.config.values()]
    return list(dict.fromkeys([*spec.secrets, *spec.references, *by_integrations, *by_channels]))


def _version(row: Row[Any], app: str) -> Version:
    spec = msgspec.convert(row.spec, AppSpec)
    return Version(app, row.number, row.state, row.entry, row.created_at, spec.image, row.id)


def _ref(row: Row[Any]) -> VersionRef:
    spec = msgspec.convert(row.spec, AppSpec)
    return VersionRef(
        row.id, row.name, row.workspace_id, row.live_version, row.version_id, row.entry, spec, row.deployed_at
    )
