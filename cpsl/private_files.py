"""Files for their owner only: 0600 in a 0700 folder, written whole or not at all, never through a link."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cpsl.errors import ConfigError


def folder(path: Path) -> Path:
    """Make a folder 0700, whatever the umask; refuse one in which others could swap our files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        _refuse_shared(path)
    return path


def _refuse_shared(path: Path) -> None:
    facts = path.stat()
    if not stat.S_ISDIR(facts.st_mode):
        raise ConfigError(f"{path} is not a folder", code="unsafe_file", hint="Move it away and try again.")
    if os.name == "posix" and facts.st_mode & 0o022:
        raise ConfigError(f"{path} can be written by others", code="unsafe_file", hint=f"Run: chmod go-w {path}")


def write(path: Path, content: bytes) -> None:
    """Write a file 0600, whole or not at all. Raises ConfigError (code ``unsafe_file``) for a symlink in its place."""
    folder(path.parent)
    if path.is_symlink():
        raise _unsafe(path, "is a symbolic link")
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        _write_new(draft, content)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _write_new(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, *, secret: bool = True) -> bytes | None:
    """The content of a file, or None if there is none.

    Raises ConfigError (code ``unsafe_file``) for a symlink, for what is no file, and, if it holds a ``secret``, when
    others may read it.
    """
    if path.is_symlink():
        raise _unsafe(path, "is a symbolic link")
    if path.is_dir():
        raise _unsafe(path, "is a folder")
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unsafe(path, f"cannot be read ({error.strerror})") from None
    with os.fdopen(descriptor, "rb") as file:
        _check_private(path, os.fstat(file.fileno()).st_mode, secret)
        return file.read()


def _check_private(path: Path, mode: int, secret: bool) -> None:
    if not stat.S_ISREG(mode):
        raise _unsafe(path, "is not a regular file")
    if os.name == "posix" and mode & (0o077 if secret else 0o022):
        raise ConfigError(
            f"{path} is open to others (mode {stat.S_IMODE(mode):04o})",
            code="unsafe_file",
            hint=f"Run: chmod 600 {path}",
        )


def _unsafe(path: Path, why: str) -> ConfigError:
    return ConfigError(f"{path} {why}", code="unsafe_file", hint="Move it away and try again.")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from changing ``path`` meanwhile (flock on a file beside it; a no-op without flock)."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    lock = folder(path.parent) / f".{path.name}.lock"
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(lock, flags, 0o600), "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
