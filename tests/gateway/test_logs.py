"""What an app prints: kept by its session and turn, in pages, and followed as it comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import cpsl
from cpsl.wire.apps import BuildLog, LogFilter, LogLine
from tests.support.bench import run
from tests.support.gateway import GatewayProcess

Lines = list[LogLine]


def lines_when(client: cpsl.Client, enough: Callable[[Lines], bool], app: str = "workbench") -> Lines:
    """The log, as soon as what is waited for is in it."""
    deadline = time.monotonic() + 5
    while not enough(lines := client.apps.logs(app)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert enough(lines), lines
    return lines


def ends_with(lines: Lines, start: str) -> bool:
    """Whether the last line begins so."""
    return bool(lines) and lines[-1].message.startswith(start)


def of_turn(client: cpsl.Client, request_id: str, count: int) -> Lines:
    found = lines_when(client, lambda lines: sum(line.request_id == request_id for line in lines) >= count)
    return [line for line in found if line.request_id == request_id]


SPEAK = """
import logging, os, sys, warnings
print("out", 1); print("öut 2", end="\\n"); print("a\\nb")
print("err", file=sys.stderr)
logging.getLogger("mine").warning("careful %s", "now")
logging.getLogger("mine").error("bad")
print("no end", end="")
return 0
"""


def test_lines_know_their_stream_level_session_and_turn(bench: GatewayProcess) -> None:
    with bench.client() as client:
        answer = client.chat("workbench", SPEAK.strip())
        lines = of_turn(client, answer.request_id, 8)
    assert [(line.stream, line.level, line.message) for line in lines] == [
        ("stdout", "info", "out 1"),
        ("stdout", "info", "öut 2"),
        ("stdout", "info", "a"),
        ("stdout", "info", "b"),
        ("stderr", "info", "err"),
        ("stderr", "warning", "mine: careful now"),
        ("stderr", "error", "mine: bad"),
        ("stdout", "info", "no end"),
    ]
    assert {line.session_id for line in lines} == {answer.session_id}
    assert {line.version for line in lines} == {1}
    assert [line.id for line in lines] == sorted({line.id for line in lines})
    assert all(abs(line.timestamp - time.time()) < 60 for line in lines)


def test_what_other_programs_and_the_descriptors_say_is_there_too(bench: GatewayProcess) -> None:
    code = (
        "import os, subprocess; subprocess.run(['/bin/echo', 'from a child']); os.write(2, b'raw \\xff\\n'); return 0"
    )
    with bench.client() as client:
        run(client, code)
        lines = lines_when(client, lambda lines: {"from a child", "raw \ufffd"} <= {line.message for line in lines})
    assert {line.stream for line in lines if line.message == "raw \ufffd"} == {"stderr"}


def test_two_turns_at_once_keep_their_lines_apart(bench: GatewayProcess) -> None:
    code = "import asyncio\nfor n in range(20):\n    print('MARK', end=' ')\n"
    code += "    await asyncio.sleep(0.002)\n    print(n)\nreturn 0"
    answers: dict[str, str] = {}

    def talk(mark: str) -> None:
        with bench.client() as each:
            answers[mark] = each.chat("workbench", code.replace("MARK", mark)).request_id

    threads = [threading.Thread(target=talk, args=(mark,)) for mark in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with bench.client() as client:
        for mark, request_id in answers.items():
            lines = of_turn(client, request_id, 20)
            assert [line.message for line in lines] == [f"{mark} {number}" for number in range(20)]


def test_a_traceback_is_the_apps_own_and_names_its_turn(bench: GatewayProcess) -> None:
    with bench.client() as client:
        with pytest.raises(cpsl.AppError) as caught:
            client.chat("workbench", "raise RuntimeError('deep inside')")
        assert caught.value.request_id
        [line] = of_turn(client, caught.value.request_id, 1)
    assert (line.level, line.stream) == ("error", "system")
    assert line.session_id
    assert line.message.startswith("Traceback (most recent call last):")
    assert line.message.endswith("RuntimeError: deep inside")
    assert "/app/app.py" in line.message
    assert "cpsl/runtime" not in line.message


def test_a_long_traceback_keeps_its_end(bench: GatewayProcess) -> None:
    with bench.client() as client:
        with pytest.raises(cpsl.AppError) as caught:
            client.chat("workbench", "raise RuntimeError('x' * 40_000 + ' the end')")
        [line] = of_turn(client, caught.value.request_id or "", 1)
    assert line.message.startswith("Traceback")
    assert line.message.endswith(" the end")
    assert len(line.message) < 20_000


def test_pages(bench: GatewayProcess) -> None:
    with bench.client() as client:
        answer = client.chat("workbench", "for n in range(30): print('page', n)\nreturn 0")
        lines = of_turn(client, answer.request_id, 30)
        last = client.apps.logs("workbench", limit=5)
        assert [line.message for line in last] == [f"page {n}" for n in range(25, 30)]
        first = client.apps.logs("workbench", limit=3, after=lines[9].id)
        assert [line.message for line in first] == ["page 10", "page 11", "page 12"]
        assert client.apps.logs("workbench", after=lines[-1].id) == []


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=100000", "limit=x", "after=x"])
def test_pages_that_cannot_be(bench: GatewayProcess, query: str) -> None:
    with bench.http() as http:
        response = http.get(f"/apps/workbench/logs?{query}")
    assert response.status_code == 422
    assert response.json()["code"] == "invalid_request"


def test_a_page_of_what_is_wanted(bench: GatewayProcess) -> None:
    with bench.client() as client:
        before = time.time()
        first = client.chat("workbench", SPEAK.strip())
        second = client.chat("workbench", "print('wanted'); return 0", first.session_id)
        other = client.chat("workbench", "print('of another'); return 0")
        for answer, count in ((first, 8), (second, 1), (other, 1)):
            of_turn(client, answer.request_id, count)

        def found(**wanted: Any) -> list[str]:
            lines = client.apps.logs("workbench", wanted=LogFilter(**wanted))
            return [line.message for line in lines if line.timestamp >= before]

        assert found(turn=second.request_id) == ["wanted"]
        assert found(session=first.session_id)[-2:] == ["no end", "wanted"]
        assert found(level="warning", turn=first.request_id) == ["mine: careful now", "mine: bad"]
        assert found(level="error", session=first.session_id) == ["mine: bad"]
        assert found(stream="stderr", turn=first.request_id) == ["err", "mine: careful now", "mine: bad"]
        assert found(version=1, turn=other.request_id) == ["of another"]
        assert found(search="NEVER SAID") == found(search="100%_") == found(until=before) == []
        assert found(version=2) == found(since=time.time() + 60) == found(turn="trn_nobodys") == []
        everything = client.apps.logs("workbench", wanted=LogFilter(since=before))
        assert len(everything) == 10
        assert client.apps.logs("workbench", 1, everything[0].id, LogFilter(stream="stderr"))[0].message == "err"


@pytest.mark.parametrize("query", ["level=loud", "stream=stdin", "since=yesterday", "version=v1"])
def test_filters_that_cannot_be(bench: GatewayProcess, query: str) -> None:
    with bench.http() as http:
        assert http.get(f"/apps/workbench/logs?{query}").status_code == 422


def test_following_what_is_wanted(bench: GatewayProcess) -> None:
    with bench.client() as client, bench.client() as other:
        followed = other.apps.follow_logs("workbench", 1, LogFilter(level="error"))
        code = "import logging\nprint('noise')\nlogging.getLogger('mine').error('LINE')\nreturn 0"
        client.chat("workbench", code.replace("LINE", "first"))
        assert next(line for line in followed if "first" in line.message)
        client.chat("workbench", "for n in range(300): print('noise', n)\nreturn 0")
        began = time.monotonic()
        client.chat("workbench", code.replace("LINE", "second"))
        assert next(followed).message == "mine: second"
        assert time.monotonic() - began < 2


def test_an_app_without_an_image_has_no_build_log(bench: GatewayProcess) -> None:
    with bench.client() as client:
        assert client.apps.build_log("workbench") == BuildLog("workbench", 1, "")
        with pytest.raises(cpsl.NotFound):
            client.apps.build_log("workbench", 99)


def test_a_log_is_bounded_by_its_size(own_gateway: GatewayProcess) -> None:
    loud = """
import cpsl
app = cpsl.App(name="loud")

@app.message()
async def handle(session, msg):
    for number in range(int(msg.text)):
        print(number, "x" * 16_000)
    await session.reply("done")
"""
    (own_gateway.home / "loud.py").write_text(loud)
    own_gateway.deploy(own_gateway.home / "loud.py")
    with own_gateway.client() as client:
        for last in ("500 ", "501 ", "502 "):
            client.chat("loud", str(int(last) + 1))
            lines_when(client, partial(ends_with, start=last), "loud")
        lines = client.apps.logs("loud", limit=10_000)
    size = sum(len(line.message) for line in lines)
    assert 8 * 1024 * 1024 < size <= 18 * 1024 * 1024 + 2_000_000
    assert ends_with(lines, "502 ")


def test_following_gives_the_last_lines_then_those_that_come(bench: GatewayProcess) -> None:
    with bench.client() as client, bench.client() as other:
        answer = client.chat("workbench", "print('before 1'); print('before 2'); return 0")
        of_turn(client, answer.request_id, 2)
        followed = other.apps.follow_logs("workbench", limit=2)
        seen = [next(followed).message, next(followed).message]
        began = time.monotonic()
        client.chat("workbench", "print('after 1'); print('after 2'); return 0")
        seen += [next(followed).message, next(followed).message]
        assert time.monotonic() - began < 2
    assert seen == ["before 1", "before 2", "after 1", "after 2"]


def test_following_by_the_stream_itself(bench: GatewayProcess) -> None:
    with bench.client() as client, bench.http() as http:
        answer = client.chat("workbench", "print('seen'); return 0")
        [line] = of_turn(client, answer.request_id, 1)
        query = {"follow": "true", "after": str(line.id - 1)}
        with http.stream("GET", "/apps/workbench/logs", params=query) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            fields = [next(rows) for rows in [response.iter_lines()] for _ in range(3)]
    assert fields[:2] == [f"id: {line.id}", "event: log"]
    assert '"message":"seen"' in fields[2]


def test_a_flood_does_not_stop_the_app_or_lose_the_end(bench: GatewayProcess) -> None:
    with bench.client() as client:
        run(client, "for n in range(5000): print('flood', n)\nprint('y' * 50_000)\nprint('flood ends')\nreturn 0")
        lines = lines_when(client, lambda lines: ends_with(lines, "flood ends"))
    cut = [line.message for line in lines if set(line.message) == {"y"}]
    assert "".join(cut) == "y" * 50_000
    assert max(map(len, cut)) <= 16_384


def test_other_workspaces_see_nothing(bench: GatewayProcess) -> None:
    with bench.client(bench.member("logs@example.com", "logless")) as client:
        with pytest.raises(cpsl.NotFound):
            client.apps.logs("workbench")
        with pytest.raises(cpsl.NotFound):
            next(client.apps.follow_logs("workbench"))
