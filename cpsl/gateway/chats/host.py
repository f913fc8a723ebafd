"""What the gateway answers to its runtimes. Who asks is known from the link, never from the question."""

from __future__ import annotations

from typing import Any

import msgspec

from cpsl.engine.protocol import Place
from cpsl.errors import AuthError, NotFound
from cpsl.gateway.apps.logs import AppLogs
from cpsl.gateway.apps.service import Apps, VersionRef
from cpsl.gateway.chats.prompts import Prompts
from cpsl.gateway.chats.running import LiveTurn, Runner
from cpsl.gateway.collections.service import Collections
from cpsl.gateway.files.service import UserFiles
from cpsl.gateway.secrets.service import secret_not_found
from cpsl.gateway.users.service import Users
from cpsl.wire import frames

_SLICE_BYTES = 4 * 1024 * 1024


class GatewayHost:
    """The ``Host`` of the engine's protocol."""

    def __init__(
        self,
        apps: Apps,
        runner: Runner,
        prompts: Prompts,
        collections: Collections,
        user_files: UserFiles,
        app_logs: AppLogs,
        users: Users,
    ) -> None:
        self._apps = apps
        self._runner = runner
        self._prompts = prompts
        self._collections = collections
        self._user_files = user_files
        self._app_logs = app_logs
        self._users = users

    def log(self, place: Place, records: list[frames.LogRecord]) -> None:
        self._app_logs.add(place, records)

    async def answer(self, place: Place, question: frames.Question) -> Any:
        whose = place._replace(user_id=self._users.now(place.user_id))
        match question:
            case frames.GetSecret():
                return await self._secret(place, question.name)
            case frames.OpenPrompt():
                result = await self._prompts.ask(self._turn(place, question.request_id), question)
                return msgspec.to_builtins(result)
            case frames.ReadFile():
                length = min(max(question.length, 0), _SLICE_BYTES)
                return await self._user_files.read(whose.user_id, question.file_id, question.offset, length)
            case frames.StoreFile():
                return await self._store_file(whose, question)
            case _:
                version = await self._apps.version(place.app_id, place.version)
                return await self._collections.answer(whose, version.spec, question)

    async def _secret(self, place: Place, name: str) -> str:
        version = await self._apps.version(place.app_id, place.version)
        if name not in _declared_secrets(version):
            raise AuthError(
                f"the app does not declare the secret {name!r}",
                code="secret_not_declared",
                status=403,
                hint=f"Add it to the app: App(secrets=[{name!r}, …]), and deploy again.",
            )
        values = await self._apps.open_secrets(version, [name])
        if name not in values:
            raise secret_not_found(name)
        return values[name]

    async def _store_file(self, place: Place, question: frames.StoreFile) -> str:
        stored = await self._user_files.keep_bytes(place.user_id, question.data, question.name, question.content_type)
        version = await self._apps.version(place.app_id, place.version)
        return self._apps.file_url(version.app, stored.file_id)

    def _turn(self, place: Place, request_id: str) -> LiveTurn:
        live = self._runner.live(request_id)
        if live is None or live.place != place:
            raise NotFound("this turn has ended", code="turn_not_found")
        return live


def _declared_secrets(version: VersionRef) -> set[str]:
    spec = version.spec
    by_integrations = [name for each in spec.integrations for name in (each.client_id, each.client_secret)]
    return {*spec.secrets, *spec.references, *by_integrations}
