from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cpsl.wire import frames
from cpsl.wire.events import Chunk, Reply
from tests.runtime.host import Host

Demo = Callable[..., None]


def test_ready_tells_the_spec_and_boot_could_read_secrets(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        ready = host.ready
        assert ready is not None
        assert ready.spec.name == "demo"
        assert ready.spec.secrets == ["INJECTED"]
        assert [spec.name for spec in ready.spec.data] == ["sum", "who", "broken"]
        assert (await host.turn("booted")).text == "boot-value"

    demo(steps)


def test_replies_and_returned_text(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        turn = await host.turn("two")
        assert turn.events == [
            Chunk("one"), Reply(1), Chunk("\n\n", separator=True), Chunk("two"), Reply(2),
        ]  # fmt: skip
        assert (await host.turn("return this")).text == "returned this"
        assert (await host.turn("echo grüße 🎉")).text == "grüße 🎉"
        assert (await host.turn("interleave")).text == "a\n\nb\n\nc"
        assert (await host.turn("nothing")).events == []

    demo(steps)


def test_two_thousand_pieces_arrive_once_and_in_order(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        turn = await host.turn("pieces 2000")
        assert turn.text == "".join(f"piece {number}, " for number in range(2000))
        assert turn.events[-1] == Reply(1)

    demo(steps)


def test_a_failing_handler_keeps_its_text_and_data_and_says_no_more_than_it_should(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        turn = await host.turn("fail")
        failure = turn.failure
        assert turn.text == "partial"
        assert turn.events[-1] == Reply(1)
        assert failure is not None
        assert (failure.code, failure.message) == ("app_error", "The app failed (ValueError).")
        assert "ValueError: secret detail" in failure.traceback
        assert "do_fail" in failure.traceback
        assert "cpsl/runtime" not in failure.traceback
        assert turn.ended.result().data == {"before": True}
        assert (await host.turn("quit")).failure is not None
        assert (await host.turn("echo still here")).text == "still here"

    demo(steps)


def test_cancel_ends_a_turn_and_keeps_its_text(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        turn = await host.begin("sleep 30")
        while not turn.events:
            await asyncio.sleep(0.01)
        await host.send(frames.CancelTurn("req_1"))
        ended = await asyncio.wait_for(turn.ended, 1)
        assert ended.failure is not None
        assert ended.failure.code == "cancelled"
        assert turn.events == [Chunk("sleeping"), Reply(1)]

    demo(steps)


def test_a_turn_cancelled_before_it_began_still_ends(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        turn = await host.begin("sleep 30")
        await host.send(frames.CancelTurn("req_1"))
        assert (await asyncio.wait_for(turn.ended, 1)).failure is not None

    demo(steps)


def test_a_handler_that_swallows_the_cancel_is_answered_when_it_ends(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        turn = await host.begin("stubborn")
        while not turn.events:
            await asyncio.sleep(0.01)
        await host.send(frames.CancelTurn("req_1"))
        await asyncio.wait_for(turn.ended, 5)
        assert turn.failure is None
        assert turn.text == "begun\n\nfinished anyway"

    demo(steps)


def test_sessions_run_side_by_side(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        slow = await host.begin("sleep 30", "req_slow")
        fast = await host.turn("echo quick", "req_fast", session=frames.SessionState("ses_2", "api"))
        assert fast.text == "quick"
        assert not slow.ended.done()

    demo(steps)


def test_session_data_is_sent_when_something_nested_changed(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        state = frames.SessionState("ses_1", "api", data={"nested": {"list": ["a"]}})
        assert (await host.turn("data b", session=state)).ended.result().data == {"nested": {"list": ["a", "b"]}}
        assert (await host.turn("nothing", session=state)).ended.result().data is None
        new = frames.SessionState("ses_2", "api", is_new=True)
        assert (await host.turn("nothing", session=new)).ended.result().data == {"entered": 1}

    demo(steps)


def test_what_cannot_be_stored_fails_the_turn_and_takes_nothing_with_it(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        ended = (await host.turn("unstorable")).ended.result()
        assert ended.data == {"good": 1}
        assert ended.failure is not None
        assert "session.data['bad']" in ended.failure.traceback

    demo(steps)


def test_lines_know_their_turn(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        await host.turn("print hello")
        record = await host.until_logged("hello")
        assert (record.message, record.stream, record.request_id, record.session_id) == (
            "hello", "stdout", "req_1", "ses_1",
        )  # fmt: skip
        warned = await host.until_logged("warned hello")
        assert (warned.level, warned.request_id) == ("warning", "req_1")
        assert (await host.until_logged("thread hello")).request_id == "req_1"
        assert (await host.until_logged("unfinished")).request_id == "req_1"

    demo(steps)


def test_secrets_come_from_the_environment_first_and_never_show(demo: Demo) -> None:
    asked: list[str] = []

    def answers(question: Any) -> Any:
        asked.append(question.name)
        return "from-vault" if question.name == "KNOWN" else frames.CallError("secret_not_found", "no such secret")

    async def steps(host: Host) -> None:
        assert (await host.turn("secret INJECTED")).text == "injected Secret('INJECTED')"
        assert (await host.turn("secret KNOWN")).text == "from-vault Secret('KNOWN')"
        assert (await host.turn("secret KNOWN")).text == "from-vault Secret('KNOWN')"
        failed = (await host.turn("secret OTHER")).failure
        assert failed is not None
        assert "NotFound: no such secret" in failed.traceback
        assert asked == ["KNOWN", "OTHER"]

    demo(steps, answers=answers, environment={"INJECTED": "injected"})


def test_only_declared_variables_reach_the_app(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        names = set((await host.turn("environ")).text.split())
        names -= {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}
        assert names <= {"PATH", "HOME", "LANG", "LC_CTYPE", "TZ", "PYTHONPATH", "INJECTED"}

    demo(steps, environment={"INJECTED": "x"})


@pytest.mark.parametrize(
    ("outcome", "text", "failed"),
    [("answered", "s3cretIntegrationCredentials", None), ("declined", "", "integration_declined"),
     ("expired", "", "integration_timeout")],
)  # fmt: skip
def test_integration_forms(demo: Demo, outcome: str, text: str, failed: str | None) -> None:
    def answers(question: Any) -> Any:
        assert question == frames.OpenPrompt("req_1", "form", 300.0, message="why", integration="vault")
        fields = {"fields": {"api_key": "s3cret"}}
        return {"outcome": outcome, **({"credentials": fields} if outcome == "answered" else {})}

    async def steps(host: Host) -> None:
        turn = await host.turn("vault")
        assert turn.text.startswith(text)
        assert turn.text.count("s3cret") == bool(text)
        assert (turn.failure.code if turn.failure else None) == failed

    demo(steps, answers=answers)


def test_collections_ask_with_the_session(demo: Demo) -> None:
    def answers(question: Any) -> Any:
        return [{"_id": "1", "text": "hi"}]

    async def steps(host: Host) -> None:
        assert (await host.turn("notes hi")).text == "[{'_id': '1', 'text': 'hi', 'id': '1'}]"
        assert host.questions[1:] == [
            frames.Insert("notes", [{"text": "hi"}], "ses_1"),
            frames.Insert("private", [{"text": "hi"}], "ses_1"),
            frames.Find("notes", {"text": "hi"}, {"text": -1}, 5, 0, "ses_1"),
        ]

    demo(steps, answers=answers)


def test_answers_after_the_turn_are_refused(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        turn = await host.turn("leak")
        await host.until_logged("refused turn_ended")
        assert turn.events == []

    demo(steps)


def test_data_handlers(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        response = await host.data("sum", {"a": "2", "b": "3"})
        assert response.json.startswith(b'{"sum":5,"thread":"handler')
        assert (await host.data("sum", {"a": "2"})).json.startswith(b'{"sum":3')
        user = await host.data("who", integrations={"vault": {"fields": {"api_key": "k"}}})
        assert user.json == b'{"user":"usr_1","authenticated":true,"vault":true}'
        wrong = {
            ("sum", ""): "invalid_request",
            ("sum", "z"): "invalid_request",
            ("nope", ""): "unknown_data_handler",
            ("broken", ""): "app_error",
        }
        for (name, extra), code in wrong.items():
            failure = (await host.data(name, {"a": "1", extra: "1"} if extra else {})).failure
            assert failure is not None
            assert failure.code == code

    demo(steps, user=frames.AppUser("usr_1"))


def test_exit_and_shutdown_hooks(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        await host.send(frames.CloseSession(1, frames.SessionState("ses_9", "chat")))
        await host.until_logged("exit of ses_9")
        running = await host.begin("sleep 30")
        await host.send(frames.Stop())
        await host.until_exit()
        await host.until_logged("shutdown ran")
        assert (await running.ended).failure is not None

    demo(steps)


def test_sigterm_is_a_stop(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        os.kill(host.pid, signal.SIGTERM)
        await host.until_exit()
        await host.until_logged("shutdown ran")

    demo(steps)


def test_the_process_ends_with_its_host_even_when_the_app_blocks_the_loop(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        turn = await host.begin("block")
        while not turn.events:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        host.hang_up()
        await host.until_exit(2)

    demo(steps)


def test_garbage_on_the_link_ends_the_process(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        await host.send_raw(b"\xff\xff\xff\xff")
        await host.until_exit(2)

    demo(steps)


def test_a_writer_waits_for_a_host_that_does_not_read(demo: Demo) -> None:
    async def steps(host: Host) -> None:
        host.paused.clear()
        turn = await host.begin(f"flood {40 * 1024}")  # 40 MiB
        await asyncio.sleep(1)
        status = Path(f"/proc/{host.pid}/status").read_text()
        resident = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
        assert resident < 120 * 1024
        host.paused.set()
        await asyncio.wait_for(turn.ended, 10)
        assert len(turn.text) == 40 * 1024 * 1024

    if not os.path.exists("/proc/self/status"):
        pytest.skip("memory is read from /proc")
    demo(steps)
