"""A full disk: nothing is lost that was acknowledged, and the gateway says so, reads on and recovers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cpsl.errors import StorageFull
from cpsl.gateway.db.database import Database
from tests.support.gateway import GatewayProcess
from tests.support.store import adding, all_names, on_store, together

MIB = 1024 * 1024


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A filesystem of ``size`` bytes at ``folder``."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"mode=0700,size={size}", "none", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"this machine lets us mount no small disk: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 4096)
    return ballast


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    async def test(db: Database) -> None:
        await db.write(adding("before"))
        ballast = _fill(disk)
        results = await together(db, adding("small"), adding("big", 2 * MIB), adding("after"))
        kept = [each for each in results if isinstance(each, str)]
        assert any(isinstance(each, StorageFull) for each in results), results
        assert all(isinstance(each, (str, StorageFull)) for each in results), results
        assert await db.read(all_names) == sorted(["before", *kept])
        ballast.unlink()
        assert await together(db, adding("small again"), adding("big again", 2 * MIB)) == [
            "small again",
            "big again",
        ]
        assert await db.read(all_names) == sorted(["before", *kept, "big again", "small again"])
        assert await db.read(lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar()) == "ok"

    with small_disk(tmp_path / "disk", 8 * MIB) as disk:
        on_store(f"sqlite:///{disk}/capsule.db", test)


def test_a_gateway_on_a_full_disk_says_so_reads_on_and_recovers(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path)
    with small_disk(tmp_path / "data", 8 * MIB) as disk:
        gateway.start()
        with gateway.http() as http:
            http.post("/secrets", json={"secrets": {"BEFORE": "x"}})
            http.post("/fs", json={"name": "files"})
            ballast = _fill(disk)
            values = {f"S{number}": "x" * 200_000 for number in range(8)}
            refused = http.post("/secrets", json={"secrets": values})
            assert (refused.status_code, refused.json()["code"]) == (507, "storage_full")
            assert refused.json()["hint"]
            upload = http.put("/fs/files/content", params={"path": "/big"}, content=b"x" * 100_000)
            assert (upload.status_code, upload.json()["code"]) == (507, "storage_full")
            assert [each["name"] for each in http.get("/secrets").json()["secrets"]] == ["BEFORE"]
            assert http.get("/fs/files/list").json() == {"entries": []}
            ballast.unlink()
            assert http.post("/secrets", json={"secrets": values}).status_code == 201
            assert http.put("/fs/files/content", params={"path": "/big"}, content=b"x" * 100_000).is_success
            assert len(http.get("/secrets").json()["secrets"]) == 9
        assert gateway.stop() == 0
    assert "Traceback" not in gateway.log()
