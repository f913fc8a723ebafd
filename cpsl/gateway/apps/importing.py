"""Importing an app before it answers anybody: what it declares, and whether a version still comes up."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from cpsl.engine.protocol import Answer, AppBroken, Engine
from cpsl.errors import GatewayError, NotFound
from cpsl.gateway.secrets.redaction import Redactor
from cpsl.gateway.secrets.service import Secrets
from cpsl.wire.apps import AppSpec
from cpsl.wire.frames import GetSecret, LogRecord, Question, Start

OnLine = Callable[[str], None]


class Importer:
    """Has apps imported. What they print and how they fail is told without the secrets that they were given."""

    def __init__(self, engine: Engine, secrets: Secrets) -> None:
        self._engine = engine
        self._secrets = secrets

    async def inspect(self, workspace_id: str, start: Start, on_line: OnLine) -> AppSpec:
        """Import the app of a new version; what it declares. ``on_line`` gets what it prints. Raises AppBroken."""
        return await self._import(workspace_id, start, on_line)

    async def make_ready(self, workspace_id: str, start: Start, on_line: OnLine) -> None:
        """Return when a version that there is already can answer. Raises AppBroken, and then nothing has changed."""
        await self._import(workspace_id, start, on_line)

    async def _import(self, workspace_id: str, start: Start, on_line: OnLine) -> AppSpec:
        redactor = Redactor(start.environment.values())

        def on_log(records: list[LogRecord]) -> None:
            for record in records:
                on_line(redactor.clean(record.message))

        alone = msgspec.structs.replace(start, import_only=True)
        try:
            return await self._engine.inspect(alone, self._answers(workspace_id, redactor), on_log)
        except AppBroken as error:
            raise _without_secrets(error, redactor) from None

    def _answers(self, workspace_id: str, redactor: Redactor) -> Answer:
        """While it is imported an app may read secrets, which whoever deploys could read by deploying; no more."""

        async def answer(question: Question) -> str:
            if not isinstance(question, GetSecret):
                raise GatewayError(
                    "the app asked the gateway for something while it was imported",
                    code="not_running_yet",
                    hint="Do this in @app.boot() or in a handler.",
                )
            values = await self._secrets.open(workspace_id, [question.name])
            if question.name not in values:
                raise NotFound(
                    f"there is no secret {question.name!r} in the workspace",
                    code="secret_not_found",
                    hint=f"capsule secret create {question.name}=…",
                )
            redactor.add(values.values())
            return values[question.name]

        return answer


def _without_secrets(error: AppBroken, redactor: Redactor) -> AppBroken:
    return AppBroken(
        redactor.clean(error.message),
        code=error.code,
        hint=redactor.clean(error.hint) if error.hint else None,
        traceback=redactor.clean(error.traceback),
    )
