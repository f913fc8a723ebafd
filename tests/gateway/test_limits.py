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
from tests.support.gateway import APPS, GatewayProcess, running_gateway


@pytest.fixture(scope="session")
def hog(gateway: GatewayProcess) -> GatewayProcess:
    return with_hog(gateway)


def with_hog(gateway: GatewayProcess) -> GatewayProcess:
    with gateway.client() as client:
        client.filesystems.create("hog")
    gateway.deploy(APPS / "hog.py")
    return gateway


@pytest.fixture(scope="session")
def client(hog: GatewayProcess) -> Iterator[cpsl.Client]:
    with hog.client() as client:
        yield client


@pytest.fixture(scope="session")
def neighbour(hog: GatewayProcess) -> Iterator[cpsl.Client]:
    """Another user of the same app."""
    with hog.colleague("neighbour@limits.example") as client:
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


def test_data_that_does_not_come_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with running_gateway(tmp_path, CAPSULE_TURN_TIMEOUT="1") as gateway:
        with_hog(gateway)
        with gateway.client() as client, gateway.http() as http:
            late = http.get("/app/hog/data/late")
            assert (late.status_code, late.json()["code"]) == (502, "turn_timeout")
            assert client.chat("hog", "hi").text == "You said: hi"
            with pytest.raises(cpsl.AppError) as caught:
                client.chat("hog", "sync")
            assert caught.value.code == "turn_timeout"
            assert "1 seconds" in caught.value.message
            assert client.chat("hog", "hi").text == "You said: hi"


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
    with running_gateway(small_disk) as gateway:
        with_hog(gateway)
        gateway.deploy(APPS / "echo.py")
        with gateway.client() as client:
            with pytest.raises(cpsl.AppError) as caught:
                client.chat("hog", "fill the disk")
            assert caught.value.code in ("disk_full", "app_error")  # it may have been quicker than the look
            assert client.chat("echo", "hi").text == "You said: hi"
            next(gateway.data_dir.glob("fs/*/big")).unlink()
            assert client.chat("hog", "hi").text == "You said: hi"


def _read_to_the_cancel(stream: Iterator[cpsl.StreamChunk]) -> None:
    with pytest.raises(cpsl.TurnCancelled):
        list(stream)
