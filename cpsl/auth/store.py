"""Where tokens and keys are kept: the system's keyring, or a 0600 file where there is none.

A keyring can be absent, hang on a locked collection, or start a daemon per call. So it is probed once, in a process
of its own with a time limit, and the result is remembered in ``config.toml``; ``CAPSULE_KEYRING`` (auto, on, off)
overrules it. Every later use has the same limit. The file is only written when the keyring fails, hence what it holds
is newer and is read first.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TypeVar

import msgspec

from cpsl import config, private_files
from cpsl.errors import ConfigError

T = TypeVar("T")
KEYRING = "keyring"
"""What ``write`` and ``read`` call the place when it is the keyring; else it is the path of the file."""

_SERVICE = "capsule"
# Writes, reads back and deletes: a keyring that can be listed but is locked fails only when it is used. The backend
# with priority below 1 is the one that always fails, or one that stores in clear text where anyone may look.
_PROBE = f"""
import keyring, secrets, sys
name, value = "probe-" + secrets.token_hex(8), secrets.token_hex(8)
if keyring.get_keyring().priority < 1:
    sys.exit(1)
keyring.set_password({_SERVICE!r}, name, value)
same = keyring.get_password({_SERVICE!r}, name) == value
keyring.delete_password({_SERVICE!r}, name)
sys.exit(0 if same else 1)
"""


def write(name: str, value: str) -> str:
    """Keep ``value`` under ``name``; return where: ``keyring`` or the file's path. A failing keyring means the file."""
    if keyring_works() and _keyring_write(name, value):
        _change_file(name, None)
        return KEYRING
    _change_file(name, value)
    return str(file_path())


def read(name: str) -> tuple[str, str] | None:
    """The value kept under ``name`` and where it was, or None. Raises ConfigError if the file is open to others."""
    in_file = _load_file().get(name)
    if in_file is not None:
        return in_file, str(file_path())
    in_keyring = _keyring_read(name) if _may_use_keyring() else None
    return None if in_keyring is None else (in_keyring, KEYRING)


def delete(name: str) -> None:
    """Forget ``name`` wherever it is kept; nothing happens if it is not."""
    if name in _load_file():
        _change_file(name, None)
    if _may_use_keyring():
        _keyring_delete(name)


def file_path() -> Path:
    """The file that is used where there is no keyring."""
    return config.config_dir() / "credentials.json"


def keyring_works() -> bool:
    """Whether the keyring is to be used; probes it if nobody has yet."""
    mode = config.get("keyring")
    if mode != "auto":
        return bool(mode == "on")
    remembered = config.load().keyring_works
    if remembered is not None:
        return remembered
    works = probe()
    config.remember_keyring(works)
    return works


def probe() -> bool:
    """Try the keyring in a process of its own, which is ended after the setting ``keyring_timeout``."""
    quiet = subprocess.DEVNULL
    try:
        # -I keeps a keyring.py in the working directory out of it.
        ended = subprocess.run(
            [sys.executable, "-I", "-c", _PROBE],
            stdin=quiet, stdout=quiet, stderr=quiet, timeout=config.get("keyring_timeout"), check=False,
        )  # fmt: skip
    except (subprocess.TimeoutExpired, OSError):
        return False
    return ended.returncode == 0


def _may_use_keyring() -> bool:
    """For reading: nothing can be in a keyring that was never found to work, so it need not be probed."""
    mode = config.get("keyring")
    return bool(mode == "on" or (mode == "auto" and config.load().keyring_works))


def _keyring_write(name: str, value: str) -> bool:
    def write() -> bool:
        import keyring

        keyring.set_password(_SERVICE, name, value)
        return keyring.get_password(_SERVICE, name) == value

    try:
        return _in_time(write)
    except Exception:  # backends raise whatever their system raises; the file is there for all of it
        return False


def _keyring_read(name: str) -> str | None:
    def read() -> str | None:
        import keyring

        return keyring.get_password(_SERVICE, name)

    try:
        return _in_time(read)
    except Exception as error:
        raise _failed("give the token", error) from None


def _keyring_delete(name: str) -> None:
    def delete() -> None:
        import keyring
        from keyring.errors import PasswordDeleteError

        with suppress(PasswordDeleteError):  # it was not there
            keyring.delete_password(_SERVICE, name)

    try:
        _in_time(delete)
    except Exception as error:
        raise _failed(f"delete {name!r}", error) from None


class _Silent(Exception):
    """The keyring does not answer."""


def _in_time(work: Callable[[], T]) -> T:
    """What ``work`` returns. Raises _Silent when that takes longer than the setting ``keyring_timeout``.

    A keyring that was found to work may hang later: it waits for a password where nobody can type one.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except Exception as error:
            done.set_exception(error)

    Thread(target=run, daemon=True).start()  # such a thread ends with the process, whatever it waits for
    limit = config.get("keyring_timeout")
    try:
        return done.result(limit)
    except TimeoutError:
        if done.done():
            raise
        raise _Silent(f"no answer in {limit:g} seconds") from None


def _failed(what: str, error: Exception) -> ConfigError:
    why = str(error) if isinstance(error, _Silent) else type(error).__name__
    longer = "\nIf it only takes longer: capsule config set keyring_timeout 20" if isinstance(error, _Silent) else ""
    return ConfigError(
        f"The keyring did not {what} ({why})",
        code="keyring_failed",
        hint=f"Unlock it, or run CAPSULE_KEYRING=off capsule login to keep the token in a file.{longer}",
    )


def _load_file() -> dict[str, str]:
    content = private_files.read(file_path())
    if not content:
        return {}
    try:
        return msgspec.json.decode(content, type=dict[str, str])
    except msgspec.DecodeError:
        hint = "Move it away and run 'capsule login' again."
        raise ConfigError(f"{file_path()} is damaged", hint=hint) from None


def _change_file(name: str, value: str | None) -> None:
    if value is None and not file_path().exists():
        return
    with private_files.locked(file_path()):
        entries = {key: kept for key, kept in _load_file().items() if key != name}
        if value is not None:
            entries[name] = value
        private_files.write(file_path(), msgspec.json.format(msgspec.json.encode(entries)))
