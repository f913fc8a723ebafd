"""What is left after the worst: kill -9, an orderly stop, two gateways on one directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import msgspec
import pytest

import cpsl
from tests.support.gateway import APPS, GatewayProcess
from tests.support.processes import are_gone, descendants, eventually, running_apps, zygotes


def test_kill_in_the_middle_of_twenty_turns(own_gateway: GatewayProcess) -> None:
    """Every acknowledged message is kept, every turn ends once, none runs twice, and resuming clients see the end."""
    own_gateway.deploy(APPS / "echo.py")
    started = threading.Barrier(21, timeout=30)
    ends: dict[str, list[cpsl.StreamChunk]] = {}

    def talk(number: int) -> None:
        with own_gateway.client() as client:
            chunks = []
            with pytest.raises(cpsl.AppError):
                for chunk in client.stream("echo", f"slowly {1000 + number}"):
                    chunks.append(chunk)
                    if chunk.text == "piece 2":
                        started.wait()
            ends[chunks[0].data["request_id"]] = chunks

    with ThreadPoolExecutor(20) as pool:
        talking = [pool.submit(talk, number) for number in range(20)]
        started.wait()
        runtimes = running_apps(own_gateway.pid)
        own_gateway.kill()
        assert are_gone(runtimes)
        own_gateway.start()
        for each in talking:
            each.result(timeout=60)

    assert len(ends) == 20
    with own_gateway.client() as client:
        for request_id, seen in ends.items():
            stored = list(_log_of(client, request_id))
            assert [chunk.id for chunk in seen] == list(range(1, len(seen) + 1))
            assert [(chunk.id, chunk.data) for chunk in seen] == [(chunk.id, chunk.data) for chunk in stored]
            assert [chunk.event for chunk in stored].count("error") == 1
            assert stored[-1].data["code"] == "gateway_restarted"
            said = client.sessions.get("echo", seen[0].data["session_id"]).messages
            assert said[0].sender == "user"
            assert [message.text for message in said[1:4]] == ["piece 0", "piece 1", "piece 2"]
        assert client.chat("echo", "runs").text == "1"


def test_kill_of_a_zygote_in_the_middle_of_turns(own_gateway: GatewayProcess) -> None:
    """Runtimes that were forked go on; who comes next gets a new zygote."""
    own_gateway.deploy(APPS / "echo.py")
    with own_gateway.client() as client:
        stream = client.stream("echo", "slowly 20")
        seen = [next(stream) for _ in range(4)]
        (zygote,) = zygotes(own_gateway.pid)
        os.kill(zygote, signal.SIGKILL)
        assert own_gateway.colleague("new@zygote.example").chat("echo", "hi").text
        assert [chunk.event for chunk in (*seen, *stream)].count("done") == 1
        assert client.chat("echo", "runs").text == "2"
        assert zygote not in zygotes(own_gateway.pid)


def test_kill_of_runtimes_in_the_middle_of_turns(own_gateway: GatewayProcess) -> None:
    """Each turn ends once, with a clear error; the text so far stays; the next turn works."""
    own_gateway.deploy(APPS / "echo.py")
    people = [own_gateway.colleague(f"{name}@kill.example") for name in ("ann", "bob", "cy")]
    streams = [person.stream("echo", "slowly 1000") for person in people]
    seen = [[next(stream) for _ in range(4)] for stream in streams]
    for pid in running_apps(own_gateway.pid) - zygotes(own_gateway.pid):
        with suppress(ProcessLookupError):  # it went with another of them
            os.kill(pid, signal.SIGKILL)
    for person, stream, chunks in zip(people, streams, seen, strict=True):
        with pytest.raises(cpsl.AppError) as caught:
            chunks.extend(stream)
        assert caught.value.code == "runtime_lost"
        stored = person.sessions.get("echo", chunks[0].data["session_id"]).messages
        assert [message.text for message in stored][:2] == ["slowly 1000", "piece 0"]
        assert person.chat("echo", "runs").text == "1"
        person.close()


def test_a_start_after_a_kill_finds_no_process_of_the_one_before(own_gateway: GatewayProcess) -> None:
    own_gateway.deploy(APPS / "echo.py")
    with own_gateway.client() as client:
        client.chat("echo", "hi")
        before = descendants(own_gateway.pid)
        own_gateway.kill()
        own_gateway.start()
        assert are_gone(before)
        assert client.chat("echo", "runs").text == "1"
        assert eventually(lambda: len(running_apps(own_gateway.pid)) >= 2)


def _log_of(client: cpsl.Client, request_id: str) -> list[cpsl.StreamChunk]:
    chunks = []
    with pytest.raises(cpsl.AppError):
        for chunk in client.turns.events(request_id):
            chunks.append(chunk)
    return chunks


def test_a_message_that_waited_runs_after_the_restart(own_gateway: GatewayProcess) -> None:
    own_gateway.deploy(APPS / "echo.py")
    with own_gateway.client() as client, own_gateway.http() as http:
        session_id = client.chat("echo", "hi").session_id
        streams = []
        for text in ("sleep 30", "hi again"):
            request = http.build_request("POST", "/app/echo/stream", json={"text": text, "session_id": session_id})
            streams.append(http.send(request, stream=True))
            time.sleep(0.2)
        waiting = streams[1].headers["X-Turn-Id"]
        own_gateway.kill()
        own_gateway.start()
        events = list(client.turns.events(waiting))
        answer = "".join(chunk.text for chunk in events)
        cut = client.turns.get(streams[0].headers["X-Turn-Id"])
    assert answer == "You said: hi again"
    assert [chunk.event for chunk in events].count("done") == 1
    assert cut.state == "failed"


def test_a_stop_lets_turns_finish(own_gateway: GatewayProcess) -> None:
    own_gateway.deploy(APPS / "echo.py")
    with own_gateway.client() as client:
        stream = client.stream("echo", "sleep 1")
        first = next(stream)
        runtimes = running_apps(own_gateway.pid)
        began = time.monotonic()
        assert own_gateway.stop() == 0
        assert time.monotonic() - began < 8
        own_gateway.start()
        assert "".join(chunk.text for chunk in stream) == "slept"
    assert first.event == "started"
    assert are_gone(runtimes)


def start_in_vain(gateway: GatewayProcess, port: str) -> subprocess.CompletedProcess[str]:
    """Start a gateway that cannot come up; it says why in one line and ends with status 1."""
    argv = [sys.executable, "-m", "cpsl.gateway", "--port", port]
    ended = subprocess.run(argv, env=gateway.env, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    return ended


def test_a_second_gateway_on_the_same_directory_refuses(own_gateway: GatewayProcess) -> None:
    second = start_in_vain(own_gateway, "0")
    assert "another gateway runs on" in second.stderr


def test_a_taken_port_is_named(own_gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = GatewayProcess(tmp_path_factory.mktemp("other"))
    refused = start_in_vain(other, str(own_gateway.port))
    assert f"port {own_gateway.port} is taken" in refused.stderr
    assert f"--port {own_gateway.port + 1}" in refused.stderr


def test_without_its_master_key_it_does_not_start_and_makes_no_new_one(own_gateway: GatewayProcess) -> None:
    own_gateway.stop()
    credentials = own_gateway.home / "config" / "credentials.json"
    kept = credentials.read_bytes()
    credentials.unlink()
    refused = start_in_vain(own_gateway, "0")
    assert "master key" in refused.stderr
    assert not credentials.exists()
    credentials.write_bytes(msgspec.json.encode(dict.fromkeys(msgspec.json.decode(kept), "QUJD" * 10 + "QUI=")))
    credentials.chmod(0o600)
    assert "another key" in start_in_vain(own_gateway, "0").stderr
    credentials.write_bytes(kept)
    credentials.chmod(0o600)
    own_gateway.start()
