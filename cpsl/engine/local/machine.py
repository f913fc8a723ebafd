"""What this machine offers for hosting apps, and what is missing: ``python -m cpsl.engine.local.machine [DIR]``.

Writes a JSON array. Each check is ``{"name", "state", "detail", "fix"}``; ``state`` is ``ok``, ``warn`` (something is
weaker than it could be) or ``fail`` (apps cannot be hosted). The last word has ``sandbox``: it really starts one, with
an app in DIR.
"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from cpsl.engine.local.cgroups import CONTROLLERS, Cgroups
from cpsl.engine.local.images.surroundings import find_uv
from cpsl.engine.local.zygote import Zygote
from cpsl.engine.protocol import AppBroken
from cpsl.errors import CapsuleError, NotFound
from cpsl.wire.frames import LogRecord, Question, Start

_KERNEL = (5, 12)
_SECONDS = 20.0
_SETTINGS = {
    "user/max_user_namespaces": ("0", "sysctl -w user.max_user_namespaces=15000"),
    "kernel/unprivileged_userns_clone": ("0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    "kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "Give the gateway's Python an AppArmor profile with 'userns,' in it (Ubuntu 24.04: see /etc/apparmor.d/chrome"
        " for one), or: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
}


class Check(msgspec.Struct):
    """One thing that was looked at. ``fix`` is what to do about it."""

    name: str
    state: str
    detail: str
    fix: str = ""


def checks(folder: str | None = None) -> list[Check]:
    """Look at this machine; ``folder``: on the disk that apps will lie on. Takes about a second."""
    if not sys.platform.startswith("linux"):
        return [Check("system", "fail", f"{platform.system()} cannot host apps", "Host them on Linux.")]
    return [_kernel(), *_switches(), _landlock(), _control_groups(), *_programs(), _sandbox(folder)]


def _kernel() -> Check:
    release = platform.release()
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    if numbers >= _KERNEL:
        return Check("kernel", "ok", f"Linux {release}")
    return Check("kernel", "fail", f"Linux {release} has no mount_setattr(2)", "Use Linux 5.12 or newer.")


def _switches() -> Iterator[Check]:
    """Settings by which distributions forbid user namespaces. Root may make them in spite of most."""
    for name, (bad, fix) in _SETTINGS.items():
        try:
            value = Path("/proc/sys", name).read_text().strip()
        except OSError:
            continue  # not a setting of this kernel
        state = "ok" if value != bad else "warn" if os.geteuid() == 0 and "max" not in name else "fail"
        yield Check(name.rpartition("/")[2], state, f"is {value}", fix if state != "ok" else "")


def _landlock() -> Check:
    from ctypes import CDLL, c_long, c_size_t

    version = int(CDLL(None).syscall(c_long(444), None, c_size_t(0), 1))
    if version >= 6:
        return Check("landlock", "ok", f"version {version}: abstract sockets and signals stay in their sandbox")
    detail = f"version {version}" if version > 0 else "not there"
    return Check("landlock", "warn", f"{detail}: apps can reach abstract sockets of this machine", "Use Linux 6.12.")


def _control_groups() -> Check:
    found = Cgroups.of_this_process()
    found.close()
    missing = [name for name in CONTROLLERS if name not in found.controllers]
    if not missing:
        return Check("cgroups", "ok", f"version {found.version}: {', '.join(sorted(found.controllers))}")
    return Check(
        "cgroups",
        "warn",
        f"no limit by the kernel to {', '.join(missing)}; the gateway watches memory by itself",
        "Start the gateway as a systemd service with Delegate=yes, or as root.",
    )


def _programs() -> Iterator[Check]:
    try:
        yield Check("uv", "ok", find_uv())
    except CapsuleError as error:
        yield Check("uv", "warn", f"{error.message}: no Python packages in images", error.hint or "")
    if shutil.which("apt-get") and shutil.which("dpkg-deb"):
        yield Check("apt", "ok", "images may have Debian packages")
    else:
        yield Check("apt", "warn", "not there: no apt_packages in images", "Host on Debian or Ubuntu to have them.")


def _sandbox(parent: str | None) -> Check:
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        (Path(folder) / "app.py").write_text('import cpsl\napp = cpsl.App(name="probe")\n')
        try:
            asyncio.run(_try(folder))
        except AppBroken as error:
            state = "fail" if error.code == "sandbox_unavailable" else "warn"
            fix = "See the checks above. Without isolation apps run too: capsule gateway start --isolation none"
            return Check("sandbox", state, error.message, fix)
    return Check("sandbox", "ok", "an app was imported in one")


async def _try(folder: str) -> None:
    async def answer(question: Question) -> object:
        raise NotFound("there is nothing here")

    def on_log(records: list[LogRecord]) -> None:
        return None

    start = Start("probe", 1, folder, "app.py:app")
    zygote = await Zygote.start(start, Cgroups(0, {}), answer, on_log, _SECONDS)
    await zygote.close()


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(checks(*sys.argv[1:2])) + b"\n")
