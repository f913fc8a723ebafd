"""``/secrets``."""

from __future__ import annotations

from litestar import Router, delete, get, post

from cpsl.gateway.request import GatewayRequest
from cpsl.gateway.secrets.redaction import SHORTEST
from cpsl.wire.resources import Secret, SecretDeleted, SecretList, SecretsCreate, SecretsStored


@get("")
async def list_secrets(request: GatewayRequest) -> SecretList:
    """Names, digests, and the apps that use them; never values."""
    return SecretList(await _with_users(request, await request.gateway.secrets.all(request.workspace_id)))


@post("")
async def create_secrets(data: SecretsCreate, request: GatewayRequest) -> SecretsStored:
    """Store several at once: all or none. Apps that name one restart, unless the new values are staged."""
    return await request.once(lambda: _stored(request, data))


async def _stored(request: GatewayRequest, data: SecretsCreate) -> SecretsStored:
    stored, changed = await request.gateway.secrets.create(request.actor, data)
    restarted = [] if data.stage else await request.gateway.restarts.of_secrets(request.workspace_id, changed)
    unchanged = [secret.name for secret in stored if secret.name not in changed]
    return SecretsStored(await _with_users(request, stored), restarted, _notes(data), unchanged)


@delete("/{name:str}", status_code=200)
async def delete_secret(name: str, request: GatewayRequest, stage: bool = False) -> SecretDeleted:
    """Forget a secret. Apps that name it restart without it; with ``stage``, what runs keeps it until it ends."""
    await request.gateway.secrets.delete(request.actor, name)
    restarted = [] if stage else await request.gateway.restarts.of_secrets(request.workspace_id, [name])
    return SecretDeleted(name, restarted)


async def _with_users(request: GatewayRequest, found: list[Secret]) -> list[Secret]:
    users = await request.gateway.apps.naming_secrets(request.workspace_id, [secret.name for secret in found])
    for secret in found:
        secret.used_by = [ref.app for ref, names in users if secret.name in names]
    return found


def _notes(wanted: SecretsCreate) -> list[str]:
    short = [name for name, value in wanted.secrets.items() if len(value) < SHORTEST]
    return [f"{name} has fewer than {SHORTEST} characters: it is not masked in logs" for name in short]


router = Router("/secrets", route_handlers=[list_secrets, create_secrets, delete_secret], tags=["secrets"])
