"""Tokens that are good when an app gets them: renewed before they expire, one renewal at a time for each connection."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from weakref import WeakValueDictionary

from sqlalchemy import Connection

from cpsl.errors import CapsuleError
from cpsl.gateway.apps.service import Apps, VersionRef
from cpsl.gateway.db.database import Database
from cpsl.gateway.integrations import oauth, store
from cpsl.gateway.integrations.oauth import Client, Grant, OAuthRefused
from cpsl.gateway.integrations.providers import Providers
from cpsl.gateway.integrations.service import Integrations, declared
from cpsl.gateway.secrets.service import secret_not_found
from cpsl.gateway.settings import Settings
from cpsl.wire.apps import IntegrationSpec
from cpsl.wire.integrations import Credentials, digest

log = logging.getLogger("cpsl.gateway.integrations")


class Clients:
    """The apps of this gateway as providers know them."""

    def __init__(self, apps: Apps, providers: Providers, settings: Settings) -> None:
        self._apps = apps
        self._providers = providers
        self._settings = settings

    async def of(self, version: VersionRef, integration: IntegrationSpec) -> Client:
        """The client of an app's integration, its credentials opened now. Raises NotFound, InvalidRequest."""
        names = [name for name in (integration.client_id, integration.client_secret) if name]
        values = await self._apps.open_secrets(version, names)
        if missing := [name for name in names if name not in values]:
            raise secret_not_found(missing[0])
        return Client(
            integration.type,
            self._providers.of(integration),
            values[integration.client_id],
            values.get(integration.client_secret, ""),
            f"{self._settings.url}/oauth/callback/{integration.type}",
            self._settings.provider_timeout,
        )


class Tokens:
    """What users have connected, as good as it can be had. Everything is of one user, whom the caller has found."""

    def __init__(self, db: Database, integrations: Integrations, clients: Clients) -> None:
        self._db = db
        self._integrations = integrations
        self._clients = clients
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def get(
        self, version: VersionRef, app_user_id: str, integration: str, *, refused: str = ""
    ) -> Credentials | None:
        """Credentials of an integration, renewed if need be. None when the user has to connect it.

        ``refused``: the digest of credentials that the service refused, so it must be others. Raises ProviderFailed.
        """
        known = await self._known(version, app_user_id, integration)
        if known is None or _is_good(known[1], refused):
            return known[1].credentials if known else None
        lock = self._locks.setdefault((app_user_id, integration), asyncio.Lock())
        async with lock:
            known = await self._known(version, app_user_id, integration)
            if known is None or _is_good(known[1], refused):  # somebody else renewed it meanwhile
                return known[1].credentials if known else None
            return await self._renewed(version, app_user_id, integration, *known)

    async def all_good(
        self, version: VersionRef, app_user_id: str, connected: dict[str, Credentials]
    ) -> dict[str, Credentials]:
        """What is ``connected``, renewed if need be, without what cannot be had now."""
        good = dict(connected)
        for name, credentials in connected.items():
            if oauth.expires_soon(credentials):
                with suppress(CapsuleError):  # the app finds out when it asks for it
                    del good[name]
                    if renewed := await self.get(version, app_user_id, name):
                        good[name] = renewed
        return good

    async def disconnect(self, version: VersionRef, app_user_id: str, integration: str) -> bool:
        """Forget a connection, here at once and at its provider if it listens; False if there was none."""
        grant = await self._db.write(lambda c: self._integrations.disconnect(c, version, app_user_id, integration))
        if grant is not None and not grant.fields:
            await self._revoke(version, integration, grant)
        return grant is not None

    async def _known(self, version: VersionRef, app_user_id: str, integration: str) -> tuple[str, Grant] | None:
        return await self._db.read(lambda c: self._integrations.grant(c, version, app_user_id, integration))

    async def _renewed(
        self, version: VersionRef, app_user_id: str, integration: str, connection_id: str, old: Grant
    ) -> Credentials | None:
        if old.fields:
            return None  # nothing renews a form but the person who fills it in
        new = await self._ask_provider(version, integration, old)
        if new is None:
            await self._db.write(lambda c: store.mark_refused(c, connection_id))
            return None
        grant = new

        def work(connection: Connection) -> None:
            self._integrations.renew(connection, version, app_user_id, integration, connection_id, grant)

        await self._db.write(work)
        return grant.credentials

    async def _ask_provider(self, version: VersionRef, integration: str, old: Grant) -> Grant | None:
        """A new grant for an old one; None when the provider gives none any more."""
        if not old.refresh_token:
            return None
        client = await self._clients.of(version, declared(version.spec, integration))
        try:
            return await oauth.renew(client, old)
        except OAuthRefused:
            return None

    async def _revoke(self, version: VersionRef, integration: str, grant: Grant) -> None:
        try:
            client = await self._clients.of(version, declared(version.spec, integration))
            if client.provider.revoke_url:
                await oauth.revoke(client, grant)
        except CapsuleError as error:  # the user is disconnected all the same
            log.warning("%s did not revoke a token: %s", integration, error.message)


def _is_good(grant: Grant, refused: str) -> bool:
    return not oauth.expires_soon(grant) and digest(grant.access_token, grant.fields) != refused
