"""``/secrets``."""

from __future__ import annotations

from litestar import Router, delete, get, post

from cpsl.gateway.accounts.service import Actor
from cpsl.gateway.secrets.service import Secrets
from cpsl.wire.resources import SecretList, SecretsCreate


@get("")
async def list_secrets(actor: Actor, secrets: Secrets) -> SecretList:
    """Names and digests, never values."""
    return SecretList(await secrets.all(actor.workspace_id))


@post("")
async def create_secrets(data: SecretsCreate, actor: Actor, secrets: Secrets) -> SecretList:
    """Store several at once: all or none."""
    return SecretList(await secrets.create(actor, data))


@delete("/{name:str}")
async def delete_secret(name: str, actor: Actor, secrets: Secrets) -> None:
    """Forget a secret. Runtimes that have it keep it until they end."""
    await secrets.delete(actor, name)


router = Router("/secrets", route_handlers=[list_secrets, create_secrets, delete_secret], tags=["secrets"])
