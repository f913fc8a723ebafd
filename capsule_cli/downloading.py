"""Files and folders coming down: beside their place first, and under their name when all of it has come."""

from __future__ import annotations

import hashlib
import os
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedRandom
from pathlib import Path
from typing import TYPE_CHECKING

from capsule_cli import progress, transfer
from capsule_cli.addresses import Address
from capsule_cli.crowd import Crowd, Meter
from capsule_cli.hashing import sha256_of
from cpsl.errors import Conflict, GatewayError, InvalidRequest

if TYPE_CHECKING:
    from cpsl.client import Client
    from cpsl.client.hashing import Hasher
    from cpsl.wire.resources import Entry, FileInfo

PAGE = 5000  # each page costs the gateway a look at the whole folder
_ON_WINDOWS = frozenset('<>:"|?*\\')


@dataclass(frozen=True)
class Job:
    """One file: where it is, where it goes, its size in bytes as it was listed."""

    remote: Address
    target: Path
    size: int


@dataclass
class Report:
    """What was done: ``saved`` paths, those that were there already (``same``), and bytes."""

    saved: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    size: int = 0


def pages(client: Client, folder: Address) -> Iterator[list[Entry]]:
    """What a folder holds, a page at a time."""
    after = ""
    while page := client.filesystems.entries(folder.name, folder.path, limit=PAGE, after=after):
        yield page
        if len(page) < PAGE:
            return
        after = page[-1].name


def plan(client: Client, remote: Address, target: Path) -> list[Job]:
    """All files below a folder; the folders are made on the way. Raises InvalidRequest for a name that leads out."""
    target.mkdir(exist_ok=True)
    jobs: list[Job] = []
    for page in pages(client, remote):
        for entry in page:
            there = target / safe(entry.name)
            if entry.is_folder:
                jobs += plan(client, remote.below(entry.name), there)
            else:
                jobs.append(Job(remote.below(entry.name), there, entry.size))
    return jobs


def safe(name: str) -> str:
    """A name that a gateway gave, as one name in a folder of this machine. Raises InvalidRequest for any other."""
    bad = name in ("", ".", "..") or "/" in name or "\0" in name or unicodedata.category(name[0]) == "Cs"
    if bad or (os.name == "nt" and (_ON_WINDOWS & set(name) or name[-1] in ". ")):
        raise InvalidRequest(
            f"{name!r} cannot be the name of a file here; nothing was written for it", code="unsafe_name"
        )
    return name


class Saving:
    """Saves files. ``force`` replaces what was there before, but never what this command has saved itself."""

    def __init__(self, client: Client, *, force: bool, skip_existing: bool) -> None:
        self._client = client
        self._force, self._skip_existing = force, skip_existing
        self._lock = threading.Lock()
        self._saved: set[tuple[int, int]] = set()
        self.report = Report()

    def run(self, jobs: list[Job]) -> Report:
        """Save them all, some at once."""
        title = f"Downloading {jobs[0].target.name if len(jobs) == 1 else f'{len(jobs)} files'}"
        with progress.bar(title, sum(job.size for job in jobs)) as advance:
            crowd = Crowd(advance)
            crowd.run(jobs, lambda job: self._save(job, crowd.meter(job.target.name)))
        return self.report

    def _save(self, job: Job, meter: Meter) -> None:
        info = self._client.filesystems.stat(job.remote.name, job.remote.path)
        if info.is_folder:
            raise InvalidRequest(f"{job.remote} is a folder", code="invalid_path", hint="Add --recursive.")
        self._refuse_twins(job.target)
        if os.path.lexists(job.target) and self._may_stay(job, info):
            self.report.same.append(str(job.target))
            return meter.whole(job.size)
        size = self._fetch(job, info, meter)
        with self._lock:
            self.report.size += size
            self.report.saved.append(str(job.target))

    def _refuse_twins(self, target: Path) -> None:
        """On disks that take ``A`` and ``a`` for one name, the second of two files would replace the first."""
        with suppress(FileNotFoundError):
            found = target.stat()
            if (found.st_dev, found.st_ino) in self._saved:
                raise Conflict(
                    f"{target}: this disk takes its name for that of another file of this download",
                    code="name_collision",
                    hint="Download the two into folders of their own.",
                )

    def _may_stay(self, job: Job, info: FileInfo) -> bool:
        if self._skip_existing:
            return True
        if job.target.is_file() and job.target.stat().st_size == info.size:
            there = self._client.filesystems.stat(job.remote.name, job.remote.path, digest=True)
            if there.sha256 == sha256_of(job.target):
                return True
        transfer.refuse_existing(job.target, force=self._force)
        return False

    def _fetch(self, job: Job, info: FileInfo, meter: Meter) -> int:
        with _part(job.target, info.etag) as (name, file):
            have = _kept(file, info.size)
            try:
                self._receive(job, info, meter, file, have)
            except (OSError, Conflict, GatewayError) as error:
                if not isinstance(error, ConnectionError) and getattr(error, "status", 0) not in (502, 503, 504):
                    os.unlink(name)
                raise
            self._put(name, job.target)
            return info.size

    def _put(self, name: str, target: Path) -> None:
        with self._lock:
            self._refuse_twins(target)
            transfer.move(name, target, force=self._force)
            found = target.stat()
            self._saved.add((found.st_dev, found.st_ino))

    def _receive(self, job: Job, info: FileInfo, meter: Meter, file: BufferedRandom, have: int) -> None:
        from cpsl.client.hashing import Hasher

        with closing(Hasher()) as hasher:
            _hash(file, hasher)
            meter.at(have)
            for piece in self._rest(job.remote, have, info.size):
                file.write(piece)
                hasher.update(piece)
                have += len(piece)
                meter.at(have)
            file.flush()
            digest = hasher.hexdigest()
        told = self._client.filesystems.stat(job.remote.name, job.remote.path, digest=True)
        if told.etag != info.etag:
            raise _changed(job.remote)
        if told.sha256 != digest:
            raise _damaged(job.remote)

    def _rest(self, remote: Address, have: int, size: int) -> Iterator[bytes]:
        """What is missing. It is asked for by its length, as the client hashes whole files, too."""
        try:
            yield from self._client.filesystems.download(remote.name, remote.path, offset=have, length=size - have)
        except InvalidRequest as error:
            raise (_changed(remote) if error.code == "invalid_range" else error) from None


def _changed(remote: Address) -> Conflict:
    return Conflict(f"{remote} was changed while it was downloaded", code="file_changed", hint="Download it again.")


def _damaged(remote: Address) -> GatewayError:
    return GatewayError(
        f"What came of {remote} is not what the gateway holds: the SHA-256 differs; nothing was saved",
        code="digest_mismatch",
        hint="Download it again.",
    )


@contextmanager
def _part(target: Path, etag: str) -> Iterator[tuple[str, BufferedRandom]]:
    """The file beside ``target`` that gathers this content, alone. An interrupted download leaves it for the next."""
    mark = hashlib.sha256(f"{target.name}\0{etag}".encode()).hexdigest()[:16]
    name = str(target.parent / f".capsule-{mark}.part")
    with open(name, "a+b") as file:
        _lock(file, target)
        yield name, file


def _lock(file: BufferedRandom, target: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows, where an open file cannot be renamed under another's hands
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise Conflict(f"{target} is being downloaded by another process", code="download_busy") from None


def _kept(file: BufferedRandom, size: int) -> int:
    have = file.seek(0, os.SEEK_END)
    if have > size:
        file.truncate(0)
        have = 0
    return have


def _hash(file: BufferedRandom, hasher: Hasher) -> None:
    """All that is there; the file is at its end then."""
    file.seek(0)
    while piece := file.read(transfer.PIECE_BYTES):
        hasher.update(piece)
