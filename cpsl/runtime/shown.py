"""What of the machine itself is shown in a sandbox: its programs, what they need to be configured with, a few devices.

The same for an app and for the build of its image, so it stands here once: what is not named is in neither.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cpsl.runtime import kernel, mounts

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_CONFIGURATION = (
    "alternatives", "ca-certificates", "fonts", "gai.conf", "host.conf", "hosts", "ld.so.cache", "ld.so.conf",
    "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf", "os-release", "pki/ca-trust", "pki/tls/cert.pem",
    "pki/tls/certs", "protocols", "resolv.conf", "services", "ssl/certs", "ssl/openssl.cnf", "timezone",
)  # fmt: skip
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
_HIDDEN = kernel.ATTR_NOSUID | kernel.ATTR_NODEV


@dataclass(frozen=True)
class Bind:
    """What lies at ``source`` outside will be at ``target`` inside. ``owned``: it belongs to whoever runs the app."""

    source: str
    target: str
    read_only: bool = True
    owned: bool = False

    @property
    def attributes(self) -> int:
        """What is forbidden on the mount."""
        if self.source.startswith("/dev/"):
            return kernel.ATTR_NOSUID
        return _HIDDEN | (kernel.ATTR_RDONLY if self.read_only else 0)


def system() -> Iterator[Bind]:
    """The folders of programs and libraries. Those that are links will be links."""
    return (Bind(path, path) for path in _SYSTEM if os.path.isdir(path) and not os.path.islink(path))


def configuration() -> Iterator[Bind]:
    """What programs read below /etc. Nothing in it is secret."""
    for name in _CONFIGURATION:
        source = os.path.realpath(f"/etc/{name}")
        if os.path.exists(source):
            yield Bind(source, f"/etc/{name}")


def devices() -> Iterator[Bind]:
    """Devices that hold nothing."""
    return (Bind(f"/dev/{name}", f"/dev/{name}") for name in _DEVICES if os.path.exists(f"/dev/{name}"))


def put_together(root: str, binds: Iterable[Bind], trees: Iterable[int]) -> None:
    """Make ``root`` an empty folder in memory and hang the trees in; no mount leaves this namespace. Raises OSError."""
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    mounts.tmpfs(root, "0755")
    for path in _SYSTEM:
        if os.path.islink(path):
            os.symlink(os.readlink(path), root + path)
    for bind, tree in zip(binds, trees, strict=True):
        mounts.attach(tree, root + bind.target)
    for name, target in _DEVICE_LINKS.items():
        os.symlink(target, f"{root}/dev/{name}")
