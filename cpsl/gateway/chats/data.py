"""Data handlers: an app answers a query, outside of any turn."""

from __future__ import annotations

import asyncio
from typing import Any

from cpsl.engine.protocol import AppBroken, RuntimeLost
from cpsl.errors import AppError, CapsuleError, InvalidRequest
from cpsl.gateway.apps.logs import AppLogs
from cpsl.gateway.apps.service import VersionRef
from cpsl.gateway.chats.running import Runner
from cpsl.gateway.db.database import Database
from cpsl.gateway.integrations.service import Integrations
from cpsl.gateway.integrations.tokens import Tokens
from cpsl.wire.frames import AppUser, DataResponse, TurnFailure


class Data:
    """Asks the data handlers of apps. ``timeout``: seconds that one may take."""

    def __init__(
        self,
        db: Database,
        runner: Runner,
        integrations: Integrations,
        tokens: Tokens,
        app_logs: AppLogs,
        timeout: float,
    ) -> None:
        self._db = db
        self._runner = runner
        self._integrations = integrations
        self._tokens = tokens
        self._app_logs = app_logs
        self._timeout = timeout

    async def ask(self, version: VersionRef, user: AppUser, name: str, params: dict[str, str]) -> bytes:
        """What the handler called ``name`` returns, as JSON.

        Raises AppError when the app fails, is not there, or takes too long; InvalidRequest for wrong ``params``.
        """
        connected = await self._db.read(lambda c: self._integrations.of_user(c, version, user.id))
        connected = await self._tokens.all_good(version, user.id, connected)
        try:
            response = await self._response(version, user, name, params, connected)
        except (AppBroken, RuntimeLost) as error:
            raise self._lost(version, user, error) from error
        if response.failure is not None:
            raise self._failed(version, user, response.failure)
        return response.json

    async def _response(
        self, version: VersionRef, user: AppUser, name: str, params: dict[str, str], connected: dict[str, Any]
    ) -> DataResponse:
        runtime = await self._runner.runtime(version, user)
        try:
            async with asyncio.timeout(self._timeout):
                return await runtime.data(name, params, connected)
        except TimeoutError:
            self._runner.give_up(runtime)
            message = f"The app did not answer within {self._timeout:g} seconds."
            return DataResponse(0, failure=TurnFailure("turn_timeout", message, traceback=f"{name}: {message}"))

    def _failed(self, version: VersionRef, user: AppUser, failure: TurnFailure) -> CapsuleError:
        """The error for a handler that failed; its traceback goes to the app's log."""
        if failure.traceback:
            self._app_logs.system(version.place(user), failure.traceback.rstrip(), "error")
        kind = AppError if failure.code in ("app_error", "turn_timeout") else InvalidRequest
        return kind(failure.message, code=failure.code, hint=failure.hint)

    def _lost(self, version: VersionRef, user: AppUser, error: AppBroken | RuntimeLost) -> CapsuleError:
        """The error for an app that does not run. How it ended, and what it said last, goes to the app's log alone."""
        if isinstance(error, RuntimeLost):
            self._app_logs.system(version.place(user), f"{error.message}\n{error.hint or ''}".rstrip(), "error")
        what = "could not be started" if isinstance(error, AppBroken) else "ended unexpectedly"
        return AppError(f"the app {what}", code=error.code)
