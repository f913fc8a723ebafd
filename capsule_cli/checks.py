"""What ``capsule doctor`` looks at. Each check says what it found, and what to do if that is not good."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from capsule_cli import daemon, output
from cpsl.errors import CapsuleError, ConfigError, NotLoggedIn

if TYPE_CHECKING:
    from cpsl.auth import Credentials
    from cpsl.client import Client
    from cpsl.wire.accounts import Me

OK, WARN, FAIL = "ok", "warn", "fail"

_TIMEOUT_SECONDS = 10.0
_CLOCK_SECONDS = 5.0
_LITTLE_SPACE, _NO_SPACE = 1024**3, 100 * 1024**2
_OLDEST_SQLITE = (3, 35, 0)  # the first with RETURNING
_MACHINE = "cpsl.engine.local.machine"


class Check(NamedTuple):
    """One line of the report. ``state`` is ``ok``, ``warn`` or ``fail``; ``fix`` is empty if there is nothing to do."""

    name: str
    state: str
    detail: str
    fix: str = ""


def all_checks(profile: str | None) -> Iterator[Check]:
    """Every check that makes sense here, as it is done."""
    yield _python()
    yield _path()
    yield _guarded("config", _config)
    yield _guarded("state", _state)
    yield _guarded("keyring", _keyring)
    yield from _login(profile)
    folder = _gateways_folder()
    if folder is not None:
        yield from _hosting(folder)
    if folder is not None or find_spec("litestar"):
        yield from machine_checks(_MACHINE, *([folder] if folder else []))


def machine_checks(module: str, *folder: str) -> Iterator[Check]:
    """What the kernel offers for keeping apps apart, by a program that prints it as JSON; nothing without one.

    ``folder``: where a gateway keeps its data; what the disk there can do counts too.
    """
    argv = [sys.executable, "-P", "-m", module, *folder]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode and f"No module named {module}" in done.stderr:
        return
    try:
        for found in json.loads(done.stdout):
            yield Check(str(found["name"]), str(found["state"]), str(found["detail"]), str(found.get("fix") or ""))
    except (ValueError, TypeError, KeyError):
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        yield Check("machine", FAIL, f"the machine could not be examined: {last}", f"Run: python -m {module}")


def _gateways_folder() -> str | None:
    """The data directory of the gateway on this machine, if it ever had one."""
    try:
        folder = daemon.data_dir(None)
    except ConfigError:
        return None  # which the check of the config has told
    return str(folder) if (folder / "gateway.lock").exists() else None


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except CapsuleError as error:
        return Check(name, FAIL, error.message, error.hint or "")
    except OSError as error:
        return Check(name, FAIL, f"{error.strerror}: {error.filename}")


def _python() -> Check:
    from cpsl._version import __version__

    return Check("version", OK, f"capsule {__version__}, Python {sys.version.split()[0]}, {sys.executable}")


def _path() -> Check:
    found = shutil.which("capsule")
    here = os.path.dirname(sys.executable)
    if found is None:
        return Check("path", WARN, "no capsule on the PATH", f"Add {here} to it, or run: python -m capsule_cli")
    if os.path.realpath(os.path.dirname(found)) != os.path.realpath(here):
        return Check("path", WARN, f"{found} comes first, which is not the one that runs", f"Put {here} first.")
    return Check("path", OK, found)


def _state() -> Check:
    from cpsl import config

    folder = config.state_dir()
    if folder.exists() and not os.access(folder, os.W_OK):
        return Check("state", FAIL, f"{folder} is not writable", f"Run: chmod u+w {folder}")
    if os.name == "posix" and folder.exists() and folder.stat().st_mode & 0o022:
        return Check("state", FAIL, f"{folder} can be written by others", f"Run: chmod go-w {folder}")
    return Check("state", OK, f"{folder}")


def _config() -> Check:
    from cpsl import config

    folder = config.config_dir()
    if not folder.exists():
        return Check("config", OK, f"{folder} is not there yet: it comes with the first login")
    if os.name == "posix" and folder.stat().st_mode & 0o022:
        return Check("config", FAIL, f"{folder} can be written by others", f"Run: chmod go-w {folder}")
    profiles = config.load().profiles
    if not os.access(folder, os.W_OK):
        return Check("config", FAIL, f"{folder} is not writable", f"Run: chmod u+w {folder}")
    return Check("config", OK, f"{folder}: {len(profiles)} profile{'s'[: len(profiles) != 1]}")


def _keyring() -> Check:
    from cpsl import config
    from cpsl.auth import store

    mode = config.get("keyring")
    if mode == "off":
        return Check("keyring", OK, f"not used (setting keyring); tokens are kept in {store.file_path()}")
    if store.probe():
        return Check("keyring", OK, "works")
    if mode == "on" or config.load().keyring_works:
        return Check("keyring", FAIL, "does not work", "Unlock it, or set CAPSULE_KEYRING=off to use a file.")
    return Check("keyring", OK, f"none that works here; tokens are kept in {store.file_path()}")


def _login(profile: str | None) -> Iterator[Check]:
    from cpsl import auth

    try:
        credentials = auth.resolve(profile=profile)
    except NotLoggedIn as error:
        yield Check("login", WARN, error.message, error.hint or "")
        return
    except CapsuleError as error:
        yield Check("login", FAIL, error.message, error.hint or "")
        return
    yield Check("login", OK, f"the token comes from {credentials.source}")
    yield from _gateway(credentials)


def _gateway(credentials: Credentials) -> Iterator[Check]:
    from cpsl.client import Client

    began = time.monotonic()
    try:
        with Client(credentials.token, credentials.gateway_url, max_retries=0, timeout=_TIMEOUT_SECONDS) as client:
            me = client.me()
            took = (time.monotonic() - began) * 1000
            outside = _outside(client)
    except CapsuleError as error:
        yield Check("gateway", FAIL, error.message, error.hint or "")
        return
    yield Check("gateway", OK, f"{credentials.gateway_url} knows you as {me.account.email} ({took:.0f} ms)")
    yield from _about(me)
    yield outside
    yield _guarded("clock", lambda: _clock(credentials.gateway_url))


def _outside(client: Client) -> Check:
    """Whether messengers can reach the gateway: at the address that it gives to its apps, from the internet."""
    channels = client.channels.list()
    if not channels:
        return Check("webhooks", OK, "no channels: nobody outside has to reach the gateway")
    from urllib.parse import urlsplit

    apps = client.apps.list()
    place = urlsplit(str(apps[0].url) if apps else client.gateway_url)
    url = f"{place.scheme}://{place.netloc}"
    state, detail = seen_from_outside(url)
    fix = f"Give it an https address that the internet reaches: {', '.join(each.name for each in channels)} needs one."
    return Check("webhooks", state, detail, "" if state == OK else fix)


def seen_from_outside(url: str) -> tuple[str, str]:
    """State and detail of an address that messengers are to reach; from here, for want of a better place."""
    import httpx

    from cpsl import config

    if config.is_loopback(url):
        return WARN, f"{url} is this machine only: no messenger reaches it"
    if not url.startswith("https://"):
        return WARN, f"{url} is not https, which messengers ask for"
    try:
        answered = httpx.get(f"{url}/healthz", timeout=_TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        return WARN, f"{url} cannot be reached ({type(error).__name__})"
    good = answered.status_code == 200
    return (OK if good else WARN), f"{url} answers" + ("" if good else f" with HTTP {answered.status_code}")


def _about(me: Me) -> Iterator[Check]:
    from cpsl._version import __version__
    from cpsl.wire.accounts import NO_ISOLATION

    if me.gateway_version == __version__:
        yield Check("versions", OK, f"the gateway is version {me.gateway_version} too")
    else:
        detail = f"the gateway is version {me.gateway_version}, this is {__version__}"
        yield Check("versions", WARN, detail, "Upgrade the older one: pip install --upgrade capsule-cli")
    if me.isolation == "none":
        yield Check("isolation", WARN, NO_ISOLATION, "Start it without: capsule gateway start")


def _clock(url: str) -> Check:
    from email.utils import parsedate_to_datetime

    import httpx

    from cpsl import config

    try:
        # What is on this machine is not asked through a proxy, as by the client.
        away = not config.is_loopback(url)
        said = httpx.get(f"{url}/healthz", timeout=_TIMEOUT_SECONDS, trust_env=away).headers["date"]
        apart = abs(parsedate_to_datetime(said).timestamp() - time.time())
    except (httpx.HTTPError, KeyError, ValueError):
        return Check("clock", WARN, "the gateway does not say what time it is")
    if apart < _CLOCK_SECONDS:
        return Check("clock", OK, "the gateway's shows the same time")
    return Check("clock", WARN, f"the gateway's is {apart:.0f} seconds off", "Synchronise both clocks (NTP).")


def _hosting(folder: str) -> Iterator[Check]:
    yield _guarded("packages", _packages)
    yield _guarded("sqlite", lambda: _sqlite(folder))
    yield _uv()
    yield _guarded("port", _port)
    free = shutil.disk_usage(folder).free
    state = FAIL if free < _NO_SPACE else WARN if free < _LITTLE_SPACE else OK
    fix = "" if state == OK else "Make room: capsule app list shows what is deployed."
    yield Check("disk", state, f"{output.size(free)} free in {folder}", fix)
    if not os.access(folder, os.W_OK):
        yield Check("data", FAIL, f"{folder} is not writable", f"Run: chmod u+rwx {folder}")


def _sqlite(folder: str) -> Check:
    """Whether SQLite is new enough, and the store in ``folder``, if it is there, has its write-ahead log."""
    import sqlite3

    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        oldest = ".".join(map(str, _OLDEST_SQLITE))
        return Check("sqlite", FAIL, f"SQLite {sqlite3.sqlite_version} is too old", f"Use a Python with {oldest}.")
    path = os.path.join(folder, "capsule.db")
    if not os.path.exists(path):
        return Check("sqlite", OK, f"SQLite {sqlite3.sqlite_version}")
    try:
        with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)) as store:
            [journal] = store.execute("PRAGMA journal_mode").fetchone()
    except sqlite3.Error as error:
        return Check("sqlite", FAIL, f"{path} cannot be read: {error}", "See: capsule gateway logs")
    if journal != "wal":
        fix = "Keep the data directory on a disk of this machine, not on a network's, and restart the gateway."
        return Check("sqlite", WARN, f"the store has no write-ahead log (journal: {journal})", fix)
    return Check("sqlite", OK, f"SQLite {sqlite3.sqlite_version}, with its write-ahead log (WAL)")


def _uv() -> Check:
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    found = shutil.which(beside) or shutil.which("uv")
    if found is None:
        return Check(
            "uv", WARN, "no uv: images with packages cannot be built", "Run: pip install 'capsule-cli[gateway]'"
        )
    return Check("uv", OK, found)


def _port() -> Check:
    """Whether the port that the gateway would listen on is free, or the gateway's own."""
    import socket

    from cpsl import config

    running = daemon.find(daemon.data_dir(None))
    if running is not None:
        return Check("port", OK, f"the gateway listens at {running.url}")
    place = (config.get("gateway_host"), config.get("gateway_port"))
    with socket.socket() as probe:
        probe.settimeout(1.0)
        taken = place[1] != 0 and probe.connect_ex(place) == 0
    if taken:
        fix = "End what listens there, or choose another: capsule config set gateway_port 1981"
        return Check("port", WARN, f"port {place[1]} is in use by another program", fix)
    return Check("port", OK, f"port {place[1]} is free")


def _packages() -> Check:
    daemon.require_extra()
    return Check("packages", OK, "those of the gateway are installed")
