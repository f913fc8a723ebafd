"""Debian packages, downloaded as an ordinary user: those that the machine lacks, with all that they need.

apt works with folders of its own, from the machine's sources and keys, against what the machine has installed: that is
what the image will lie on.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from cpsl.engine.local.images.output import READ_LIMIT, Output
from cpsl.errors import DeployFailed

_FRESH_SECONDS = 3600.0
_KEPT_SETTINGS = ("Acquire::", "APT::Architecture", "APT::Default-Release", "Dir::Etc::")
_ENVIRONMENT = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")


class Debian:
    """apt with its own state in ``folder``; the lists of packages in it are shared by all builds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = asyncio.Lock()

    async def download(self, packages: Sequence[str], target: Path, output: Output) -> list[str]:
        """Put the archives of these packages, and of what they need, into ``target``; their paths.

        Raises DeployFailed (code ``image_build_failed``, or ``apt_missing`` on a machine without apt).
        """
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            raise DeployFailed(
                "This machine has no apt, so apt_packages cannot be installed",
                code="apt_missing",
                hint="Run the gateway on Debian or Ubuntu, or leave apt_packages out of the image.",
            )
        (target / "partial").mkdir(parents=True)
        async with self._lock:
            settings = await self._settings(target)
            output.add(f"--- Debian packages: {' '.join(packages)}")
            is_fresh = await self._refresh(settings, output, _FRESH_SECONDS)
            install = ("install", "--download-only", "--no-install-recommends", "--no-remove", "--", *packages)
            try:
                await _apt(settings, install, output)
            except DeployFailed:
                if is_fresh:
                    raise
                await self._refresh(settings, output, 0.0)  # what the lists name may have been replaced since
                await _apt(settings, install, output)
        return sorted(str(archive) for archive in target.glob("*.deb"))

    async def _settings(self, target: Path) -> Path:
        """A file with how to reach the machine's sources, and folders of our own for all that apt writes."""
        kept = [line for line in await _dump() if line.startswith(_KEPT_SETTINGS)]
        for name in ("state/lists/partial", "cache"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        own = {
            "Dir::State": self._folder / "state",
            "Dir::State::lists": self._folder / "state/lists",
            "Dir::State::status": "/var/lib/dpkg/status",
            "Dir::Cache": self._folder / "cache",
            "Dir::Cache::archives": target,
            "Dir::Log": self._folder / "cache",
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::parts": "/dev/null",
            "APT::Sandbox::User": "",
            "APT::Get::Assume-Yes": "true",
            "Acquire::Languages": "none",
            "Debug::NoLocking": "true",
        }
        file = target / "apt.conf"
        file.write_text("\n".join([*kept, *(f'{name} "{value}";' for name, value in own.items()), ""]))
        return file

    async def _refresh(self, settings: Path, output: Output, seconds: float) -> bool:
        """Get lists that are younger than ``seconds``; whether they were got just now."""
        stamp = self._folder / "refreshed"
        with suppress(FileNotFoundError):
            if time.time() - stamp.stat().st_mtime < seconds:
                return False
        await _apt(settings, ("update", "--error-on=any"), output)
        stamp.touch()
        return True


async def _apt(settings: Path, arguments: Sequence[str], output: Output) -> None:
    async with _running("apt-get", "-q", *arguments, settings=settings) as process:
        assert process.stdout is not None
        await output.read(process.stdout)
        status = await process.wait()
    if status != 0:
        raise DeployFailed(
            f"The image could not be built: apt-get {arguments[0]} ended with exit status {status}",
            code="image_build_failed",
            hint=output.last,
        )


async def _dump() -> list[str]:
    async with _running("apt-config", "dump") as process:
        out, _ = await process.communicate()
    return out.decode(errors="replace").splitlines()


@asynccontextmanager
async def _running(*argv: str, settings: Path | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    own = {"APT_CONFIG": str(settings)} if settings else {}
    process = await asyncio.create_subprocess_exec(
        *argv,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", **kept, **own},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=READ_LIMIT,
        cwd="/",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()
