"""Importing an app before it answers anybody: what it declares, and whether a version still comes up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cpsl.engine.protocol import Answer, AppBroken, Engine, OnLine, OnLog
from cpsl.errors import GatewayError
from cpsl.gateway.apps.service import VersionRef
from cpsl.gateway.secrets.redaction import Redactions, Redactor
from cpsl.gateway.secrets.service import Secrets, secret_not_found
from cpsl.wire.apps import AppSpec
from cpsl.wire.frames import GetSecret, LogRecord, Question, Start


class Importer:
    """Has apps imported. What they print and how they fail is told without the secrets that they were given."""

    def __init__(self, engine: Engine, secrets: Secrets, redactions: Redactions) -> None:
        self._engine = engine
        self._secrets = secrets
        self._redactions = redactions

    async def look(self, workspace_id: str, version_id: str, start: Start, on_line: OnLine) -> AppSpec:
        """Import an app only to see what it declares. ``on_line`` gets what it prints. Raises AppBroken."""
        redactor = self._redactions.of(version_id)
        redactor.add(start.environment.values())
        with _without_secrets(redactor):
            answers = self._answers(workspace_id, None, redactor)
            return await self._engine.inspect(start, answers, _lines(redactor, on_line))

    def has_image(self, spec: AppSpec) -> bool:
        """Whether the image of an app needs no build."""
        return self._engine.is_built(spec.image)

    async def make_ready(self, version: VersionRef, start: Start, on_line: OnLine) -> AppSpec:
        """Import a version and keep it ready for runtimes; what it declares. Raises AppBroken: nothing is left then."""
        redactor = self._redactions.of(version.version_id)
        with _without_secrets(redactor):
            answers = self._answers(version.workspace_id, version.deployed_at, redactor)
            return await self._engine.prepare(version.version_id, start, answers, _lines(redactor, on_line))

    async def let_go(self, version_id: str) -> None:
        """A version that was made ready will not be needed."""
        await self._engine.drain([version_id])

    async def forget(self, version_id: str) -> None:
        """A version will never be: nothing of it stays."""
        await self.let_go(version_id)
        self._redactions.forget([version_id])

    def _answers(self, workspace_id: str, as_of: float | None, redactor: Redactor) -> Answer:
        """While it is imported an app may read secrets, which whoever deploys could read by deploying; no more."""

        async def answer(question: Question) -> str:
            if not isinstance(question, GetSecret):
                raise GatewayError(
                    "the app asked the gateway for something while it was imported",
                    code="not_running_yet",
                    hint="Do this in @app.boot() or in a handler.",
                )
            values = await self._secrets.open(workspace_id, [question.name], as_of)
            if question.name not in values:
                raise secret_not_found(question.name)
            redactor.add(values.values())
            return values[question.name]

        return answer


def _lines(redactor: Redactor, on_line: OnLine) -> OnLog:
    def on_log(records: list[LogRecord]) -> None:
        for record in records:
            on_line(redactor.clean(record.message))

    return on_log


@contextmanager
def _without_secrets(redactor: Redactor) -> Iterator[None]:
    try:
        yield
    except AppBroken as error:
        raise AppBroken(
            redactor.clean(error.message),
            code=error.code,
            hint=redactor.clean(error.hint) if error.hint else None,
            traceback=redactor.clean(error.traceback),
        ) from None
