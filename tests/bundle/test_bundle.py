import gzip
import io
import os
import resource
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cpsl import bundle
from cpsl.errors import InvalidRequest, TooLarge


def make(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def names(root: Path) -> list[str]:
    return [file.name for file in bundle.collect(root)]


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def archive(*entries: tuple[tarfile.TarInfo, bytes], kind: Literal[0, 1, 2] = tarfile.PAX_FORMAT) -> io.BytesIO:
    """An archive as an attacker would make it: any entry, in any form."""
    plain = b"".join(
        info.tobuf(kind, errors="surrogateescape") + data + bytes(-len(data) % 512) for info, data in entries
    )
    return io.BytesIO(gzip.compress(plain + bytes(1024)))


def entry(name: str, data: bytes = b"x", **facts: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in facts.items():
        setattr(info, key, value)
    return info, data


def refused(source: io.BytesIO, target: Path, limits: bundle.Limits | None = None) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        bundle.unpack(source, target, limits or bundle.Limits())
    assert not target.exists()
    return caught.value


# --- collecting ---------------------------------------------------------------------------------------------------


def test_secrets_and_machinery_stay_at_home(tmp_path: Path) -> None:
    make(tmp_path, "app.py", ".env", ".env.local", ".ENV", ".git/config", ".venv/x", "a/__pycache__/b.pyc", "a/c.py")
    make(tmp_path, "node_modules/x.js", ".DS_Store", "sub/.env", "id_rsa", ".ssh/config")
    found = bundle.collect(tmp_path)
    assert [file.name for file in found] == ["a/c.py", "app.py"]
    assert found.skipped == [".ENV", ".env", ".env.local", ".ssh", "id_rsa", "sub/.env"]
    assert found.size == sum(file.size for file in found)


def test_not_even_an_ignore_file_brings_env_back(tmp_path: Path) -> None:
    make(tmp_path, "app.py", ".env")
    (tmp_path / ".capsuleignore").write_text("!.env\n")
    assert ".env" not in names(tmp_path)


def test_ignore_files_mean_what_they_mean_to_git(tmp_path: Path) -> None:
    make(tmp_path, "app.py", "big.bin", "keep.bin", "data/a.csv", "sub/x.log", "sub/keep.log", "build/out", "doc/build")
    (tmp_path / ".gitignore").write_text("*.bin\n!keep.bin\n*.log\n/build/\n")
    (tmp_path / ".capsuleignore").write_text("data/\n")
    (tmp_path / "sub" / ".gitignore").write_text("!keep.log\n")
    assert [name for name in names(tmp_path) if "ignore" not in name] == [
        "app.py",
        "doc/build",
        "keep.bin",
        "sub/keep.log",
    ]


def test_capsuleignore_has_the_last_word(tmp_path: Path) -> None:
    make(tmp_path, "model.bin")
    (tmp_path / ".gitignore").write_text("*.bin\n")
    (tmp_path / ".capsuleignore").write_text("!model.bin\n")
    assert "model.bin" in names(tmp_path)


def test_links_and_special_files_are_skipped_and_told(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside", "secret")
    root = make(tmp_path / "root", "app.py")
    (root / "link").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)
    os.mkfifo(root / "fifo")
    found = bundle.collect(root)
    assert ([file.name for file in found], found.skipped) == (["app.py"], ["fifo", "folder", "link"])


def test_names_are_in_one_unicode_form(tmp_path: Path) -> None:
    make(tmp_path, "u\u0308.txt")
    assert names(tmp_path) == ["\u00fc.txt"]


@pytest.mark.parametrize("pair", [("README", "readme"), ("\u00fc", "u\u0308"), ("a/x", "A/x")])
def test_twins_are_refused_before_anything_is_sent(pair: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        bundle.collect(make(tmp_path, *pair))


def test_a_name_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))).write_text("x")
    with pytest.raises(InvalidRequest, match="UTF-8"):
        bundle.collect(tmp_path)


def test_size_is_checked_and_the_largest_named(tmp_path: Path) -> None:
    files = bundle.collect(make(tmp_path, "small", "the-largest-of-all"))
    assert bundle.check_size(files) == files.size
    with pytest.raises(TooLarge) as caught:
        bundle.check_size(files, 10)
    assert caught.value.code == "bundle_too_large"
    assert "the-largest-of-all" in (caught.value.hint or "").split(",")[0]


# --- packing ------------------------------------------------------------------------------------------------------


def test_there_and_back(tmp_path: Path) -> None:
    root = make(tmp_path / "root", "app.py", "a/b/c.txt", f"long/{'n' * 120}/{'m' * 120}", "ünï/ço∂é", "empty")
    (root / "empty").write_bytes(b"")
    (root / "run.sh").write_bytes(b"#!/bin/sh\n")
    (root / "run.sh").chmod(0o4755)
    (root / "block").write_bytes(bytes(1024))
    packed = b"".join(bundle.pack(bundle.collect(root)))
    bundle.unpack(io.BytesIO(packed), tmp_path / "target")
    assert tree(tmp_path / "target") == tree(root)
    assert (tmp_path / "target" / "run.sh").stat().st_mode & 0o7111 == 0o111
    assert (tmp_path / "target" / "app.py").stat().st_mode & 0o7111 == 0


def test_other_tools_can_read_it(tmp_path: Path) -> None:
    root = make(tmp_path / "root", "app.py", f"long/{'n' * 120}/{'m' * 120}")
    with tarfile.open(fileobj=io.BytesIO(b"".join(bundle.pack(bundle.collect(root))))) as opened:
        assert opened.getnames() == names(root)


def test_archives_of_other_tools_can_be_read(tmp_path: Path) -> None:
    root = make(tmp_path / "root", "app.py", f"long/{'n' * 120}/{'m' * 120}")
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz", format=kind) as opened:
            opened.add(root, ".")
        target = tmp_path / f"target{kind}"
        with pytest.raises(InvalidRequest, match="simplest"):
            bundle.unpack(io.BytesIO(packed.getvalue()), target)  # the entry "." itself is no name
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz", format=kind) as opened:
            for name in ("app.py", "long"):
                opened.add(root / name, f"./{name}")
        bundle.unpack(io.BytesIO(packed.getvalue()), target)
        assert tree(target) == tree(root)


def test_the_same_files_are_the_same_bytes(tmp_path: Path) -> None:
    one, two = make(tmp_path / "1", "b", "a/c"), make(tmp_path / "2", "a/c", "b")
    os.utime(two / "b", (1, 1))
    assert b"".join(bundle.pack(bundle.collect(one))) == b"".join(bundle.pack(bundle.collect(two)))


def test_progress_counts_the_bytes_of_files(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(200_000))
    (tmp_path / "small").write_bytes(b"x")
    seen: list[int] = []
    list(bundle.pack(bundle.collect(tmp_path), seen.append))
    assert seen == sorted(seen)
    assert seen[-1] == 200_001


def test_a_file_that_becomes_a_link_is_not_followed(tmp_path: Path) -> None:
    files = bundle.collect(make(tmp_path / "root", "app.py"))
    (tmp_path / "root" / "app.py").unlink()
    (tmp_path / "root" / "app.py").symlink_to("/etc/hostname")
    with pytest.raises(InvalidRequest, match="cannot be read"):
        list(bundle.pack(files))


def test_a_file_that_shrinks_is_an_error_not_a_damaged_archive(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(os.urandom(300_000))
    pieces = bundle.pack(bundle.collect(tmp_path))
    next(pieces)
    (tmp_path / "big").write_bytes(b"")
    with pytest.raises(InvalidRequest, match="changed"):
        list(pieces)


def test_packing_and_unpacking_take_little_memory(tmp_path: Path) -> None:
    script = """
import io, resource, sys
from pathlib import Path
from cpsl import bundle
root = Path(sys.argv[1])
files = bundle.collect(root)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open(root.parent / "packed", "wb") as packed:
    for piece in bundle.pack(files):
        packed.write(piece)
bundle.unpack(root.parent / "packed", root.parent / "target")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    root = tmp_path / "root"
    root.mkdir()
    with (root / "big").open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    grown = subprocess.run([sys.executable, "-c", script, str(root)], capture_output=True, text=True, check=True)
    assert int(grown.stdout) < 8 * 1024  # KiB


# --- unpacking ----------------------------------------------------------------------------------------------------

HOSTILE = [
    "../x", "/x", "a/../../x", "a/..", "..", ".", "", "./", "C:\\x", "C:/x", "a/c:/b", "..\\x", "a\nb", "a\x01b",
    "\u2028", "a//b", "a/./b", "n" * 256, "a/" * 40 + "b", "/".join(["n" * 200] * 10), "\udcff",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_names_that_no_file_may_have(name: str, kind: Literal[1, 2], tmp_path: Path) -> None:
    error = refused(archive(entry("good"), entry(name), kind=kind), tmp_path / "target")
    assert error.code == "invalid_bundle"
    assert os.listdir(tmp_path) == []


def test_a_nul_does_not_hide_the_rest_of_a_name(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.pax_headers = {"path": "a\0b"}
    refused(archive((info, b"")), tmp_path / "target")


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, b"S", b"V", b"g", b"K"],
)
def test_only_files_and_folders(kind: bytes, tmp_path: Path) -> None:
    hostile = entry("x", b"", type=kind, linkname="/etc/passwd")
    refused(archive(entry("good"), hostile), tmp_path / "target")


def test_a_chain_of_links_leads_nowhere(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside", "canary")
    chain = [entry(f"l{n}", b"", type=tarfile.SYMTYPE, linkname="d" * 200) for n in range(16)]
    refused(archive(*chain, entry("l0/escaped")), tmp_path / "target")
    assert tree(outside) == {"canary": b"canary"}


@pytest.mark.parametrize(
    "twins",
    [
        ("a", "a"),
        ("a", "A"),
        ("\u00fc", "u\u0308"),
        ("a", "a/b"),
        ("a/b", "a"),
        ("A/x", "a/y"),
        ("stra\u00dfe", "STRASSE"),
    ],
)
def test_no_name_twice(twins: tuple[str, str], tmp_path: Path) -> None:
    assert "twice" in str(refused(archive(*map(entry, twins)), tmp_path / "target"))


def test_a_folder_may_be_named_again_and_empty(tmp_path: Path) -> None:
    folder = entry("a/", b"", type=tarfile.DIRTYPE)
    bundle.unpack(archive(folder, entry("a/b"), folder), tmp_path / "target")
    assert tree(tmp_path / "target") == {"a/b": b"x"}


def test_a_folder_with_content_is_refused(tmp_path: Path) -> None:
    refused(archive(entry("a/", b"x", type=tarfile.DIRTYPE)), tmp_path / "target")


def test_limits(tmp_path: Path) -> None:
    limits = bundle.Limits(files=3, total_bytes=1000)
    for source in (
        archive(*(entry(f"f{n}") for n in range(4))),
        archive(entry("a", bytes(600)), entry("b", bytes(600))),
    ):
        error = refused(source, tmp_path / "target", limits)
        assert (type(error), error.code) == (TooLarge, "bundle_too_large")
    bundle.unpack(archive(entry("a", bytes(600))), tmp_path / "target", limits)


def test_a_bomb_ends_at_its_lid(tmp_path: Path) -> None:
    info = tarfile.TarInfo("zeros")
    info.size = 100 * 2**30
    bomb = io.BytesIO(gzip.compress(info.tobuf() + bytes(32 * 2**20), 1))
    began = time.monotonic()
    refused(bomb, tmp_path / "target", bundle.Limits(total_bytes=2**20))
    assert time.monotonic() - began < 1


def test_a_long_extended_header_costs_no_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.size, info.type = 256 * 2**20, tarfile.XHDTYPE
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(io.BytesIO(gzip.compress(info.tobuf() + bytes(2**20))), tmp_path / "target")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024


def test_extended_headers_do_not_change_sizes(tmp_path: Path) -> None:
    for key in ("size", "GNU.sparse.realsize", "GNU.sparse.name"):
        info = tarfile.TarInfo("x")
        info.pax_headers = {key: "1"}
        refused(archive((info, b"")), tmp_path / "target")


def good() -> bytes:
    return archive(entry("a", os.urandom(3000)), entry("b/c", b"text" * 300)).getvalue()


def test_truncated_anywhere_is_refused(tmp_path: Path) -> None:
    whole = good()
    for end in range(0, len(whole), 97):
        refused(io.BytesIO(whole[:end]), tmp_path / "target")


def test_trailing_data_is_refused(tmp_path: Path) -> None:
    whole = good()
    refused(io.BytesIO(whole + b"x"), tmp_path / "target")
    refused(io.BytesIO(whole + whole), tmp_path / "target")
    hidden = gzip.compress(gzip.decompress(whole) + entry("hidden")[0].tobuf())
    refused(io.BytesIO(hidden), tmp_path / "target")


@pytest.mark.parametrize(
    "content",
    [b"", b"not gzip", gzip.compress(b"not tar"), gzip.compress(b"x" * 2000), b"PK\x03\x04"],
    ids=["empty", "not gzip", "no tar", "no header", "zip"],  # gzip writes the time, and workers must agree on names
)
def test_what_is_no_archive(content: bytes, tmp_path: Path) -> None:
    assert refused(io.BytesIO(content), tmp_path / "target").code == "invalid_bundle"


def test_the_target_must_be_new(tmp_path: Path) -> None:
    make(tmp_path / "target", "precious")
    with pytest.raises(FileExistsError):
        bundle.unpack(io.BytesIO(good()), tmp_path / "target")
    assert tree(tmp_path / "target") == {"precious": b"precious"}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8") | st.sampled_from("/.\\:"), max_size=30), min_size=1, max_size=5))
@example(["a", "a/../b"])
@example(["ǰ", "ǰ"])
def test_any_names_are_unpacked_as_they_are_or_refused(
    tmp_path_factory: pytest.TempPathFactory, given_names: list[str]
) -> None:
    target = tmp_path_factory.mktemp("any") / "target"
    try:
        bundle.unpack(archive(*(entry(name, name.encode()) for name in given_names)), target)
    except InvalidRequest:
        assert not target.exists()
        return
    assert all(path.resolve().is_relative_to(target.resolve()) for path in target.rglob("*"))
    assert len(tree(target)) == len(given_names)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_harmless(tmp_path_factory: pytest.TempPathFactory, place: int, bit: int) -> None:
    plain = bytearray(gzip.decompress(good()))
    plain[place % len(plain)] ^= 1 << bit
    target = tmp_path_factory.mktemp("flip") / "target"
    try:
        bundle.unpack(io.BytesIO(gzip.compress(bytes(plain), 1)), target)
    except InvalidRequest:
        assert not target.exists()
