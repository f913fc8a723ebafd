"""An app that takes too much is stopped with a clear error, and nobody else notices."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import cpsl
from tests.support.gateway import APPS, GatewayProcess


@pytest.fixture(scope="module")
def hog(gateway: GatewayProcess) -> GatewayProcess:
    with gateway.client() as client:
        client.filesystems.create("hog")
    gateway.deploy(APPS / "hog.py")
    return gateway


@pytest.fixture(scope="module")
def client(hog: GatewayProcess) -> Iterator[cpsl.Client]:
    with hog.client() as client:
        yield client


@pytest.fixture(scope="module")
def neighbour(hog: GatewayProcess) -> Iterator[cpsl.Client]:
    """Another user of the same app."""
    with hog.http() as http:
        workspace = http.get("/me").json()["workspace"]
    with hog.client(hog.member("neighbour@limits.example", workspace)) as client:
        yield client


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("eat", "out_of_memory", "512 MiB"),
        ("fork", "app_error", "BlockingIOError"),
        ("open", "app_error", "OSError"),
    ],
)
def test_too_much_is_a_clear_error_and_the_next_turn_works(
    client: cpsl.Client, neighbour: cpsl.Client, text: str, code: str, says: str
) -> None:
    session_id = neighbour.chat("hog", "hi").session_id
    with pytest.raises(cpsl.AppError) as caught:
        client.chat("hog", text)
    assert caught.value.code == code
    assert says in caught.value.message
    assert neighbour.chat("hog", "still there", session_id=session_id).text == "You said: still there"
    assert client.chat("hog", "again").text == "You said: again"


def test_folders_in_memory_are_full_before_the_memory_is(client: cpsl.Client) -> None:
    with pytest.raises(cpsl.AppError) as caught:
        client.chat("hog", "fill")
    assert (caught.value.code, "OSError" in caught.value.message) in {("app_error", True), ("out_of_memory", False)}
    assert client.chat("hog", "again").text == "You said: again"


@pytest.mark.parametrize("text", ["spin", "print", "sync"])
def test_a_handler_that_hangs_is_cancelled_within_a_second_and_the_next_turn_works(
    client: cpsl.Client, text: str
) -> None:
    stream = client.stream("hog", text)
    started = next(stream)
    assert next(stream).text
    began = time.monotonic()
    client.turns.cancel(started.data["request_id"])
    with pytest.raises(cpsl.TurnCancelled):
        list(stream)
    assert time.monotonic() - began < 2
    assert client.chat("hog", "again").text == "You said: again"


def test_others_are_answered_while_one_prints_without_end(client: cpsl.Client, neighbour: cpsl.Client) -> None:
    stream = client.stream("hog", "print")
    started = next(stream)
    reader = threading.Thread(target=_read_to_the_cancel, args=(stream,))
    reader.start()
    answers = [neighbour.chat("hog", str(number)).text for number in range(20)]
    client.turns.cancel(started.data["request_id"])
    reader.join(10)
    assert answers == [f"You said: {number}" for number in range(20)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of its own, of 400 MB."""
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        pytest.skip("making a file system needs root and mkfs.ext4")
    image, folder = tmp_path / "disk.img", tmp_path / "disk"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(400 * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
    if subprocess.run(["mount", "-o", "loop", str(image), str(folder)], capture_output=True).returncode:
        pytest.skip("no loop devices here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_whoever_fills_the_disk_is_stopped_before_it_is_full(small_disk: Path) -> None:
    gateway = GatewayProcess(small_disk)
    gateway.start()
    try:
        with gateway.client() as client:
            client.filesystems.create("hog")
            gateway.deploy(APPS / "hog.py")
            gateway.deploy(APPS / "echo.py")
            with pytest.raises(cpsl.AppError) as caught:
                client.chat("hog", "fill the disk")
            assert caught.value.code in ("disk_full", "app_error")  # it may have been quicker than the look
            assert client.chat("echo", "hi").text == "You said: hi"
            next(gateway.data_dir.glob("fs/*/big")).unlink()
            assert client.chat("hog", "hi").text == "You said: hi"
    finally:
        gateway.stop()


def _read_to_the_cancel(stream: Iterator[cpsl.StreamChunk]) -> None:
    with pytest.raises(cpsl.TurnCancelled):
        list(stream)
