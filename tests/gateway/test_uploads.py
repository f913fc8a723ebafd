"""Uploads that can be taken up again: what has come is kept, what is not whole or not right appears nowhere."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cpsl
from cpsl.gateway.files.ranges import Unsatisfiable, part_of, read_digest, repr_digest
from cpsl.gateway.files.uploads.service import KEPT_SECONDS, Uploads
from tests.gateway.test_full_disk import small_disk
from tests.support.gateway import GatewayProcess, running_gateway

PIECE = os.urandom(1 << 20)
PARTIAL = {"Content-Type": "application/partial-upload", "Upload-Complete": "?0"}


@pytest.fixture(scope="session")
def disk(gateway: GatewayProcess) -> GatewayProcess:
    """The shared gateway with a filesystem ``uploads`` of these tests."""
    with gateway.client() as client:
        client.filesystems.create("uploads")
    return gateway


def begin(http: httpx.Client, path: str, length: int | None = None, key: str = "k") -> httpx.Response:
    told = {} if length is None else {"Upload-Length": str(length)}
    headers = {"Idempotency-Key": key} | told
    return http.post("/fs/uploads/uploads", params={"path": path}, headers=headers)


def append(
    http: httpx.Client, where: str, offset: int, content: bytes | Iterator[bytes], **more: str
) -> httpx.Response:
    headers = PARTIAL | {"Upload-Offset": str(offset)} | {name.replace("_", "-"): value for name, value in more.items()}
    return http.patch(where.removeprefix("/api/v1"), content=content, headers=headers)


def digest_of(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def test_an_upload_in_parts(disk: GatewayProcess) -> None:
    with disk.http() as http, disk.client() as client:
        begun = begin(http, "/parts/x", 10)
        where = begun.headers["location"]
        assert (begun.status_code, begun.headers["upload-offset"]) == (201, "0")
        assert append(http, where, 0, b"01234").headers["upload-offset"] == "5"
        head = http.head(where.removeprefix("/api/v1"))
        assert (head.status_code, head.headers["upload-offset"], head.headers["upload-length"]) == (204, "5", "10")
        assert begin(http, "/parts/x", 10).json()["offset"] == 5  # the same key, the same upload
        assert begin(http, "/parts/x", 10, key="other").json()["offset"] == 0
        wrong = append(http, where, 3, b"34567")
        assert (wrong.status_code, wrong.json()["code"]) == (409, "upload_offset")
        early = append(http, where, 5, b"", Upload_Complete="?1")
        assert (early.status_code, early.json()["code"]) == (409, "upload_incomplete")
        assert append(http, where, 5, b"567890").status_code == 413
        with pytest.raises(cpsl.NotFound):
            client.filesystems.stat("uploads", "/parts/x")
        done = append(http, where, 5, b"56789", Upload_Complete="?1", Repr_Digest=digest_of(b"0123456789"))
        assert done.json() == {"path": "/parts/x", "size": 10, "sha256": hashlib.sha256(b"0123456789").hexdigest()}
        assert append(http, where, 10, b"", Upload_Complete="?1").json() == done.json()  # the answer was lost
        assert b"".join(client.filesystems.download("uploads", "/parts/x")) == b"0123456789"
        assert begin(http, "/parts/x", 10).json()["code"] == "file_exists"


def test_what_is_not_what_was_sent_appears_nowhere(disk: GatewayProcess) -> None:
    with disk.http() as http:
        where = begin(http, "/wrong", 4).headers["location"]
        done = append(http, where, 0, b"abcd", Upload_Complete="?1", Repr_Digest=digest_of(b"abce"))
        assert (done.status_code, done.json()["code"]) == (422, "digest_mismatch")
        assert http.head(where.removeprefix("/api/v1")).status_code == 404
        put = http.put(
            "/fs/uploads/content", params={"path": "/wrong"}, content=b"a", headers={"Repr-Digest": digest_of(b"b")}
        )
        assert put.json()["code"] == "digest_mismatch"
        assert http.get("/fs/uploads/stat", params={"path": "/wrong"}).status_code == 404


def test_two_writers_of_one_upload_are_refused(disk: GatewayProcess) -> None:
    ended = threading.Event()

    def slow() -> Iterator[bytes]:
        yield PIECE
        ended.wait(10)

    with disk.http() as http, disk.http() as other:
        where = begin(http, "/two").headers["location"]
        first = threading.Thread(target=append, args=(other, where, 0, slow()))
        first.start()
        part = disk.data_dir / "uploads" / f"{where.rpartition('/')[2]}.part"
        until(lambda: part.stat().st_size > 0)
        refused = append(http, where, 0, b"x")
        ended.set()
        first.join()
        assert (refused.status_code, refused.json()["code"]) == (409, "upload_busy")
        assert http.head(where.removeprefix("/api/v1")).headers["upload-offset"] == str(len(PIECE))
        assert http.delete(where.removeprefix("/api/v1")).status_code == 204
        assert not part.exists()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_other_workspaces_reach_no_upload(disk: GatewayProcess) -> None:
    with disk.http() as http, disk.http(disk.member("uploads@example.com", "uploadless")) as theirs:
        where = begin(http, "/mine", 3).headers["location"].removeprefix("/api/v1")
        assert theirs.head(where).status_code == 404
        assert theirs.patch(where, content=b"x", headers=PARTIAL | {"Upload-Offset": "0"}).status_code == 404
        assert theirs.delete(where).status_code == 404
        for bad in ("..%2Fx", "%2e%2e", "a.json", "x" * 200):
            assert http.head(f"/fs/uploads/uploads/{bad}").status_code == 404


class Restarting(io.BytesIO):
    """A file of 24 MiB; the gateway is killed and started again when so many pieces have been read."""

    def __init__(self, gateway: GatewayProcess, at: int) -> None:
        super().__init__(PIECE * 24)
        self._gateway, self._at, self._count = gateway, at, 0

    def read(self, size: int | None = -1) -> bytes:
        self._count += 1
        if self._count == self._at:
            self._gateway.kill()
            self._gateway.start()
        return super().read(size)


def test_the_gateway_is_killed_on_the_way_up_and_down(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway, gateway.client() as client:
        client.filesystems.create("x")
        sent: list[int] = []
        stored = client.filesystems.upload("x", "/big", Restarting(gateway, 14), progress=sent.append)
        assert stored.size == 24 << 20
        assert sent[-1] == stored.size
        assert any(later < before for before, later in pairwise(sent))  # it went back, not to 0
        assert sent.count(0) == 1
        got = hashlib.sha256()
        for number, piece in enumerate(client.filesystems.download("x", "/big")):
            if number == 3:
                gateway.kill()
                gateway.start()
            got.update(piece)
        assert got.hexdigest() == stored.sha256 == hashlib.sha256(PIECE * 24).hexdigest()


def test_async_clients_do_the_same(disk: GatewayProcess) -> None:
    async def main() -> bytes:
        async with cpsl.AsyncClient(token=disk.token, gateway_url=disk.url) as client:
            await client.filesystems.upload("uploads", "/async", io.BytesIO(PIECE * 3))
            return b"".join([piece async for piece in client.filesystems.download("uploads", "/async", 5, 10)])

    assert asyncio.run(main()) == PIECE[5:15]


def test_a_file_that_changes_while_it_is_sent(disk: GatewayProcess, tmp_path: Path) -> None:
    path = tmp_path / "log"

    def changed(size: int, sent: int) -> None:
        os.truncate(path, size)

    for change in (0, 9 << 20):
        path.write_bytes(PIECE * 8)
        with disk.client() as client, path.open("rb") as file, pytest.raises(cpsl.Conflict) as caught:
            client.filesystems.upload("uploads", "/changing", file, progress=partial(changed, change))
        assert caught.value.code == "file_changed"
    with disk.client() as client, pytest.raises(cpsl.NotFound):
        client.filesystems.stat("uploads", "/changing")


def test_another_file_of_the_same_key_begins_anew(disk: GatewayProcess, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(PIECE * 3)
    info = path.stat()
    key = f"{info.st_size:x}-{info.st_mtime_ns:x}-{info.st_ino:x}-0"
    with disk.http() as http, disk.client() as client, path.open("rb") as file:
        where = begin(http, "/anew", len(PIECE) * 3, key).headers["location"]
        append(http, where, 0, b"something else")
        stored = client.filesystems.upload("uploads", "/anew", file)
    assert stored.sha256 == hashlib.sha256(PIECE * 3).hexdigest()


def test_a_full_disk_keeps_nothing(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path)
    with small_disk(tmp_path / "data", 12 << 20):
        gateway.start()
        with gateway.client() as client:
            client.filesystems.create("x")
            for content in (io.BytesIO(PIECE * 16), iter([PIECE] * 16)):
                with pytest.raises(cpsl.errors.StorageFull):
                    client.filesystems.upload("x", "/big", content)
                assert list((gateway.data_dir / "uploads").glob("*.part")) == []
            client.filesystems.upload("x", "/small", io.BytesIO(PIECE * 3))
        gateway.stop()


def test_old_uploads_are_swept(tmp_path: Path) -> None:
    for name, age in (("upl_old", KEPT_SECONDS + 5), ("upl_new", KEPT_SECONDS - 5)):
        for ending in (".part", ".json"):
            (tmp_path / (name + ending)).write_text("{}")
            os.utime(tmp_path / (name + ending), (time.time() - age,) * 2)
    Uploads(tmp_path, 10).sweep()
    assert sorted(os.listdir(tmp_path)) == ["upl_new.json", "upl_new.part"]


# --- ranges -------------------------------------------------------------------------------------------------------


@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60))
def test_a_range_is_the_slice_of_the_file(size: int, first: int, last: int) -> None:
    content = bytes(range(size))
    for header, slice_ in (
        (f"bytes={first}-{last}", content[first : last + 1] if first <= last else content),
        (f"bytes={first}-", content[first:]),
        (f"bytes=-{last}", content[max(size - last, 0) :] if last else b""),
    ):
        try:
            part = part_of(size, header, None, '"x"')
        except Unsatisfiable:
            assert slice_ == b""
            continue
        start, length = part or (0, size)
        assert content[start : start + length] == slice_


@given(st.text(max_size=20) | st.from_regex(r"bytes=[0-9, -]{0,12}", fullmatch=True))
def test_whatever_a_range_says_it_is_inside_the_file(header: str) -> None:
    try:
        part = part_of(10, header, None, '"x"')
    except Unsatisfiable:
        return
    assert part is None or (0 <= part[0] < 10 and 0 < part[1] <= 10 - part[0])


@given(st.binary(min_size=32, max_size=32))
def test_digests_there_and_back(digest: bytes) -> None:
    assert read_digest(repr_digest(digest)) == digest
    assert read_digest(f"md5=:xx:, {repr_digest(digest)}") == digest


def test_ranges_over_http(disk: GatewayProcess) -> None:
    with disk.http() as http, disk.client() as client:
        client.filesystems.upload("uploads", "/ten", b"0123456789")
        place = {"path": "/ten"}

        def get(**headers: str) -> httpx.Response:
            told = {name.replace("_", "-"): value for name, value in headers.items()}
            return http.get("/fs/uploads/content", params=place, headers=told)

        head = http.head("/fs/uploads/content", params=place)
        whole = get()
        assert (head.status_code, head.content) == (200, b"")
        for name in ("etag", "accept-ranges", "content-length", "last-modified"):
            assert head.headers[name] == whole.headers[name]
        etag = whole.headers["etag"]
        part = get(Range="bytes=2-4", If_Range=etag)
        assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
        assert get(Range="bytes=2-4", If_Range='"other"').content == b"0123456789"
        assert get(Range="bytes=0-1,4-5").status_code == 200
        beyond = get(Range="bytes=10-")
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */10")
        assert beyond.json()["code"] == "invalid_range"
        client.filesystems.upload("uploads", "/ten", b"9876543210", overwrite=True)
        assert get(Range="bytes=2-4", If_Range=etag).content == b"9876543210"
        assert b"".join(client.filesystems.download("uploads", "/ten", offset=7)) == b"210"
        assert b"".join(client.filesystems.download("uploads", "/ten", 2, 3)) == b"765"
        assert list(client.filesystems.download("uploads", "/ten", length=0)) == []
        with pytest.raises(cpsl.InvalidRequest):
            list(client.filesystems.download("uploads", "/ten", offset=11))


def test_listings_page(disk: GatewayProcess) -> None:
    with disk.client() as client:
        names = [f"{number:03}" for number in range(25)]
        for name in names:
            client.filesystems.make_folder("uploads", f"/many/{name}")
        seen: list[str] = []
        while page := client.filesystems.entries("uploads", "/many", limit=10, after=seen[-1] if seen else ""):
            assert len(page) <= 10
            seen += [entry.name for entry in page]
        assert seen == names


def test_a_folder_is_removed_without_following_its_links(disk: GatewayProcess, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    with disk.client() as client:
        client.filesystems.upload("uploads", "/gone/deep/file", b"x")
        root = disk.data_dir / "fs" / client.filesystems.get("uploads").id
        (root / "gone" / "link").symlink_to(tmp_path)
        (root / "into").symlink_to(tmp_path)
        client.filesystems.delete_file("uploads", "/gone", recursive=True)
        attempts: list[Callable[[], object]] = [
            lambda: client.filesystems.delete_file("uploads", "/into/kept", recursive=True),
            lambda: client.filesystems.make_folder("uploads", "/into/new"),
            lambda: client.filesystems.move_file("uploads", "/into/kept", "/stolen"),
            lambda: client.filesystems.delete_file("uploads", "/", recursive=True),
        ]
        for attempt in attempts:
            with pytest.raises((cpsl.InvalidRequest, cpsl.NotFound, cpsl.Conflict)):
                attempt()
    assert os.listdir(tmp_path) == ["kept"]
