"""The secrets of a gateway in memory."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from hashlib import sha256

import msgspec

from cpsl import errors
from cpsl.app import secret
from cpsl.app.app import App
from cpsl.testing.http import Ask, Reply, Routes, json
from cpsl.wire import resources
from cpsl.wire.names import check_secret_name


class Secrets:
    """``values`` by name; those that an app declares are in the environment while it runs.

    Raises NotFound (``missing_resources``) for one that is declared and not given.
    """

    routes = Routes()

    def __init__(self, values: Mapping[str, str], apps: Iterable[App]) -> None:
        self.values = dict(values)
        self._users = {app.name: list(app.secrets) for app in apps}
        self._times: dict[str, float] = dict.fromkeys(values, time.time())
        self._before: dict[str, str | None] = {}
        for app, names in self._users.items():
            if missing := [name for name in names if name not in self.values]:
                hint = f"Give them: Gateway(app, secrets={{{missing[0]!r}: …}})"
                raise errors.NotFound(f"{app} needs {', '.join(missing)}", code="missing_resources", hint=hint)

    def enter(self) -> None:
        """Put those that are declared into the environment."""
        for name in {name for names in self._users.values() for name in names}:
            self._before[name] = os.environ.get(name)
            os.environ[name] = self.values[name]

    def leave(self) -> None:
        """Leave the environment as it was."""
        secret.forget_values()
        for name, value in self._before.items():
            _set(name, value)

    def value(self, name: str) -> str:
        """Raises NotFound (``secret_not_found``)."""
        if name in self.values:
            return self.values[name]
        hint = "Give it to Gateway(secrets=…), or create it with client.secrets.create."
        raise errors.NotFound(f"there is no secret {name!r}", code="secret_not_found", hint=hint)

    @routes("GET", "/secrets")
    async def all(self, ask: Ask) -> Reply:
        """What there is, without the values."""
        return json(resources.SecretList([self._shown(name) for name in sorted(self.values)]))

    @routes("POST", "/secrets")
    async def create(self, ask: Ask) -> Reply:
        """Store all or none; the app has them at once, as after its restart."""
        wanted = msgspec.json.decode(ask.body, type=resources.SecretsCreate)
        changed = [name for name, value in wanted.secrets.items() if self.values.get(name) != value]
        self._check(wanted, changed)
        for name in changed:
            self._put(name, wanted.secrets[name])
        unchanged = [name for name in wanted.secrets if name not in changed]
        shown = [self._shown(name) for name in sorted(wanted.secrets)]
        return json(resources.SecretsStored(shown, self._restarted(changed), unchanged=unchanged), 201)

    @routes("DELETE", "/secrets/{name}")
    async def delete(self, ask: Ask) -> Reply:
        """Forget one."""
        name = ask.names[0]
        if name not in self.values:
            raise errors.NotFound(f"no secret {name[:80]!r} in this workspace")
        del self.values[name]
        self._told(name, None)
        return json(resources.SecretDeleted(name, self._restarted([name])))

    def _check(self, wanted: resources.SecretsCreate, changed: list[str]) -> None:
        if wanted.stage:
            raise errors.InvalidRequest("a gateway for tests has no versions to stage for", code="not_in_testing")
        for name, value in wanted.secrets.items():
            if not value and not wanted.allow_empty:
                raise errors.InvalidRequest(f"the value of {check_secret_name(name)} is empty", code="empty_secret")
        known = [name for name in changed if name in self.values]
        if known and not wanted.overwrite:
            raise errors.Conflict(f"already there: {', '.join(known)}; nothing was stored", code="secret_exists")

    def _put(self, name: str, value: str) -> None:
        self.values[check_secret_name(name)] = value
        self._times[name] = time.time()
        self._told(name, value)

    def _told(self, name: str, value: str | None) -> None:
        secret.forget_values()
        if name in self._before:
            _set(name, value)

    def _restarted(self, names: list[str]) -> list[str]:
        return [app for app, used in self._users.items() if set(used) & set(names)]

    def _shown(self, name: str) -> resources.Secret:
        digest = sha256(self.values[name].encode()).hexdigest()[:12]
        used_by = [app for app, names in self._users.items() if name in names]
        return resources.Secret(name, digest, self._times[name], self._times[name], used_by=used_by)


def _set(name: str, value: str | None) -> None:
    os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value
