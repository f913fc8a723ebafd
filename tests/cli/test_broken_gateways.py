"""Every command against gateways that are away, hang, break off, or are something else: one clear line, an exit code.

The gateway is a real server on loopback that does one wrong thing.
"""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import write_app
from tests.cli.inside import run
from tests.cli.test_tree import LEAVES, LOCAL

# What each command is given. A new command has to be added here: a test says so.
ARGUMENTS: dict[str, list[str]] = {
    "app delete": ["x", "--yes"],
    "app deploys": ["x"],
    "app get": ["x"],
    "app list": [],
    "app rollback": ["x"],
    "app versions": ["x"],
    "auth status": [],
    "channel create": ["x", "--type", "telegram", "-c", "bot_token=1"],
    "channel delete": ["x", "--yes"],
    "channel info": ["x"],
    "channel list": [],
    "chat": ["x", "hi"],
    "deploy": ["{app}"],
    "fs cat": ["x:/a"],
    "fs create": ["x"],
    "fs delete": ["x", "--yes"],
    "fs download": ["x:/a", "{folder}/a"],
    "fs list": [],
    "fs ls": ["x"],
    "fs mkdir": ["x:/a"],
    "fs mv": ["x:/a", "/b"],
    "fs rm": ["x:/a"],
    "fs show": ["x"],
    "fs upload": ["{file}", "x:/a"],
    "logs": ["x"],
    "open": ["x"],
    "secret create": ["A=1"],
    "secret delete": ["A"],
    "secret list": [],
    "secret update": ["A=1"],
    "status": [],
    "wait": ["x", "--timeout", "0"],
    "app restart": ["x"],
    "session list": ["x"],
    "session show": ["x", "ses_1"],
    "session delete": ["x", "ses_1", "--yes"],
    "session rename": ["x", "ses_1", "A title"],
    "app users list": ["x"],
    "app users disable": ["x", "usr_1"],
    "app users enable": ["x", "usr_1"],
    "app users delete": ["x", "usr_1", "--yes"],
}
# They ask nothing of the gateway of a profile, or find a way around one that is away.
ELSEWHERE = {
    "auth list",
    "auth switch",
    "auth login",
    "auth logout",
    "auth token",
    "doctor",
    "login",
    "logout",
    "serve",
}

HTML = b"<html><title>Welcome</title><body>Sign in to the network</body></html>"


def answer(status: str, body: bytes, kind: str = "application/json", **headers: str) -> bytes:
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}connection: close\r\n\r\n"
    )
    return head.encode() + body


def problem(status: str, code: str, **headers: str) -> bytes:
    told = {"title": code, "detail": f"This is {code}", "code": code, "status": int(status[:3]), "request_id": "req_1"}
    return answer(status, json.dumps(told).encode(), "application/problem+json", **headers)


WRONG: dict[str, tuple[bytes, set[int]]] = {
    "a page": (answer("200 OK", HTML, "text/html"), {6}),
    "a page that is not found": (answer("404 Not Found", HTML, "text/html"), {3, 6}),
    "a page of an error": (answer("500 Internal Server Error", HTML, "text/html"), {1, 6}),
    "another place": (answer("302 Found", b"", location="http://captive.example/login"), {6}),
    "other JSON": (answer("200 OK", b'{"hello": [1, 2]}'), {1, 6}),
    "no JSON": (answer("200 OK", b'{"apps": ['), {1, 6}),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", {6}),
    "half an answer": (answer("200 OK", b"{}" * 40)[:-30], {6}),
    "nothing": (b"", {6}),
    "an expired token": (problem("401 Unauthorized", "unauthorized"), {4}),
    "too many requests": (problem("429 Too Many Requests", "rate_limited", retry_after="1"), {1}),
    "a gateway that stops": (problem("503 Service Unavailable", "shutting_down"), {1, 6}),
    "a failure": (problem("500 Internal Server Error", "internal_error"), {1}),
}


@contextmanager
def serving(content: bytes, *, hang: bool = False) -> Iterator[str]:
    """A server that answers every request with ``content``, or never; its URL."""
    ended = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(5)
            try:
                self.request.recv(65536)
                if hang:
                    ended.wait(30)
                self.request.sendall(content)
                self.request.shutdown(socket.SHUT_WR)
                while self.request.recv(65536):
                    pass
            except OSError:
                return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            ended.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def command(home: dict[str, str], tmp_path: Path) -> Callable[..., Any]:
    """Runs a command against the gateway at a URL."""
    entry = write_app(tmp_path / "project", "x")
    (tmp_path / "file").write_text("content")

    def run_it(words: str, url: str, timeout: float = 0.3) -> Any:
        arguments = [each.format(app=entry, folder=tmp_path, file=tmp_path / "file") for each in ARGUMENTS[words]]
        env = home | {
            "CAPSULE_TOKEN": "cps_x",
            "CAPSULE_GATEWAY_URL": url,
            "CAPSULE_MAX_RETRIES": "0",
            "CAPSULE_TIMEOUT": str(timeout),
        }
        return run([*words.split(), *arguments], env, str(tmp_path))

    return run_it


def check(words: str, done: Any, codes: set[int]) -> None:
    assert done.code in codes, done
    assert "Error: " in done.err
    assert "Traceback" not in done.err
    assert "This is a bug" not in done.err
    assert not done.out or words == "fs cat"  # that has printed what had come


def test_every_command_is_tried() -> None:
    assert set(ARGUMENTS) | ELSEWHERE | LOCAL == set(LEAVES)


COMMANDS = sorted(set(ARGUMENTS) - {"status", "auth status", "deploy"})


@pytest.mark.parametrize("wrong", WRONG)
def test_gateways_that_are_something_else(command: Callable[..., Any], wrong: str) -> None:
    content, codes = WRONG[wrong]
    with serving(content) as url:
        for words in COMMANDS:
            check(words, command(words, url), codes)


@pytest.mark.parametrize("words", ["status", "deploy"])
def test_those_that_begin_with_something_of_their_own(command: Callable[..., Any], words: str) -> None:
    """A status tells what it knows; a deploy describes the app before it asks."""
    for wrong, (content, codes) in WRONG.items():
        with serving(content) as url:
            done = command(words, url)
        assert done.code in codes, (wrong, done)
        assert "Error: " in done.err
        assert "Traceback" not in done.err
        assert "This is a bug" not in done.err
        assert bool(done.out) is (words == "status")


def test_a_gateway_that_hangs_is_given_up(command: Callable[..., Any]) -> None:
    """By every command. (A chat waits for as long as a stream may be silent: ``--timeout`` is for it.)"""
    with serving(b"", hang=True) as url:
        for words in sorted(set(ARGUMENTS) - {"chat"}):
            began = time.monotonic()
            done = command(words, url, timeout=0.1)
            assert done.code == 6, (words, done)
            assert "Error: " in done.err
            assert time.monotonic() - began < 10, words


def test_a_chat_is_given_up_when_its_time_is_over(home: dict[str, str]) -> None:
    with serving(b"", hang=True) as url:
        env = home | {"CAPSULE_TOKEN": "cps_x", "CAPSULE_GATEWAY_URL": url}
        done = run(["chat", "x", "hi", "--timeout", "0.3"], env)
    assert done.code == 6
    assert "0.3 seconds" in done.err


def test_nobody_is_there(command: Callable[..., Any]) -> None:
    for words in COMMANDS:
        done = command(words, "http://127.0.0.1:9")
        check(words, done, {6})
        assert "127.0.0.1:9" in done.err
