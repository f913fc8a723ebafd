"""A PostgreSQL server of the tests' own, if this machine has one to start."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from itertools import count
from pathlib import Path

import psycopg

_NUMBERS = count(1)
_OPTIONS = "-c fsync=off -c listen_addresses= -c max_connections=60 -k"


class Postgres:
    """Listens on a socket in a folder of its own; ``database`` makes an empty database in it."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="capsule-pg-"))
        self._user = "postgres" if os.getuid() == 0 else ""  # the server refuses to run as root
        if self._user:
            shutil.chown(self.folder, self._user)

    def start(self) -> None:
        self._run("initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "-D", self._data)
        options = f"{_OPTIONS} {self.folder}"
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", f"{self._data}/log", "-o", options)

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-m", "immediate", "-D", self._data)
        shutil.rmtree(self.folder)

    def database(self) -> str:
        """The URL of a new database."""
        name = f"capsule_{next(_NUMBERS)}"
        with psycopg.connect(f"host={self.folder} user=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@/{name}?host={self.folder}"

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _run(self, program: str, *arguments: str) -> None:
        argv = [str(self._programs / program), *arguments]
        done = subprocess.run(
            argv, user=self._user or None, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def programs() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl``, the newest if there are several."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)
