"""An app that takes hold of the link to its gateway and says what it should not: only its own turn suffers."""

from __future__ import annotations

import ast
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import cpsl
from cpsl.wire.ids import new_id
from tests.gateway.test_logs import of_turn
from tests.support.bench import deploy_workbench
from tests.support.gateway import GatewayProcess

_TOOLS = """
import asyncio, os, time, msgspec
sock, pack, me = session._bridge._link._sock, msgspec.msgpack.encode, session.request_id
def raw(data):
    session._bridge._link.flush_blocking(5)
    sock.setblocking(True)
    sock.sendall(data)
    sock.setblocking(False)
def framed(body):
    return len(body).to_bytes(4, "big") + body
def events(*given):
    return framed(pack({"t": "events", "request_id": me, "events": given}))
def ended(inner):
    return framed(pack({"t": "ended", "request_id": me, "data": {"a": 0}})[:-1] + inner)
def block(inner):
    return framed(pack({"t": "events", "request_id": me, "events": [
        {"type": "block", "id": "b", "block_type": "x", "payload": {"a": 0}}]})[:-1] + inner)
"""
_WIDE = "b'\\xdd' + (5_000_000).to_bytes(4, 'big') + b'\\x90' * 5_000_000"
_PROMPT = "{'type': 'prompt', 'prompt_id': 'p', 'kind': 'file', 'message': 'm', 'expires_at': 9e9}"
Client = Callable[[str], cpsl.Client]


@pytest.fixture(scope="session")
def member(bench: GatewayProcess) -> Client:
    """A client of one more user of the app."""
    with bench.http() as http:
        workspace = http.get("/me").json()["workspace"]
    return lambda name: bench.client(bench.member(f"{name}@hostile.example", workspace))


def say(client: cpsl.Client, code: str) -> list[cpsl.StreamChunk]:
    """Run code in the app that has the tools to be hostile; the events that came of it."""
    return list(client.stream("workbench", (_TOOLS + textwrap.dedent(code)).strip()))


@pytest.mark.parametrize(
    "data",
    [
        "b'\\xff' * 4",
        "b'\\0\\0\\0\\3abc'",
        "framed(b'\\x91' * 100_000)",
        "ended(b'\\x91' * 100_000 + b'\\xc0')",
        f"ended({_WIDE})",
        "ended(b'\\xd4\\x05a')",
        "block(b'\\xd4\\x05a')",
        "block(pack({(1, 2): 3}))",
        "events({'type': 'done', 'request_id': 'x', 'session_id': 'y'})",
        "events({'type': 'error', 'code': 'x', 'message': 'y', 'request_id': 'z'})",
        "events({'type': 'started', 'request_id': 'x', 'session_id': 'y', 'version': 9})",
        f"events({_PROMPT})",
    ],
)
def test_what_is_no_frame_of_an_app_ends_its_runtime_and_its_turn(
    bench: GatewayProcess, member: Client, data: str
) -> None:
    with member(new_id("user")) as client:
        with pytest.raises(cpsl.AppError) as caught:
            say(client, f"raw({data})\nawait asyncio.sleep(20)")
        assert caught.value.code == "runtime_lost"
        assert client.turns.get(str(caught.value.request_id)).state == "failed"
        assert client.chat("workbench", "return 'again'").text == "'again'"
    assert "Traceback" not in bench.log()


def test_answers_that_nobody_asked_for_and_ends_of_other_turns_are_nothing(
    bench: GatewayProcess, member: Client
) -> None:
    with member("victim") as victim, member("liar") as liar:
        stream = victim.stream("workbench", "import asyncio\nawait asyncio.sleep(1)\nreturn 'mine'")
        other = next(stream).data["request_id"]
        chunks = say(
            liar,
            f"""
            forged = [
                {{"t": "booted"}},
                {{"t": "ready", "spec": {{"name": "x"}}}},
                {{"t": "events", "request_id": "{other}", "events": [{{"type": "chunk", "text": "forged"}}]}},
                {{"t": "ended", "request_id": "{other}"}},
                *({{"t": kind, "call_id": 7}} for kind in ("pong", "data_result", "session_closed")),
            ]
            raw(b"".join(framed(pack(each)) for each in forged * 3))
            return 'mine too'
            """,
        )
        assert "".join(chunk.text for chunk in chunks) == "'mine too'"
        assert "".join(chunk.text for chunk in stream) == "'mine'"
    assert "Traceback" not in bench.log()


def test_a_line_with_a_time_that_is_none_takes_no_other_line_with_it(bench: GatewayProcess, member: Client) -> None:
    with member("logger") as client:
        chunks = say(
            client,
            """
            times = [float("nan"), float("inf"), -1.0, 1e30]
            lines = [{"message": f"at {each}", "timestamp": each, "session_id": "s" * 9999} for each in times]
            raw(framed(pack({"t": "logs", "records": lines})))
            print("an honest line")
            """,
        )
        assert chunks[-1].event == "done"
        request_id = chunks[0].data["request_id"]
        [line] = of_turn(client, request_id, 1)
        assert line.message == "an honest line"
        odd = [line for line in client.apps.logs("workbench") if line.session_id.startswith("sss")]
        assert [line.message for line in odd] == ["at nan", "at inf", "at -1.0", "at 1e+30"]
        assert all(abs(line.timestamp - time.time()) < 60 for line in odd)
    assert "Traceback" not in bench.log()


def test_a_flood_of_frames_keeps_nobody_waiting(member: Client) -> None:
    with member("flooder") as flooder, member("neighbour") as neighbour:
        neighbour.chat("workbench", "return 0")
        stream = flooder.stream(
            "workbench",
            f"""{_TOOLS}
flood = framed(pack({{"t": "pong", "call_id": 7}})) * 20_000
await session.reply("begin")
until = time.monotonic() + 2
while time.monotonic() < until:
    raw(flood)
""".strip(),
        )
        while not next(stream).text:
            pass
        taken = []
        for _ in range(20):
            began = time.monotonic()
            neighbour.chat("workbench", "return 1")
            taken.append(time.monotonic() - began)
        assert sorted(taken)[10] < 0.1
        assert list(stream)[-1].event == "done"


def test_who_opens_prompts_without_end_is_stopped(member: Client) -> None:
    with member("asker") as client:
        chunks = say(
            client,
            """
            ask = {"q": "prompt", "request_id": me, "kind": "file", "timeout": 3600.0}
            raw(b"".join(framed(pack({"t": "call", "call_id": 1000 + i, "question": ask})) for i in range(300)))
            await asyncio.sleep(0.5)
            """,
        )
        assert sum(chunk.event == "prompt" for chunk in chunks) <= 100
        assert chunks[-1].event == "done"


def test_what_a_store_has_no_place_for_costs_no_answer_and_no_line(store_url: str, tmp_path: Path) -> None:
    """NUL in text, NaN in session data: PostgreSQL takes neither."""
    gateway = GatewayProcess(tmp_path)
    gateway.env["CAPSULE_DATABASE_URL"] = store_url
    gateway.start()
    try:
        deploy_workbench(gateway)
        with gateway.client() as client:
            odd = "print('a\\0b')\nsession.data['x'] = [float('nan'), 'a\\0b']\nawait session.reply('a\\0b')\nreturn 1"
            first = client.chat("workbench", odd)
            assert first.text == "a\0b\n\n1"
            found = "return session.data['x'], [message.text for message in session.history]"
            second = client.chat("workbench", found, session_id=first.session_id)
            assert ast.literal_eval(second.text) == ([None, "a\0b"], [odd, "a\ufffdb", "1"])
            assert [line.message for line in of_turn(client, first.request_id, 1)] == ["a\ufffdb"]
        assert gateway.stop() == 0
    finally:
        gateway.kill()
    assert "Traceback" not in gateway.log()
