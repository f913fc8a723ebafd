"""Rows of workspaces, accounts, tokens and device codes."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from cpsl.gateway.db.schema import accounts, device_codes, tokens, workspaces
from cpsl.wire.ids import new_id

AnyRow = Row[Any]


def workspace_named(connection: Connection, name: str) -> AnyRow | None:
    return connection.execute(select(workspaces).where(workspaces.c.name == name)).one_or_none()


def workspace_key(connection: Connection, workspace_id: str) -> bytes:
    query = select(workspaces.c.data_key).where(workspaces.c.id == workspace_id)
    return bytes(connection.execute(query).scalar_one())


def any_workspace(connection: Connection) -> AnyRow | None:
    return connection.execute(select(workspaces).order_by(workspaces.c.created_at).limit(1)).one_or_none()


def add_workspace(connection: Connection, workspace_id: str, name: str, data_key: bytes) -> None:
    row = {"id": workspace_id, "name": name, "data_key": data_key, "created_at": time.time()}
    connection.execute(workspaces.insert().values(row))


def add_account(connection: Connection, workspace_id: str, email: str, role: str) -> str:
    account_id = new_id("acc")
    row = {
        "id": account_id,
        "workspace_id": workspace_id,
        "email": email,
        "role": role,
        "created_at": time.time(),
    }
    connection.execute(accounts.insert().values(row))
    return account_id


def owner(connection: Connection) -> AnyRow:
    return connection.execute(select(accounts).where(accounts.c.role == "owner").limit(1)).one()


def account(connection: Connection, account_id: str) -> AnyRow | None:
    query = (
        select(accounts, workspaces.c.name.label("workspace"))
        .join(workspaces, workspaces.c.id == accounts.c.workspace_id)
        .where(accounts.c.id == account_id)
    )
    return connection.execute(query).one_or_none()


def add_token(
    connection: Connection, account_id: str, token_hash: bytes, name: str, expires_at: float | None
) -> AnyRow:
    row = {
        "id": new_id("tok"),
        "account_id": account_id,
        "name": name,
        "hash": token_hash,
        "scopes": ["workspace"],
        "created_at": time.time(),
        "expires_at": expires_at,
    }
    connection.execute(tokens.insert().values(row))
    return connection.execute(select(tokens).where(tokens.c.id == row["id"])).one()


def token_with_account(connection: Connection, token_hash: bytes) -> AnyRow | None:
    query = (
        select(
            tokens,
            accounts.c.email,
            accounts.c.role,
            accounts.c.workspace_id,
            workspaces.c.name.label("workspace"),
        )
        .join(accounts, accounts.c.id == tokens.c.account_id)
        .join(workspaces, workspaces.c.id == accounts.c.workspace_id)
        .where(tokens.c.hash == token_hash)
    )
    return connection.execute(query).one_or_none()


def tokens_of(connection: Connection, account_id: str) -> list[AnyRow]:
    query = select(tokens).where(tokens.c.account_id == account_id).order_by(tokens.c.id)
    return list(connection.execute(query).all())


def delete_token(connection: Connection, account_id: str, token_id: str) -> bool:
    query = delete(tokens).where(tokens.c.id == token_id, tokens.c.account_id == account_id)
    return connection.execute(query).rowcount > 0


def touch_token(connection: Connection, token_id: str) -> None:
    connection.execute(update(tokens).where(tokens.c.id == token_id).values(last_used_at=time.time()))


def add_device_code(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(device_codes.insert().values(row))


def forget_old_devices(connection: Connection) -> int:
    """Remove the codes that expired an hour ago (until then they can say so); how many still wait."""
    now = time.time()
    connection.execute(delete(device_codes).where(device_codes.c.expires_at < now - 3600))
    waiting = select(func.count()).where(device_codes.c.state == "pending", device_codes.c.expires_at > now)
    return connection.execute(waiting).scalar_one()


def device_code(connection: Connection, code_hash: bytes) -> AnyRow | None:
    return connection.execute(select(device_codes).where(device_codes.c.hash == code_hash)).one_or_none()


def device_by_user_code(connection: Connection, user_code: str) -> AnyRow | None:
    return connection.execute(select(device_codes).where(device_codes.c.user_code == user_code)).one_or_none()


def change_device(connection: Connection, code_hash: bytes, expected: str, **values: Any) -> bool:
    """Change a device code only while its state is ``expected``: exactly one of two decisions wins."""
    query = update(device_codes).where(device_codes.c.hash == code_hash, device_codes.c.state == expected)
    return connection.execute(query.values(**values)).rowcount > 0
