"""``capsule fs`` as people use it: files and folders up and down, taken up where they stopped, nothing replaced."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from capsule_cli import addresses, boundary, downloading
from capsule_cli.addresses import Address
from cpsl.errors import Conflict, InvalidRequest
from tests.gateway.test_full_disk import small_disk
from tests.support.gateway import GatewayProcess

BIG = 96 << 20


class _Stream(io.TextIOWrapper):
    """A stream that remembers what was written to it."""

    def __init__(self) -> None:
        self.bytes = io.BytesIO()
        super().__init__(self.bytes, encoding="utf-8", write_through=True)


@dataclass
class Done:
    """What came of a command."""

    code: int
    out: str
    err: str


@dataclass
class Shell:
    """Runs ``capsule`` in this process, logged in to ``gateway`` with a filesystem ``box``."""

    gateway: GatewayProcess

    def __call__(self, *arguments: str, code: int = 0) -> Done:
        out, err = _Stream(), _Stream()
        with redirect_stdout(out), redirect_stderr(err):
            found = boundary.run(list(arguments))
        done = Done(found, out.bytes.getvalue().decode(), err.bytes.getvalue().decode())
        assert done.code == code, done
        return done


@pytest.fixture
def fs(gateway: GatewayProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    monkeypatch.setenv("CAPSULE_TOKEN", gateway.token)
    monkeypatch.setenv("CAPSULE_GATEWAY_URL", gateway.url)
    monkeypatch.chdir(tmp_path)
    shell = Shell(gateway)
    shell("fs", "create", "box")
    yield shell
    shell("fs", "delete", "box", "--yes")


def tree(folder: Path) -> dict[str, bytes | None]:
    """All that a folder holds: the content of files, None for folders."""
    found = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes() for path in found}


LONG = "ü" * 127 + "a"  # 255 bytes


def some_tree(folder: Path) -> Path:
    for name in ("plain.txt", ".hidden", "deep/er/file", "e\u0301 NFD", "\u00e9 NFC", LONG, "with space/-dash"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 3)
    (folder / "empty").mkdir()
    (folder / "nothing").write_bytes(b"")
    return folder


def test_a_file_goes_up_and_comes_down_in_both_forms(fs: Shell, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "a.bin").write_bytes(content)
    fs("fs", "upload", "a.bin", "box:/new/")
    fs("fs", "upload", "box", "a.bin", "/old/")
    fs("fs", "upload", "box", "a.bin")
    fs("fs", "download", "box:/new/a.bin", "b.bin")
    fs("fs", "download", "box", "/old/a.bin", "c.bin")
    assert (tmp_path / "b.bin").read_bytes() == (tmp_path / "c.bin").read_bytes() == content
    assert fs("fs", "ls", "box", "/new").out == fs("fs", "ls", "box:/new").out
    assert fs("fs", "ls", "box", "-q").out.split() == ["a.bin", "new", "old"]
    fs("fs", "download", "box:/missing", code=3)
    fs("fs", "upload", "a.bin", "box:/a/../b", code=2)
    fs("fs", "upload", "a.bin", code=2)
    assert sorted(os.listdir()) == ["a.bin", "b.bin", "c.bin"]
    assert fs("fs", "show", "box").out.startswith("Name:")


def test_nothing_is_replaced_unless_that_is_asked_for(fs: Shell, tmp_path: Path) -> None:
    mine = tmp_path / "a.txt"
    mine.write_text("first")
    fs("fs", "upload", "a.txt", "box:/")
    assert "already" in fs("fs", "upload", "a.txt", "box:/").err
    assert "already" in fs("fs", "download", "box:/a.txt").err
    mine.write_text("other")
    fs("fs", "upload", "a.txt", "box:/", code=5)
    assert "--force" in fs("fs", "download", "box:/a.txt", code=5).err
    fs("fs", "upload", "a.txt", "box:/", "--skip-existing")
    fs("fs", "download", "box:/a.txt", "--skip-existing")
    assert (mine.read_text(), fs("fs", "cat", "box:/a.txt").out) == ("other", "first")
    fs("fs", "download", "box:/a.txt", "--force")
    assert mine.read_text() == "first"
    mine.write_text("other")
    fs("fs", "upload", "a.txt", "box:/", "--force")
    assert fs("fs", "cat", "box:/a.txt").out == "other"


def test_a_folder_goes_up_and_comes_down_whole(fs: Shell, tmp_path: Path) -> None:
    source = some_tree(tmp_path / "source")
    (source / "link").symlink_to("/etc/passwd")
    os.mkfifo(source / "fifo")
    fs("fs", "upload", "source", "box:/copy", code=2)
    done = fs("fs", "upload", "-r", "source", "box:/copy")
    assert "Skipped" in done.err
    assert {"link", "fifo"} <= {line.split(":")[0].rpartition("/")[2] for line in done.err.splitlines()}
    (source / "link").unlink()
    (source / "fifo").unlink()
    fs("fs", "download", "-r", "box:/copy", "back")
    assert tree(tmp_path / "back") == tree(source)
    again = json.loads(fs("fs", "upload", "-r", "source", "box:/copy", "--json").out)
    assert (again["stored"], len(again["unchanged"])) == ([], 8)
    fs("fs", "upload", "-r", "source", str(source / "plain.txt"), "box:/many/")
    assert fs("fs", "ls", "box:/many", "-q").out.split() == ["plain.txt", "source"]


def test_the_same_download_again_goes_on_with_the_same_folder(fs: Shell, tmp_path: Path) -> None:
    """The second found the folder that the first had made, and began anew in one below it."""
    some_tree(tmp_path / "source")
    fs("fs", "upload", "-r", "source", "box:/same")
    for words in (["box:/same"], ["box:/same", "there"]):
        folder = tmp_path / (words[1:] or ["same"])[0]
        fs("fs", "download", "-r", *words)
        before = tree(folder)
        again = json.loads(fs("fs", "download", "-r", *words, "--json").out)
        assert (again["saved"], len(again["unchanged"]), tree(folder)) == ([], 8, before)
    fs("fs", "download", "-r", "box:/same", "there/")
    assert tree(tmp_path / "there" / "same") == tree(tmp_path / "source")
    (tmp_path / "here").mkdir()
    fs("fs", "download", "-r", "box:/same/plain.txt", "here")
    assert (tmp_path / "here" / "plain.txt").is_file()


def test_a_file_is_shown_with_its_checksum(fs: Shell, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("0123456789")
    fs("fs", "upload", "f", "box:/shown/f")
    told = json.loads(fs("fs", "show", "box:/shown/f", "--json").out)
    assert (told["path"], told["size"], told["sha256"]) == ("/shown/f", 10, sha256(b"0123456789").hexdigest())
    assert "10 B" in fs("fs", "show", "box:/shown/f").out
    assert fs("fs", "show", "box").out.startswith("Name")
    assert "capsule fs rm -r box:/shown" in fs("fs", "rm", "box:/shown", code=5).err


def test_what_one_file_refuses_the_others_do_not(fs: Shell, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(20):
        (source / f"{number}").write_text(f"{number}")
    fs("fs", "upload", "source/7", "box:/copy/8")
    assert "/copy/8" in fs("fs", "upload", "-r", "source", "box:/copy", code=5).err
    assert len(fs("fs", "ls", "box:/copy", "-q").out.split()) == 20
    assert fs("fs", "cat", "box:/copy/8").out == "7"


def test_folders_are_made_moved_and_removed(fs: Shell, tmp_path: Path) -> None:
    fs("fs", "mkdir", "box:/a/b")
    fs("fs", "mkdir", "box:/a/b")
    (tmp_path / "f").write_text("0123456789")
    fs("fs", "upload", "f", "box:/a/b/")
    fs("fs", "mkdir", "box:/a/b/f", code=5)
    fs("fs", "mv", "box:/a/b/f", "/g")
    fs("fs", "upload", "f", "box:/h")
    fs("fs", "mv", "box:/g", "box:/h", code=5)
    fs("fs", "mv", "box:/g", "/h", "--force")
    fs("fs", "mv", "box:/h", "/a/")
    fs("fs", "mv", "box:/a", "/a/b/c", code=2)
    assert fs("fs", "cat", "box:/a/h", "--range", "2-4").out == "234"
    assert fs("fs", "cat", "box:/a/h", "--range", "8-").out == "89"
    fs("fs", "cat", "box:/a/h", "--range", "4-2", code=2)
    fs("fs", "rm", "box:/a", code=5)
    assert "--yes" in fs("fs", "rm", "-r", "box:/a", code=2).err
    fs("fs", "rm", "-r", "box:/a", "--yes")
    fs("fs", "rm", "box:/a/h", code=3)
    assert "fs delete" in fs("fs", "rm", "box", code=2).err
    assert fs("fs", "ls", "box").out == ""


def start(fs: Shell, *arguments: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "capsule_cli", "fs", *arguments]
    return subprocess.Popen(argv, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=dict(os.environ))


def wait_for(folder: Path, ending: str, size: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if any(path.stat().st_size > size for path in folder.glob(f"*{ending}")):
            return
        time.sleep(0.002)
    raise AssertionError("nothing came")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_upload_goes_on_where_it_was_killed(fs: Shell, tmp_path: Path, how: signal.Signals) -> None:
    content = os.urandom(1 << 20) * (BIG >> 20)
    (tmp_path / "big").write_bytes(content)
    running = start(fs, "upload", "big", "box:/big")
    wait_for(fs.gateway.data_dir / "uploads", ".part", 4 << 20)
    running.send_signal(how)
    _, told = running.communicate(timeout=20)
    assert running.returncode == (130 if how == signal.SIGINT else -9)
    assert how == signal.SIGKILL or "goes on where it stopped" in told
    assert fs("fs", "ls", "box").out == ""
    assert "going on at" in fs("fs", "upload", "big", "box:/big").err
    root = fs.gateway.data_dir / "fs"
    assert [path.read_bytes() == content for path in root.glob("*/big")] == [True]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_download_goes_on_where_it_was_killed(fs: Shell, tmp_path: Path, how: signal.Signals) -> None:
    content = os.urandom(1 << 20) * (BIG >> 20)
    (tmp_path / "big").write_bytes(content)
    fs("fs", "upload", "big", "box:/big")
    there = tmp_path / "there"
    there.mkdir()
    running = start(fs, "download", "box:/big", "there")
    wait_for(there, ".part", 2 << 20)
    running.send_signal(how)
    running.communicate(timeout=20)
    assert running.returncode == (130 if how == signal.SIGINT else -9)
    assert not (there / "big").exists()
    assert "going on at" in fs("fs", "download", "box:/big", "there").err
    assert tree(there) == {"big": content}


def test_what_was_damaged_on_this_disk_is_not_saved(fs: Shell, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    fs("fs", "upload", "a", "box:/a")
    there = tmp_path / "there"
    there.mkdir()
    with fs.gateway.client() as client:
        etag = client.filesystems.stat("box", "/a").etag
    with downloading._part(there / "a", etag) as (_, file):
        file.write(b"y" * 50)
    assert "SHA-256" in fs("fs", "download", "box:/a", "there", code=1).err
    assert tree(there) == {}
    fs("fs", "download", "box:/a", "there")
    assert tree(there) == {"a": b"x" * 100}


def test_a_file_that_became_shorter_meanwhile_was_changed(fs: Shell, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"short")
    fs("fs", "upload", "a", "box:/a")
    with fs.gateway.client() as client:
        saving = downloading.Saving(client, force=False, skip_existing=False)
        with pytest.raises(Conflict) as caught:
            list(saving._rest(Address("box", "/a"), 50, 100))
    assert caught.value.code == "file_changed"


def test_a_full_disk_here_leaves_nothing(fs: Shell, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(3 << 20))
    fs("fs", "upload", "big", "box:/big")
    with small_disk(tmp_path / "small", 1 << 20) as small:
        assert "No space left" in fs("fs", "download", "box:/big", str(small), code=1).err
        assert tree(small) == {}


def test_long_folders_are_listed_in_pages(fs: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "PAGE", 3)
    for number in range(7):
        fs("fs", "mkdir", f"box:/{number}")
    assert fs("fs", "ls", "box:/", "-q").out.split() == list("0123456")
    assert [line.split()[0] for line in fs("fs", "ls", "box:/").out.splitlines()] == [
        "NAME",
        *(f"{n}/" for n in range(7)),
    ]
    assert len(json.loads(fs("fs", "ls", "box:/", "--json").out)) == 7


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\0b", "\udcff"])
def test_a_gateway_cannot_write_outside(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        downloading.safe(name)
    assert caught.value.code == "unsafe_name"


def test_two_names_that_are_one_on_this_disk(fs: Shell, tmp_path: Path) -> None:
    """A hard link stands for a disk that takes two names for one."""
    for name, text in (("A", "upper"), ("a", "lower")):
        (tmp_path / name).write_text(text)
        fs("fs", "upload", name, "box:/")
    with fs.gateway.client() as client:
        saving = downloading.Saving(client, force=True, skip_existing=False)
        saving.run([downloading.Job(Address("box", "/A"), tmp_path / "one", 5)])
        os.link(tmp_path / "one", tmp_path / "two")
        with pytest.raises(Exception, match="another file of this download"):
            saving.run([downloading.Job(Address("box", "/a"), tmp_path / "two", 5)])
    assert (tmp_path / "one").read_text() == "upper"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("box:/a/b", ("box", "/a/b")),
        ("box:/", ("box", "/")),
        ("box:", ("box", "/")),
        ("box", None),
        ("box:a", None),
        ("-x:/a", None),
        ("./box:/a", None),
        ("", None),
    ],
)
def test_addresses(text: str, meant: tuple[str, str] | None) -> None:
    assert addresses.read(text) == meant


def test_what_comes_from_a_program(fs: Shell) -> None:
    argv = [sys.executable, "-m", "capsule_cli", "fs"]
    subprocess.run([*argv, "upload", "-", "box:/note"], input=b"hello", check=True, stderr=subprocess.DEVNULL)
    done = subprocess.run([*argv, "download", "box:/note", "-"], check=True, capture_output=True)
    assert (done.stdout, done.stderr) == (b"hello", b"")
    assert fs("fs", "upload", "-", "box:/", code=2).out == ""
