"""``capsule __complete KIND``: the names of what there is, one a line, or nothing. Never slow, never an error.

It runs while somebody waits for a key to do something, so it goes neither through the parser nor through the client:
``http.client`` is there in a fifth of the time.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from cpsl import config

if TYPE_CHECKING:
    from http.client import HTTPConnection

    from cpsl.auth import Credentials

_START_SECONDS = 0.03  # what Python itself took before this could begin to count
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def main(arguments: list[str]) -> int:
    """Print the names of one kind, and return 0. The process ends when the time (the setting
    ``completion_timeout``, the start of Python included) is over, whatever it was doing.

    After the kind comes what was typed so far, and the app that it is about.
    """
    kind, typed, app, *_ = [*arguments, "", "", ""]
    try:
        _end_after(config.get("completion_timeout"))
        found = list(_names(kind, typed, app))
    except Exception:  # a key press is no place for a message
        return 0
    sys.stdout.write("".join(f"{name}\n" for name in found if name.isprintable()))
    sys.stdout.flush()
    return 0


def _end_after(seconds: float) -> None:
    limit = threading.Timer(max(seconds - _START_SECONDS, 0), os._exit, (0,))
    limit.daemon = True
    limit.start()


def _names(kind: str, typed: str, app: str) -> Iterable[str]:
    if kind == "profiles":
        return config.load().profiles
    if kind in _NAMED:
        return _each(*_NAMED[kind], "name")
    return _OF[kind](typed, app) if kind in _OF else ()


def _each(path: str, rows: str, name: str) -> list[str]:
    return [str(row[name]) for row in _ask(path)[rows]]


def _sessions(typed: str, app: str) -> list[str]:
    return _each(f"/app/{quote(app, safe='')}/sessions?limit=50", "sessions", "id")


def _users(typed: str, app: str) -> list[str]:
    return _each(f"/apps/{quote(app, safe='')}/users?limit=50", "users", "id")


def _versions(typed: str, app: str) -> list[str]:
    return [f"v{number}" for number in _each(f"/apps/{quote(app, safe='')}/versions", "versions", "version")]


def _goals(typed: str, app: str) -> list[str]:
    return ["live", "healthy", *_versions(typed, app)]


def _places(typed: str, app: str) -> list[str]:
    """``NAME:/`` before the colon; behind it what is in the folder that has been typed."""
    name, colon, path = typed.partition(":")
    if not colon:
        return [f"{each}:/" for each in _each(*_NAMED["filesystems"], "name")]
    folder = path[: path.rfind("/") + 1] or "/"
    query = urlencode({"path": folder, "limit": "1000"})
    entries = _ask(f"/fs/{quote(name, safe='')}/list?{query}")["entries"]
    return [f"{name}:{folder}{each['name']}{'/' if each['is_folder'] else ''}" for each in entries]


_NAMED = {
    "apps": ("/apps", "apps"),
    "channels": ("/channels", "channels"),
    "filesystems": ("/fs", "filesystems"),
    "secrets": ("/secrets", "secrets"),
}
_OF: dict[str, Callable[[str, str], list[str]]] = {
    "goals": _goals,
    "places": _places,
    "sessions": _sessions,
    "users": _users,
    "versions": _versions,
}


def _ask(path: str) -> Any:
    """What the gateway answers, from JSON. An answer that leads elsewhere is none: the token stays here."""
    import json

    from cpsl.auth.resolve import resolve

    found = resolve()
    base = urlsplit(found.gateway_url).path
    with closing(_connection(found.gateway_url)) as connection:
        connection.request("GET", f"{base}/api/v1{path}", headers=_headers(found))
        answer = connection.getresponse()
        return json.loads(answer.read()) if answer.status == 200 else {}


def _headers(found: Credentials) -> dict[str, str]:
    return {"Authorization": f"Bearer {found.token}", "Accept": "application/json"}


def _connection(url: str) -> HTTPConnection:
    """To the gateway; to one elsewhere through the proxy of the environment, if there is one."""
    from http.client import HTTPConnection, HTTPSConnection

    place = urlsplit(url)
    kind = HTTPSConnection if place.scheme == "https" else HTTPConnection
    proxy = _proxy(place.scheme, place.hostname or "", url)
    if proxy is None:
        return kind(place.hostname or "", place.port)
    through = kind(proxy.hostname or "", proxy.port)
    through.set_tunnel(place.hostname or "", place.port)
    return through


def _proxy(scheme: str, host: str, url: str) -> SplitResult | None:
    if config.is_loopback(url) or not any(os.environ.get(name) for name in _PROXIES):
        return None
    from urllib.request import getproxies, proxy_bypass

    chosen = getproxies().get(scheme) or getproxies().get("all")
    return urlsplit(chosen) if chosen and not proxy_bypass(host) else None
