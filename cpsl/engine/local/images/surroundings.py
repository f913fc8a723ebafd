"""What a build sees of this machine besides its programs: the interpreter, uv, and how to reach the network."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cpsl.engine.local.images.recipe import interpreter
from cpsl.errors import DeployFailed
from cpsl.wire.builds import VENV, BuildBind

INSIDE = "/run/build"
UV = f"{INSIDE}/uv"
_PATH = f"{VENV}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{INSIDE}"
_HOME = "/home/build"
_PASSED = re.compile(
    r"(https?|ftp|no|all)_proxy|LANG|TZ"
    r"|UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|INDEX_STRATEGY|INDEX_\w+_(USERNAME|PASSWORD))"
    r"|UV_(NATIVE_TLS|SYSTEM_CERTS|INSECURE_HOST|HTTP_TIMEOUT|HTTP_RETRIES|OFFLINE|EXCLUDE_NEWER|CONCURRENT_\w+)",
    re.IGNORECASE,
)
_NAMED = re.compile(r"([\w.-]+=)([a-z/].*)")
_FROM_PIP = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_DEFAULT_TIMEOUT": "UV_HTTP_TIMEOUT",
}
_PLACES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
_CERTIFICATES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Surroundings:
    """The binds and the environment of a build, made from an environment like the gateway's.

    Proxies, package indexes and the file of certificates are taken over; local folders and files among them are shown
    inside. Nothing else of the environment is.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.binds = _interpreter()
        self.environment = {
            "PATH": _PATH,
            "HOME": _HOME,
            "LANG": "C.UTF-8",
            "VIRTUAL_ENV": VENV,
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "DEBIAN_FRONTEND": "noninteractive",
            "NO_COLOR": "1",
            "UV_CACHE_DIR": "/tmp/uv",  # noqa: S108 - the build's own
            "UV_LINK_MODE": "copy",
            "UV_COMPILE_BYTECODE": "1",
            "UV_NO_PROGRESS": "1",
            "UV_PYTHON_DOWNLOADS": "never",
        }
        self._take_over(environment)

    def _take_over(self, environment: Mapping[str, str]) -> None:
        for name, value in environment.items():
            if _PASSED.fullmatch(name):
                self.environment[name] = value
        for name, own in _FROM_PIP.items():
            if name in environment:
                self.environment.setdefault(own, environment[name])
        for name in _PLACES:
            if name in self.environment:
                self.environment[name] = self._reachable(name, self.environment[name])
        certificates = next((environment[name] for name in _CERTIFICATES if environment.get(name)), None)
        if certificates and os.path.isfile(certificates):
            inside = self._show(certificates, "certificates.pem")
            self.environment.update(dict.fromkeys((*_CERTIFICATES, "NODE_EXTRA_CA_CERTS"), inside))

    def _reachable(self, name: str, value: str) -> str:
        """The places of an index setting, with those on this machine at where they are inside."""
        # uv parts links by commas, indexes by spaces; pip both by spaces.
        separator = "," if name == "UV_FIND_LINKS" else " "
        return separator.join(
            self._place(place) for place in re.split(r"[\s,]+" if separator == "," else r"\s+", value)
        )

    def _place(self, place: str) -> str:
        if named := _NAMED.fullmatch(place):
            return named[1] + self._place(named[2])
        url = urlsplit(place)
        path = unquote(url.path) if url.scheme == "file" else place
        if not os.path.isabs(path) or not os.path.exists(path):
            return place
        inside = self._show(path, f"place{len(self.binds)}")
        return f"file://{inside}" if url.scheme == "file" else inside

    def _show(self, source: str, name: str) -> str:
        self.binds.append(BuildBind(os.path.realpath(source), f"{INSIDE}/{name}"))
        return f"{INSIDE}/{name}"


def find_uv() -> str:
    """The path of the ``uv`` program. Raises DeployFailed (code ``uv_missing``)."""
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("uv") or _packaged_uv()
    if found is None:
        raise DeployFailed(
            "The gateway has no uv, which installs the Python packages of images",
            code="uv_missing",
            hint="Install it where the gateway runs: pip install uv",
        )
    return os.path.realpath(found)


def _packaged_uv() -> str | None:
    try:
        from uv import find_uv_bin  # only where uv was installed as a package

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return None


def _interpreter() -> list[BuildBind]:
    """Python itself, without the packages of the gateway: at the path that it knows, and at its real one."""
    outer: list[str] = []
    for path in sorted(_forms([sys.base_prefix, sys.base_exec_prefix, str(Path(interpreter()).parents[1])])):
        if not any(path == folder or path.startswith(f"{folder}/") for folder in ["/usr", *outer]):
            outer.append(path)
    return [BuildBind(os.path.realpath(path), path) for path in outer]


def _forms(paths: Iterable[str]) -> set[str]:
    return {form(path) for path in paths for form in (os.path.abspath, os.path.realpath)} - {"/"}
