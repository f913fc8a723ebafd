"""Debian archives into the layers of an image: their files alone, no script of them runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache

from cpsl.errors import DeployFailed

_OFFER = re.compile(r"update-alternatives\s+--install\s+(/[^\s$]+)\s+\S+\s+(/[^\s$]+)\s+(\d+)")


def unpack(archives: Iterable[str], root: str) -> None:
    """Put the files of ``.deb`` archives below ``root``, where this machine would have them: ``bin`` in ``usr/bin``.

    Owners and set-uid bits are not kept. Where packages offer a file under a name that several of them want, as the
    kinds of ``libblas.so.3``, the machine's stays, or the best one offered is chosen. Raises DeployFailed for an
    archive that cannot be read or that wants to write elsewhere.
    """
    offers: list[tuple[int, str, str]] = []
    for archive in archives:
        _unpack(archive, root)
        offers += _offers(archive)
    for _, link, file in sorted(offers, reverse=True):
        place = _place(link)
        if place and not os.path.lexists(link) and not os.path.lexists(f"{root}/{place}"):
            _folder_of(f"{root}/{place}", root)
            os.symlink(file, f"{root}/{place}")


def _unpack(archive: str, root: str) -> None:
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as reading:
        assert reading.stdout is not None
        try:
            with tarfile.open(fileobj=reading.stdout, mode="r|") as files:
                for member in files:
                    _extract(files, member, root)
        except tarfile.TarError as error:
            raise DeployFailed(f"{os.path.basename(archive)} cannot be unpacked: {error}") from error
        finally:
            reading.kill()


def _offers(archive: str) -> Iterator[tuple[int, str, str]]:
    """Priority, name and file of what its script would hand to update-alternatives, where they stand there plainly."""
    script = subprocess.run(["dpkg-deb", "--info", archive, "postinst"], capture_output=True, check=False).stdout
    text = script.decode(errors="replace").replace("\\\n", " ")
    return ((int(found[3]), found[1], found[2]) for found in _OFFER.finditer(text))


def _extract(files: tarfile.TarFile, member: tarfile.TarInfo, root: str) -> None:
    place = _place(member.name)
    if place is None:
        return
    target = f"{root}/{place}"
    if member.isdir():
        if not os.path.isdir(target):
            _folder_of(target, root)
            os.mkdir(target, 0o755)
        return
    _folder_of(target, root)
    if os.path.isdir(target) and not os.path.islink(target):
        shutil.rmtree(target)
    with suppress(FileNotFoundError):
        os.unlink(target)
    if member.issym():
        os.symlink(member.linkname, target)
    elif member.islnk():
        os.link(f"{root}/{_place(member.linkname)}", target, follow_symlinks=False)
    elif member.isreg():
        _copy(files, member, target)


def _copy(files: tarfile.TarFile, member: tarfile.TarInfo, target: str) -> None:
    source = files.extractfile(member)
    assert source is not None
    mode = 0o755 if member.mode & 0o100 else 0o644
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        shutil.copyfileobj(source, file)
    os.utime(target, (member.mtime, member.mtime))


def _folder_of(target: str, root: str) -> None:
    """Make the folder of ``target``; a link of an archive before must not lead it out of ``root``."""
    folder = os.path.dirname(target)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    if not f"{os.path.realpath(folder)}/".startswith(f"{root}/"):
        raise DeployFailed(f"A package wants to write outside of the image: {os.path.relpath(target, root)}")


def _place(name: str) -> str | None:
    """Where a file of that name belongs, from the root; None for the root itself, and for names that lead up."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        return None
    whole = "/" + "/".join(parts)
    if os.path.islink(whole) and os.path.isdir(whole):
        return _real(whole).lstrip("/")
    return f"{_real(os.path.dirname(whole))}/{parts[-1]}".lstrip("/")


@cache
def _real(folder: str) -> str:
    return os.path.realpath(folder)
