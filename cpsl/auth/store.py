"""Where tokens and keys are kept: the system's keyring, or a 0600 file where there is none.

A keyring can be absent, hang on a locked collection, or start a daemon per call. So it is probed once, in a process
of its own with a time limit, and the result is remembered in ``config.toml``; ``CAPSULE_KEYRING`` (auto, on, off)
overrules it. The file is only written when the keyring fails, hence what it holds is newer and is read first.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from cpsl import config, private_files
from cpsl.errors import ConfigError

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
    import keyring

    try:
        keyring.set_password(_SERVICE, name, value)
        return keyring.get_password(_SERVICE, name) == value
    except Exception:  # backends raise whatever their system raises; the file is there for all of it
        return False


def _keyring_read(name: str) -> str | None:
    import keyring

    try:
        return keyring.get_password(_SERVICE, name)
    except Exception as error:
        raise ConfigError(
            f"The keyring did not give the token ({type(error).__name__})",
            code="keyring_failed",
            hint="Unlock it, or run CAPSULE_KEYRING=off capsule login to keep the token in a file.",
        ) from None


def _keyring_delete(name: str) -> None:
    import keyring
    from keyring.errors import PasswordDeleteError

    try:
        keyring.delete_password(_SERVICE, name)
    except PasswordDeleteError:
        return  # it was not there
    except Exception as error:
        raise ConfigError(
            f"The keyring did not delete {name!r} ({type(error).__name__})",
            code="keyring_failed",
            hint="Unlock it and try again.",
        ) from None


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
