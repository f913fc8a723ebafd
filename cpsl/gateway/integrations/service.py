"""Connections of app users to integrations."""

from __future__ import annotations

import time

import msgspec
from sqlalchemy import Connection, bindparam, delete, select

from cpsl.errors import InvalidRequest
from cpsl.gateway.accounts.service import Accounts
from cpsl.gateway.db.prepared import Prepared
from cpsl.gateway.db.schema import connections
from cpsl.wire.apps import AppSpec, IntegrationSpec
from cpsl.wire.events import PromptField
from cpsl.wire.ids import new_id
from cpsl.wire.integrations import SECRET_FORMS, Credentials, form_fields

_MAX_FIELD_BYTES = 64 * 1024
_OF_USER = Prepared(
    select(connections.c.integration, connections.c.sealed).where(connections.c.app_user_id == bindparam("app_user_id"))
)


class Integrations:
    """Credentials of app users. Its methods are functions of a connection, to run in the caller's transaction."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def of_user(self, connection: Connection, workspace_id: str, app_user_id: str) -> dict[str, Credentials]:
        """All that a user has connected."""
        rows = _OF_USER.fetch(connection, {"app_user_id": app_user_id})
        if not rows:
            return {}
        key = self._accounts.workspace_key(connection, workspace_id)
        opened = (
            (integration, key.open(bytes(sealed), _context(app_user_id, integration))) for integration, sealed in rows
        )
        return {integration: msgspec.json.decode(plain, type=Credentials) for integration, plain in opened}

    def connect(
        self,
        connection: Connection,
        workspace_id: str,
        app_user_id: str,
        integration: str,
        credentials: Credentials,
    ) -> None:
        """Keep credentials, in place of those that were there."""
        key = self._accounts.workspace_key(connection, workspace_id)
        sealed = key.seal(msgspec.json.encode(credentials), _context(app_user_id, integration))
        old = delete(connections).where(
            connections.c.app_user_id == app_user_id, connections.c.integration == integration
        )
        connection.execute(old)
        row = {
            "id": new_id("con"),
            "app_user_id": app_user_id,
            "integration": integration,
            "sealed": sealed,
            "updated_at": time.time(),
        }
        connection.execute(connections.insert().values(row))


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


def credentials_from(fields: list[PromptField], given: dict[str, str]) -> Credentials:
    """What a filled-in form gives. Raises InvalidRequest (code ``invalid_prompt_answer``) when it does not fit."""
    missing = [field.name for field in fields if field.required and not given.get(field.name, "").strip()]
    unknown = sorted(set(given) - {field.name for field in fields})
    too_long = [name for name, value in given.items() if len(value.encode(errors="replace")) > _MAX_FIELD_BYTES]
    for names, problem in ((missing, "is missing"), (unknown, "is not asked for"), (too_long, "is too long")):
        if names:
            raise InvalidRequest(
                f"{', '.join(names)} {problem}",
                code="invalid_prompt_answer",
                hint="Send these fields: " + ", ".join(field.name for field in fields),
            )
    return Credentials(token_type="fields", fields={name: value.strip() for name, value in given.items()})


def _context(app_user_id: str, integration: str) -> str:
    return f"connection/{app_user_id}/{integration}"
