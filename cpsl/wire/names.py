"""What a name may look like, in one place: the SDK refuses it early, the gateway refuses it for good.

An app's name becomes a host name (RFC 1123 label), a secret's name an environment variable (POSIX), a mount path
a directory of the runtime.
"""

from __future__ import annotations

import re
from hashlib import sha256
from posixpath import normpath
from unicodedata import category, normalize

from cpsl.errors import InvalidRequest

_DEV = "-dev"
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_RESOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_RESERVED_VARIABLES = re.compile(
    r"(PATH|HOME|SHELL|USER|IFS|ENV|BASH_ENV|LD_.*|PYTHON.*|CAPSULE_.*|DYLD_.*|GCONV_PATH|TMPDIR)\Z"
)
_RESERVED_MOUNTS = (
    "/", "/app", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/run", "/sbin", "/sys", "/tmp",  # noqa: S108
    "/usr", "/var",
)  # fmt: skip
_RESERVED_FOLDERS = ("/app/", "/bin/", "/dev/", "/etc/", "/lib/", "/proc/", "/sys/", "/usr/")


def check_app_name(name: str) -> str:
    """Return ``name`` if it may name an app. Raises InvalidRequest (code ``invalid_app_name``)."""
    if isinstance(name, str) and _LABEL.match(name):
        return name
    raise InvalidRequest(
        f"{_shown(name)} cannot name an app",
        code="invalid_app_name",
        hint="Use 1 to 63 lower-case letters, digits and inner hyphens, like 'support-ops'.",
    )


def dev_app_name(name: str) -> str:
    """The name under which ``capsule serve`` deploys the app ``name``: one for each, as long as a name may be."""
    if len(name) + len(_DEV) <= 63:
        return name + _DEV
    digest = sha256(name.encode()).hexdigest()[:6]
    return f"{name[: 63 - len(_DEV) - 7].rstrip('-')}-{digest}{_DEV}"


def check_resource_name(name: str, kind: str = "resource") -> str:
    """Return ``name`` if it may name a filesystem, a channel or an integration (``kind`` is for the message)."""
    if isinstance(name, str) and _RESOURCE.match(name):
        return name
    raise InvalidRequest(
        f"{_shown(name)} cannot name a {kind}",
        code=f"invalid_{kind}_name",
        hint="Use 1 to 100 letters, digits, dots, underscores and hyphens; begin with a letter or a digit.",
    )


def check_secret_name(name: str) -> str:
    """Return ``name`` if it may name a secret, which is an environment variable of the app."""
    if not isinstance(name, str) or not _VARIABLE.match(name):
        hint = "Use letters, digits and underscores, like OPENAI_API_KEY; do not begin with a digit."
    elif _RESERVED_VARIABLES.match(name):
        hint = "This variable belongs to the runtime itself. Choose another name."
    else:
        return name
    raise InvalidRequest(f"{_shown(name)} cannot name a secret", code="invalid_secret_name", hint=hint)


def check_mount_path(path: str) -> str:
    """Return ``path`` if a filesystem may be mounted there: absolute, plain, and not a directory the runtime needs."""
    if not isinstance(path, str) or not path.startswith("/") or "\0" in path or normpath(path) != path:
        hint = "Use an absolute path without '..' or a trailing slash, like '/data'."
    elif path in _RESERVED_MOUNTS or path.startswith(_RESERVED_FOLDERS):
        hint = "The runtime needs this directory itself. Choose another, like '/data'."
    else:
        return path
    raise InvalidRequest(f"{_shown(path)} cannot be a mount path", code="invalid_mount_path", hint=hint)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…'"


def file_name(given: str) -> str:
    """The harmless name under which a file that a stranger called ``given`` is stored: one path part, never empty.

    Folders, control characters and marks that turn the direction of text are dropped, as are leading dots and hyphens
    (hidden files, options of programs); at most 200 bytes of UTF-8, so that `` (1)`` still fits (OWASP ASVS 5.3.2).
    """
    last = re.split(r"[/\\]", normalize("NFC", given))[-1]
    kept = "".join(mark for mark in last if category(mark) not in ("Cc", "Cs", "Cf", "Cn", "Zl", "Zp"))
    kept = kept.strip().lstrip(".- ").rstrip(". ")
    stem, dot, suffix = kept.rpartition(".")
    if not dot or len(suffix.encode()) > 20:
        stem, dot, suffix = kept, "", ""
    room = 200 - len((dot + suffix).encode())
    return stem.encode()[:room].decode("utf-8", "ignore").rstrip() + dot + suffix or "upload"


def numbered_name(name: str, attempt: int) -> str:
    """``report.csv``, then ``report (1).csv``, ``report (2).csv`` …"""
    if attempt == 0:
        return name
    stem, dot, suffix = name.rpartition(".")
    return f"{stem} ({attempt}).{suffix}" if dot and stem else f"{name} ({attempt})"
