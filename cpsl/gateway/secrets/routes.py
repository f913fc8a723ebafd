"""``/secrets``."""

from __future__ import annotations

from litestar import Router, delete, get, post

from cpsl.gateway.accounts.service import Actor
from cpsl.gateway.apps.restarts import Restarts
from cpsl.gateway.apps.service import Apps
from cpsl.gateway.secrets.redaction import SHORTEST
from cpsl.gateway.secrets.service import Secrets
from cpsl.wire.resources import Secret, SecretDeleted, SecretList, SecretsCreate, SecretsStored


@get("")
async def list_secrets(actor: Actor, secrets: Secrets, apps: Apps) -> SecretList:
    """Names, digests, and the apps that use them; never values."""
    return SecretList(await _with_users(apps, actor, await secrets.all(actor.workspace_id)))


@post("")
async def create_secrets(
    data: SecretsCreate, actor: Actor, secrets: Secrets, apps: Apps, restarts: Restarts
) -> SecretsStored:
    """Store several at once: all or none. Apps that name one restart, unless the new values are staged."""
    stored, changed = await secrets.create(actor, data)
    restarted = [] if data.stage else await restarts.of_secrets(actor.workspace_id, changed)
    return SecretsStored(await _with_users(apps, actor, stored), restarted, _notes(data))


@delete("/{name:str}", status_code=200)
async def delete_secret(
    name: str, actor: Actor, secrets: Secrets, restarts: Restarts, stage: bool = False
) -> SecretDeleted:
    """Forget a secret. Apps that name it restart without it; with ``stage``, what runs keeps it until it ends."""
    await secrets.delete(actor, name)
    return SecretDeleted(name, [] if stage else await restarts.of_secrets(actor.workspace_id, [name]))


async def _with_users(apps: Apps, actor: Actor, found: list[Secret]) -> list[Secret]:
    users = await apps.naming_secrets(actor.workspace_id, [secret.name for secret in found])
    for secret in found:
        secret.used_by = [ref.app for ref, names in users if secret.name in names]
    return found


def _notes(wanted: SecretsCreate) -> list[str]:
    short = [name for name, value in wanted.secrets.items() if len(value) < SHORTEST]
    return [f"{name} has fewer than {SHORTEST} characters: it is not masked in logs" for name in short]


router = Router("/secrets", route_handlers=[list_secrets, create_secrets, delete_secret], tags=["secrets"])
