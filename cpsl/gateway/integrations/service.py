"""Connections of app users to integrations."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, Row

from cpsl.errors import InvalidRequest
from cpsl.gateway.accounts.service import Accounts
from cpsl.gateway.apps.service import VersionRef
from cpsl.gateway.integrations import store
from cpsl.gateway.integrations.oauth import Grant
from cpsl.wire import integrations as wire
from cpsl.wire.apps import AppSpec, IntegrationSpec
from cpsl.wire.events import PromptField
from cpsl.wire.integrations import SECRET_FORMS, Credentials, form_fields, title

_MAX_FIELD_BYTES = 64 * 1024


class Integrations:
    """Credentials of app users. Its methods are functions of a connection, to run in the caller's transaction."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def of_user(self, connection: Connection, version: VersionRef, app_user_id: str) -> dict[str, Credentials]:
        """All that a user has connected and that gives this version of the app what it needs."""
        rows = store.usable(connection, app_user_id)
        if not rows:
            return {}
        needed = {each.type: set(each.scopes) for each in version.spec.integrations}
        found = {name: self._opened(connection, version, app_user_id, name, sealed) for name, sealed in rows}
        return {name: grant.credentials for name, grant in found.items() if grant.has(needed.get(name, set()))}

    def grant(
        self, connection: Connection, version: VersionRef, app_user_id: str, integration: str
    ) -> tuple[str, Grant] | None:
        """The id of a connection and what it was given; None where it is of no use to this version of the app."""
        row = store.connection_of(connection, app_user_id, integration)
        if row is None or row.needs_reconnect:
            return None
        grant = self._opened(connection, version, app_user_id, integration, bytes(row.sealed))
        needed = next((each.scopes for each in version.spec.integrations if each.type == integration), [])
        return (row.id, grant) if grant.has(set(needed)) else None

    def shown(self, connection: Connection, version: VersionRef, app_user_id: str) -> list[wire.Connection]:
        """What a user has connected, for that user to look at."""
        rows = store.connections_of(connection, app_user_id)
        return [self._shown(row, self._of_row(connection, version, row)) for row in rows]

    def connect(
        self, connection: Connection, version: VersionRef, app_user_id: str, integration: str, grant: Grant
    ) -> None:
        """Keep what was given, in place of what was there."""
        sealed = self.seal(connection, version, msgspec.json.encode(grant), _context(app_user_id, integration))
        store.put_connection(connection, app_user_id, integration, sealed, grant.account, grant.scopes)

    def renew(
        self, connection: Connection, version: VersionRef, app_user_id: str, integration: str, known: str, grant: Grant
    ) -> None:
        """Keep what a provider gave anew for the connection ``known``, unless it is there no more."""
        sealed = self.seal(connection, version, msgspec.json.encode(grant), _context(app_user_id, integration))
        store.renew_connection(connection, known, sealed, grant.scopes)

    def disconnect(
        self, connection: Connection, version: VersionRef, app_user_id: str, integration: str
    ) -> Grant | None:
        """Forget a connection; what it was given, for its provider to forget it, too. None if there was none."""
        row = store.connection_of(connection, app_user_id, integration)
        if row is None:
            return None
        grant = self._of_row(connection, version, row)
        store.remove_connection(connection, row.id)
        return grant

    def seal(self, connection: Connection, version: VersionRef, plain: bytes, context: str) -> bytes:
        """Seal something of an app's user for the row that ``context`` names."""
        return self._accounts.workspace_key(connection, version.workspace_id).seal(plain, context)

    def open(self, connection: Connection, version: VersionRef, sealed: bytes, context: str) -> bytes:
        """What ``seal`` sealed."""
        return self._accounts.workspace_key(connection, version.workspace_id).open(sealed, context)

    def _of_row(self, connection: Connection, version: VersionRef, row: Row[tuple[object, ...]]) -> Grant:
        return self._opened(connection, version, row.app_user_id, row.integration, bytes(row.sealed))

    def _opened(
        self, connection: Connection, version: VersionRef, app_user_id: str, integration: str, sealed: bytes
    ) -> Grant:
        plain = self.open(connection, version, sealed, _context(app_user_id, integration))
        return msgspec.json.decode(plain, type=Grant)

    @staticmethod
    def _shown(row: Row[tuple[object, ...]], grant: Grant) -> wire.Connection:
        return wire.Connection(
            integration=row.integration,
            title=title(row.integration),
            mode="form" if grant.fields else "oauth",
            account=row.account,
            scopes=grant.scopes,
            missing_scopes=grant.missing,
            connected_at=row.created_at or row.updated_at,
            needs_reconnect=row.needs_reconnect,
        )


def declared(spec: AppSpec, integration: str) -> IntegrationSpec:
    """How the app declared an integration. A known form needs no declaration. Raises InvalidRequest."""
    for each in spec.integrations:
        if each.type == integration:
            return each
    if integration in SECRET_FORMS:
        return IntegrationSpec(integration, "form")
    raise InvalidRequest(
        f"the app does not declare the integration {integration!r}",
        code="unknown_integration",
        hint=f"Add app.add_integration({integration!r}, …) to the app.",
    )


def fields_of(integration: IntegrationSpec) -> list[PromptField]:
    """The fields of a form integration."""
    return form_fields(integration.type, integration.fields)


def field_problems(fields: list[PromptField], given: dict[str, str]) -> dict[str, str]:
    """What is wrong with a filled-in form, by the name of the field."""
    missing = [field.name for field in fields if field.required and not given.get(field.name, "").strip()]
    unknown = sorted(set(given) - {field.name for field in fields})
    too_long = [name for name, value in given.items() if len(value.encode(errors="replace")) > _MAX_FIELD_BYTES]
    return {
        **dict.fromkeys(too_long, "is too long"),
        **dict.fromkeys(unknown, "is not asked for"),
        **dict.fromkeys(missing, "is missing"),
    }


def grant_from(fields: list[PromptField], given: dict[str, str]) -> Grant:
    """What a filled-in form gives. Raises InvalidRequest (code ``invalid_prompt_answer``) when it does not fit."""
    if problems := field_problems(fields, given):
        raise InvalidRequest(
            ", ".join(f"{name} {problem}" for name, problem in problems.items()),
            code="invalid_prompt_answer",
            hint="Send these fields: " + ", ".join(field.name for field in fields),
        )
    return Grant(token_type="fields", fields={name: value.strip() for name, value in given.items()})


def _context(app_user_id: str, integration: str) -> str:
    return f"connection/{app_user_id}/{integration}"
