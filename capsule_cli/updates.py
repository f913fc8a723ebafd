"""A word about a newer version: only where the setting ``update_check`` is on, once a day, to a person at a terminal.

Nothing waits for it: a process of its own asks pip, which knows from where packages come here, and leaves the answer in
the state folder for the next command. ``python -m capsule_cli.updates`` is that process.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from capsule_cli import output
from cpsl import config, private_files
from cpsl._version import __version__
from cpsl.errors import ConfigError

_DAY_SECONDS = 24 * 3600
_PIP_SECONDS = 60
_PACKAGE = "capsule-cli"


def tell() -> None:
    """Say that there is a newer version, if one is known; have it looked for again, if that was a day ago."""
    with suppress(OSError, ValueError, ConfigError):  # a hint is not worth an error
        if not _wanted():
            return
        known, now = _read(), time.time()
        told = _is_newer(str(known.get("latest", ""))) and now - known.get("told_at", 0) > _DAY_SECONDS
        if told:
            output.whisper(
                f"capsule {known['latest']} is there, this is {__version__}. Upgrade: pip install --upgrade {_PACKAGE}"
            )
        due = now - known.get("checked_at", 0) > _DAY_SECONDS
        if told or due:
            _write(known | ({"told_at": now} if told else {}) | ({"checked_at": now} if due else {}))
        if due:
            _look_in_a_process_of_its_own()


def _wanted() -> bool:
    asked = os.environ
    if asked.get("CI") or asked.get("CAPSULE_NO_UPDATE_CHECK", "0") not in ("", "0") or output.mode() != "human":
        return False
    return bool(config.get("update_check"))


def _is_newer(latest: str) -> bool:
    return _numbers(latest) > _numbers(__version__)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version.partition("+")[0])]


def _read() -> dict[str, Any]:
    found = json.loads(private_files.read(_path(), secret=False) or b"{}")
    return found if isinstance(found, dict) else {}


def _write(known: dict[str, Any]) -> None:
    private_files.write(_path(), json.dumps(known).encode())


def _path() -> Path:
    return config.state_dir() / "update.json"


def _look_in_a_process_of_its_own() -> None:
    nothing = subprocess.DEVNULL
    argv = [sys.executable, "-P", "-m", "capsule_cli.updates"]
    subprocess.Popen(argv, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)


def look() -> None:
    """Ask pip for the newest version, and keep it for the next command. Raises what cannot be read or run."""
    argv = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "index", "versions", _PACKAGE]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_PIP_SECONDS, check=False)
    found = re.match(rf"{_PACKAGE} \(([^)\s]+)\)", done.stdout)
    if found:
        _write(_read() | {"latest": found[1]})


if __name__ == "__main__":
    look()
