"""The API of a gateway in memory, as one person sees it."""

from __future__ import annotations

import msgspec

from cpsl import errors
from cpsl._version import __version__
from cpsl.testing.files import FileSystems
from cpsl.testing.host import URL, Host, Person
from cpsl.testing.http import Ask, Reply, Routes, json
from cpsl.testing.secrets import Secrets
from cpsl.testing.traffic import Traffic
from cpsl.wire import accounts, apps, problem
from cpsl.wire.ids import new_id


class Api:
    """Answers the requests of ``person``."""

    routes = Routes()

    def __init__(self, person: Person, secrets: Secrets, filesystems: FileSystems) -> None:
        self._person = person
        self._parts = (self, secrets, filesystems)

    async def answer(self, ask: Ask) -> Reply:
        """The response to a request, whatever it is."""
        try:
            return await self._routed(ask)
        except errors.CapsuleError as error:
            told = problem.from_error(error, new_id("req"))
            return Reply(msgspec.json.encode(told), told.status, problem.MEDIA_TYPE)

    async def _routed(self, ask: Ask) -> Reply:
        for part in self._parts:
            if (handler := part.routes.find(ask)) is not None:
                return await handler(part, ask)
        if (handler := Traffic.routes.find(ask)) is not None:
            return await handler(Traffic(self._host(ask)), ask)
        raise errors.NotFound(
            f"a gateway for tests has no {ask.method} {ask.path}",
            code="not_in_testing",
            hint="Test this against a gateway: capsule gateway start",
        )

    def _host(self, ask: Ask) -> Host:
        if ask.path.startswith("/turns/"):
            return self._person.host_of(ask.names[0])
        return self._named(ask.names[0])

    def _named(self, app: str) -> Host:
        if app in self._person.hosts:
            return self._person.hosts[app]
        raise errors.NotFound(f"no app {app[:80]!r} in this workspace", code="app_not_found")

    @routes("GET", "/apps")
    async def app_list(self, ask: Ask) -> Reply:
        """The apps under test."""
        return json(apps.AppList([_shown(host) for host in self._person.hosts.values()]))

    @routes("GET", "/apps/{app}")
    async def one_app(self, ask: Ask) -> Reply:
        """One, by name."""
        return json(_shown(self._named(ask.names[0])))

    @routes("GET", "/me")
    async def me(self, ask: Ask) -> Reply:
        """Who you are here."""
        user = self._person.user
        account = accounts.Account(user.id, str(user.email), "owner", "test")
        return json(accounts.Me(account, accounts.Token("tok_test", "test", account.id, 0.0), "test", __version__))


def _shown(host: Host) -> apps.App:
    app = host.app
    url = f"{URL}/a/{app.name}"
    facts = (app.price, app.pricing_type, app.description, 0.0, 0.0)
    return apps.App(f"app_{app.name}", app.name, app.name, url, 1, *facts)
