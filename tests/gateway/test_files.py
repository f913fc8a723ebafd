"""Filesystems over HTTP: whole files or none, no way out of the folder, whatever an app left in it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import cpsl
from tests.support.bench import run
from tests.support.gateway import GatewayProcess

PIECE = os.urandom(1 << 20)


@pytest.fixture(scope="session")
def disk(gateway: GatewayProcess) -> GatewayProcess:
    """The shared gateway with a filesystem ``disk`` of these tests."""
    with gateway.client() as client:
        client.filesystems.create("disk")
    return gateway


def read(client: cpsl.Client, path: str, name: str = "disk") -> bytes:
    return b"".join(client.filesystems.download(name, path))


def names(client: cpsl.Client, path: str = "/", name: str = "disk") -> list[str]:
    return [entry.name for entry in client.filesystems.entries(name, path)]


def around(gateway: GatewayProcess) -> set[Path]:
    """What lies beside the filesystems."""
    return {*gateway.data_dir.iterdir(), *(gateway.data_dir / "fs").iterdir()}


def waiting(gateway: GatewayProcess) -> list[str]:
    return os.listdir(gateway.data_dir / "tmp")


def folder(gateway: GatewayProcess, name: str) -> Path:
    with gateway.client() as client:
        return gateway.data_dir / "fs" / client.filesystems.get(name).id


def test_there_and_back(disk: GatewayProcess) -> None:
    with disk.client() as client:
        stored = client.filesystems.upload("disk", "/reports/2026/Überblick ✓.txt", b"content")
        assert (stored.path, stored.size) == ("/reports/2026/Überblick ✓.txt", 7)
        client.filesystems.upload("disk", "/reports/empty", b"")
        assert read(client, "/reports/2026/Überblick ✓.txt") == b"content"
        assert read(client, "/reports/empty") == b""
        [inner, empty] = client.filesystems.entries("disk", "/reports")
        assert (inner.name, inner.is_folder) == ("2026", True)
        assert (empty.name, empty.is_folder, empty.size) == ("empty", False, 0)
        assert abs(empty.modified_at - time.time()) < 60
        client.filesystems.delete_file("disk", "/reports/empty")
        assert names(client, "/reports") == ["2026"]


def test_a_file_is_not_replaced_unless_that_is_asked_for(disk: GatewayProcess) -> None:
    with disk.client() as client:
        client.filesystems.upload("disk", "/kept", b"old")
        with pytest.raises(cpsl.Conflict) as caught:
            client.filesystems.upload("disk", "/kept", b"new")
        assert caught.value.code == "file_exists"
        assert read(client, "/kept") == b"old"
        client.filesystems.upload("disk", "/kept", b"new", overwrite=True)
        assert read(client, "/kept") == b"new"
        for overwrite in (False, True):
            client.filesystems.upload("disk", f"/tree/{overwrite}", b"x")
            with pytest.raises(cpsl.InvalidRequest):
                client.filesystems.upload("disk", "/tree", b"x", overwrite=overwrite)
            with pytest.raises(cpsl.NotFound):
                client.filesystems.upload("disk", "/kept/below", b"x", overwrite=overwrite)
    assert waiting(disk) == []


def test_a_folder_goes_only_when_it_is_empty(disk: GatewayProcess) -> None:
    with disk.client() as client:
        client.filesystems.upload("disk", "/full/file", b"x")
        with pytest.raises(cpsl.Conflict) as caught:
            client.filesystems.delete_file("disk", "/full")
        assert caught.value.code == "folder_not_empty"
        client.filesystems.delete_file("disk", "/full/file")
        client.filesystems.delete_file("disk", "/full")
        with pytest.raises(cpsl.NotFound):
            client.filesystems.entries("disk", "/full")


BAD_PATHS = [
    "",
    "x",
    "../x",
    "/..",
    "/../x",
    "/a/../../x",
    "/a/./x",
    "/a/..",
    "/x\0.txt",
    "/" + "a" * 256,
    "/" + "ü" * 128,
    "/a" * 65,
]


@pytest.mark.parametrize("path", BAD_PATHS, ids=[ascii(path[:20]) for path in BAD_PATHS])
def test_paths_that_lead_nowhere(disk: GatewayProcess, path: str) -> None:
    with disk.http() as http:
        for answer in (
            http.put("/fs/disk/content", params={"path": path}, content=b"x"),
            http.put("/fs/disk/content", params={"path": path, "overwrite": "true"}, content=b"x"),
            http.get("/fs/disk/content", params={"path": path}),
            http.get("/fs/disk/list", params={"path": path}),
            http.delete("/fs/disk/content", params={"path": path}),
        ):
            assert answer.status_code == 422, answer.text
            assert answer.json()["code"] == "invalid_path"
            assert str(disk.data_dir) not in answer.text
    assert waiting(disk) == []


@pytest.mark.parametrize("path", ["/", "//", "/%2e%2e", "/~", "/-rf", "/a b/ü/\u202etxt", "/a\nb", "/C:\\x", "/..."])
def test_odd_paths_are_names_inside_or_the_top(disk: GatewayProcess, path: str) -> None:
    before = sorted(os.listdir(disk.data_dir))
    with disk.client() as client:
        if path.strip("/"):
            client.filesystems.upload("disk", path, b"odd")
            assert read(client, path) == b"odd"
            client.filesystems.delete_file("disk", path)
        else:
            client.filesystems.upload("disk", "/there", b"odd", overwrite=True)
            assert "there" in names(client, path)
            with pytest.raises(cpsl.InvalidRequest):
                client.filesystems.delete_file("disk", path)
    assert sorted(os.listdir(disk.data_dir)) == before


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("./ab\\\0\n%~ü\u0301\u202e"), max_size=12))
@example("/a/b/../../..")
def test_no_path_leads_out(disk: GatewayProcess, path: str) -> None:
    """Whatever a path is, it is stored below the folder of its filesystem, or refused: never a 500."""
    root = folder(disk, "disk")
    outside = around(disk)
    with disk.http() as http:
        answer = http.put("/fs/disk/content", params={"path": path, "overwrite": "true"}, content=b"canary")
        assert answer.status_code in (200, 404, 409, 422), answer.text
        if answer.is_success:
            stored = answer.json()["path"]
            assert (root / stored.lstrip("/")).read_bytes() == b"canary"
            assert http.get("/fs/disk/content", params={"path": stored}).content == b"canary"
            http.delete("/fs/disk/content", params={"path": stored})
    assert outside == around(disk)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "-a", "ü", "a" * 101, "a\n", "a\0b"])
def test_names_that_no_filesystem_may_have(gateway: GatewayProcess, name: str) -> None:
    with gateway.client() as client, pytest.raises(cpsl.InvalidRequest) as caught:
        client.filesystems.create(name)
    assert caught.value.code == "invalid_filesystem_name"


def test_the_life_of_a_filesystem(gateway: GatewayProcess) -> None:
    with gateway.client() as client:
        made = client.filesystems.create("short-lived")
        with pytest.raises(cpsl.Conflict) as caught:
            client.filesystems.create("short-lived")
        assert caught.value.code == "filesystem_exists"
        assert client.filesystems.get(made.id) == made
        client.filesystems.upload("short-lived", "/a/b", b"x")
        client.filesystems.delete("short-lived")
        assert made.id not in os.listdir(gateway.data_dir / "fs")
        for attempt in (
            lambda: client.filesystems.delete("short-lived"),
            lambda: client.filesystems.entries("short-lived"),
            lambda: client.filesystems.upload("short-lived", "/x", b"x"),
            lambda: list(client.filesystems.download("short-lived", "/x")),
        ):
            with pytest.raises(cpsl.NotFound) as missing:
                attempt()
            assert "short-lived" in missing.value.message


def test_a_filesystem_in_use_stays(bench: GatewayProcess) -> None:
    with bench.client() as client:
        with pytest.raises(cpsl.Conflict) as caught:
            client.filesystems.delete("bench")
        assert caught.value.code == "in_use"
        assert "workbench" in caught.value.message
        assert run(client, "import os; return os.path.isdir('/data')") is True


def test_other_workspaces_see_and_reach_nothing(disk: GatewayProcess) -> None:
    with disk.client() as mine, disk.client(disk.member("files@example.com", "fileless")) as theirs:
        known = mine.filesystems.get("disk").id
        assert theirs.filesystems.list() == []
        for name in ("disk", known):
            with pytest.raises(cpsl.NotFound):
                theirs.filesystems.entries(name)
            with pytest.raises(cpsl.NotFound):
                theirs.filesystems.upload(name, "/x", b"x")
        theirs.filesystems.create("disk")
        assert names(theirs) == []


def test_apps_and_people_see_the_same_files(bench: GatewayProcess) -> None:
    with bench.client() as client:
        client.filesystems.upload("bench", "/in/from-outside", b"hello")
        assert run(client, "return open('/data/in/from-outside').read()") == "hello"
        run(client, "import os; os.makedirs('/data/made'); return open('/data/made/inside', 'w').write('x' * 10)")
        assert read(client, "/made/inside", "bench") == b"x" * 10


LEFT_BEHIND = """
    import os
    os.makedirs('/data/traps/real', exist_ok=True)
    os.symlink('/etc/shadow', '/data/traps/link')
    os.symlink('/etc', '/data/traps/folder')
    os.symlink('/data/traps/real', '/data/traps/inner')
    os.symlink('nowhere', '/data/traps/dangling')
    os.mkfifo('/data/traps/fifo')
    open(b'/data/traps/\\xff\\xfe', 'w').close()
    open('/data/traps/plain', 'w').close()
    return 0
"""


def test_links_that_an_app_leaves_are_neither_shown_nor_followed(bench: GatewayProcess) -> None:
    victim = bench.home / "victim"
    victim.write_text("untouched")
    with bench.client() as client:
        run(client, LEFT_BEHIND)
        run(client, f"import os; os.symlink({str(victim)!r}, '/data/traps/victim'); return 0")
        assert names(client, "/traps", "bench") == ["plain", "real"]
        for trap in ("/traps/link", "/traps/folder/passwd", "/traps/inner/x", "/traps/fifo", "/traps/victim"):
            with pytest.raises((cpsl.InvalidRequest, cpsl.NotFound)):
                read(client, trap, "bench")
        for trap in ("/traps/folder", "/traps/inner"):
            with pytest.raises((cpsl.InvalidRequest, cpsl.NotFound)):
                names(client, trap, "bench")
            with pytest.raises((cpsl.InvalidRequest, cpsl.NotFound)):
                client.filesystems.upload("bench", f"{trap}/new", b"x", overwrite=True)
        with pytest.raises(cpsl.Conflict):
            client.filesystems.upload("bench", "/traps/victim", b"x")
        client.filesystems.upload("bench", "/traps/victim", b"x", overwrite=True)  # the link itself is replaced
        client.filesystems.delete_file("bench", "/traps/link")
    assert victim.read_text() == "untouched"
    assert not Path("/etc/new").exists()


def test_a_link_swapped_in_while_it_is_read_is_not_followed(bench: GatewayProcess) -> None:
    swap = """
        import asyncio, os
        os.makedirs('/data/swap/folder', exist_ok=True)
        open('/data/swap/folder/passwd', 'w').write('mine')
        for _ in range(2000):
            os.rename('/data/swap/folder', '/data/swap/away'); os.symlink('/etc', '/data/swap/folder')
            os.unlink('/data/swap/folder'); os.rename('/data/swap/away', '/data/swap/folder')
            await asyncio.sleep(0)
        return 0
    """
    with bench.client() as client, bench.http() as http:
        turn = client.stream("workbench", "\n".join(line.strip("\n")[8:] for line in swap.splitlines()).strip())
        next(turn)
        seen = {http.get("/fs/bench/content", params={"path": "/swap/folder/passwd"}).text for _ in range(60)}
        list(turn)
    assert not [text for text in seen if "root:" in text]


def test_downloads_are_saved_not_shown(disk: GatewayProcess) -> None:
    with disk.client() as client, disk.http() as http:
        client.filesystems.upload("disk", '/evil".html\n', b"<script>alert(1)</script>")
        answer = http.get("/fs/disk/content", params={"path": '/evil".html\n'})
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''evil%22.html%0A"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-length"] == "25"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_fifty_mebibytes_take_little_memory(disk: GatewayProcess) -> None:
    before = peak(disk)
    sent = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for _ in range(50):
            sent.update(PIECE)
            yield PIECE

    with disk.client() as client:
        assert client.filesystems.upload("disk", "/large", pieces()).size == 50 << 20
        got = hashlib.sha256()
        for piece in client.filesystems.download("disk", "/large"):
            got.update(piece)
        client.filesystems.delete_file("disk", "/large")
    assert got.digest() == sent.digest()
    assert peak(disk) - before < 20 << 20


def peak(gateway: GatewayProcess) -> int:
    """Most memory that the gateway ever had, in bytes."""
    status = Path(f"/proc/{gateway.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def test_an_interrupted_upload_leaves_nothing(disk: GatewayProcess) -> None:
    def half() -> Iterator[bytes]:
        yield PIECE
        yield PIECE
        deadline = time.monotonic() + 5
        while not waiting(disk) and time.monotonic() < deadline:
            time.sleep(0.01)
        raise OSError("the cable is out")

    with disk.client() as client, disk.http() as http:
        with pytest.raises(OSError, match="cable"):
            http.put("/fs/disk/content", params={"path": "/cut"}, content=half())
        deadline = time.monotonic() + 5
        while waiting(disk) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert waiting(disk) == []
        assert "cut" not in names(client)


def test_a_download_that_is_left_is_closed(disk: GatewayProcess) -> None:
    with disk.client() as client, disk.http() as http:
        client.filesystems.upload("disk", "/left", PIECE * 8)
        for _ in range(5):
            with http.stream("GET", "/fs/disk/content", params={"path": "/left"}) as answer:
                next(answer.iter_bytes())
        deadline = time.monotonic() + 5
        while (open_now := held(disk, "/left")) and time.monotonic() < deadline:
            time.sleep(0.05)
        client.filesystems.delete_file("disk", "/left")
    assert open_now == 0


def held(gateway: GatewayProcess, suffix: str) -> int:
    count = 0
    for descriptor in Path(f"/proc/{gateway.pid}/fd").iterdir():
        with suppress(OSError):
            count += os.readlink(descriptor).endswith(suffix)
    return count


def test_two_uploads_of_one_name_at_once(disk: GatewayProcess) -> None:
    def put(number: int) -> int:
        with disk.http() as http:
            return http.put("/fs/disk/content", params={"path": "/race"}, content=bytes([number]) * 100_000).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(put, range(8)))
    assert statuses == [200] + [409] * 7
    with disk.client() as client:
        assert len(set(read(client, "/race"))) == 1
    assert waiting(disk) == []


def test_without_a_token_nothing(disk: GatewayProcess) -> None:
    for method, path in (("GET", "list?path=/"), ("GET", "content?path=/x"), ("PUT", "content?path=/anon")):
        answer = httpx.request(method, f"{disk.url}/api/v1/fs/disk/{path}")
        assert answer.status_code == 401
    with disk.client() as client:
        assert "anon" not in names(client)
