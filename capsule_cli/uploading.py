"""Files and folders going up."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from capsule_cli import output, progress
from capsule_cli.addresses import Address
from capsule_cli.crowd import Crowd, Meter
from capsule_cli.errors import UsageError
from capsule_cli.hashing import sha256_of
from cpsl.errors import Conflict, NotFound

if TYPE_CHECKING:
    from cpsl.client import Client
    from cpsl.wire.resources import Stored


@dataclass(frozen=True)
class Job:
    """One file: where it is, where it goes, its size in bytes."""

    local: Path
    remote: Address
    size: int


@dataclass
class Plan:
    """All that goes up: files, folders that are empty, and what is left out."""

    jobs: list[Job] = field(default_factory=list)
    folders: list[Address] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(job.size for job in self.jobs)


@dataclass(frozen=True)
class Report:
    """What was done: ``stored`` in the order they were done; ``same`` were there already."""

    stored: list[Stored]
    same: list[str]


def plan(locals_: list[str], target: Address, *, recursive: bool) -> Plan:
    """What ``locals_`` hold and where it goes. Raises UsageError for a folder unless ``recursive``, OSError."""
    found = Plan()
    into = target.is_folder or len(locals_) > 1
    for local in locals_:
        path = Path(local).expanduser()
        remote = target.below(path.resolve().name) if into else target
        if not path.is_dir():
            found.jobs.append(Job(path, remote, path.stat().st_size))
        elif recursive:
            _walk(path, remote, found)
        else:
            raise UsageError(f"{local} is a folder", hint="Add --recursive to upload it with all that is in it.")
    return found


def _walk(folder: Path, remote: Address, found: Plan) -> None:
    """Links are not followed: they would lead out of the folder, or around in it."""
    with os.scandir(folder) as items:
        inside = sorted(items, key=lambda item: item.name)
    if not inside:
        found.folders.append(remote)
    for item in inside:
        info = item.stat(follow_symlinks=False)
        if not _is_text(item.name) or not (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
            found.skipped.append(item.path)
        elif stat.S_ISDIR(info.st_mode):
            _walk(Path(item.path), remote.below(item.name), found)
        else:
            found.jobs.append(Job(Path(item.path), remote.below(item.name), info.st_size))


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def send(client: Client, wanted: Plan, *, force: bool, skip_existing: bool) -> Report:
    """Upload a plan; what is there already with the same content counts as done."""
    report = Report([], [])
    for skipped in wanted.skipped:
        output.say(f"Skipped {skipped}: not a file or folder, or its name is not text")
    for folder in wanted.folders:
        client.filesystems.make_folder(folder.name, folder.path)
    with progress.bar(_title(wanted), wanted.size) as advance:
        crowd = Crowd(advance)
        crowd.run(wanted.jobs, lambda job: _send(client, job, crowd, report, force, skip_existing))
    return report


def _title(wanted: Plan) -> str:
    if len(wanted.jobs) == 1:
        return f"Uploading {wanted.jobs[0].local.name}"
    return f"Uploading {len(wanted.jobs)} files"


def _send(client: Client, job: Job, crowd: Crowd, report: Report, force: bool, skip_existing: bool) -> None:
    meter = crowd.meter(job.local.name)
    if force and _same(client, job):
        return _there_already(job, meter, report)
    try:
        with job.local.open("rb") as file:
            stored = client.filesystems.upload(
                job.remote.name, job.remote.path, file, overwrite=force, progress=meter.at
            )
    except Conflict as error:
        if error.code == "file_exists" and (skip_existing or _same(client, job)):
            return _there_already(job, meter, report)
        raise
    report.stored.append(stored)
    meter.whole(stored.size)


def _there_already(job: Job, meter: Meter, report: Report) -> None:
    report.same.append(str(job.remote))
    meter.whole(job.size)


def _same(client: Client, job: Job) -> bool:
    """Whether the same content is there. Nothing is read unless the sizes are equal."""
    name, path = job.remote
    try:
        there = client.filesystems.stat(name, path)
    except NotFound:
        return False
    if there.is_folder or there.size != job.size:
        return False
    return client.filesystems.stat(name, path, digest=True).sha256 == sha256_of(job.local)
