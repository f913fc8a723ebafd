"""Prompts outlive the gateway: whoever answers after a restart gets the one answer, said once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cpsl
from cpsl.gateway.chats.log import TurnLog
from cpsl.gateway.chats.repeating import Repetition
from cpsl.gateway.chats.running import BEGINS, WAITS
from cpsl.gateway.chats.store import Entry
from cpsl.wire.events import AppEvent, Block, Chunk, Event, Reply, Status, encode, type_of
from tests.gateway.test_prompts import Talk, asked, closed
from tests.support.gateway import APPS, GatewayProcess, running_gateway

BOX = {"user": "ada"}
End = Callable[[GatewayProcess], int]
ENDS = pytest.mark.parametrize("end", [GatewayProcess.kill, GatewayProcess.stop], ids=["killed", "stopped"])


@pytest.fixture(scope="module")
def waiter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway of this file's own, that it may kill, with an app that waits."""
    with running_gateway(tmp_path_factory.mktemp("waiter")) as gateway:
        with gateway.client() as client:
            client.filesystems.create("waited")
        gateway.deploy(APPS / "waiter.py")
        yield gateway


def restart(gateway: GatewayProcess, end: End) -> None:
    end(gateway)
    gateway.start()


def newcomer(gateway: GatewayProcess, name: str) -> str:
    return gateway.member(f"{name}-{time.time_ns()}@example.com", "default")


def messages(talk: Talk) -> list[str]:
    return [message.text for message in talk.client.sessions.get("waiter", talk.session_id).messages]


@ENDS
def test_whoever_answers_after_a_restart_gets_one_answer(waiter: GatewayProcess, end: End) -> None:
    with asked(waiter, "waiter", "whole", newcomer(waiter, "whole")) as talk:
        restart(waiter, end)
        turn = talk.client.turns.get(talk.request_id)
        assert (turn.state, turn.prompt and turn.prompt.prompt_id) == ("running", talk.prompt_id)
        assert talk.client.turns.answer(talk.request_id, talk.prompt_id, BOX).outcome == "answered"
        assert talk.rest() == "Welcome.\n\nBefore.\n\nI need your box: thanks, ada"
        closed(talk)
        said = messages(talk)
        events = [chunk.event for chunk in talk.chunks if chunk.event != "chunk"]
    assert said == ["whole", "Welcome.", "Before.", "I need your box: thanks, ada"]
    cards = ["reply", "status", "block", "reply", "prompt", "prompt_closed", "reply", "done"]
    assert events == ["started", *cards]
    numbers = [chunk.id for chunk in talk.chunks]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_stream_that_watches_sees_all_of_it_across_restarts(waiter: GatewayProcess) -> None:
    with waiter.client(newcomer(waiter, "watcher")) as client:
        stream = client.stream("waiter", "whole")
        seen = [next(stream) for _ in range(5)]
        prompt = next(chunk for chunk in stream if chunk.event == "prompt")
        for end in (GatewayProcess.kill, GatewayProcess.stop):
            restart(waiter, end)
        client.turns.answer(seen[0].data["request_id"], prompt.data["prompt_id"], BOX)
        rest = "".join(chunk.text for chunk in stream)
    assert rest == "thanks, ada"


def test_what_was_answered_before_is_answered_again(waiter: GatewayProcess) -> None:
    with asked(waiter, "waiter", "file and box", newcomer(waiter, "both")) as talk:
        talk.client.turns.upload(talk.request_id, talk.prompt_id, "notes.txt", b"notes", "text/plain")
        box = wait_for_prompt(talk, "form")
        restart(waiter, GatewayProcess.kill)
        assert wait_for_prompt(talk, "form") == box
        talk.client.turns.answer(talk.request_id, box, BOX)
        assert talk.rest() == "Welcome.\n\nnotes of ada"
        assert talk.outcomes() == ["answered", "answered"]
        assert [chunk.event for chunk in talk.chunks].count("prompt") == 2


def test_a_prompt_after_a_restart_may_be_followed_by_another(waiter: GatewayProcess) -> None:
    with asked(waiter, "waiter", "file and box", newcomer(waiter, "later")) as talk:
        restart(waiter, GatewayProcess.kill)
        talk.client.turns.upload(talk.request_id, talk.prompt_id, "notes.txt", b"notes", "text/plain")
        box = wait_for_prompt(talk, "form")
        restart(waiter, GatewayProcess.kill)
        talk.client.turns.answer(talk.request_id, box, BOX)
        assert talk.rest() == "Welcome.\n\nnotes of ada"


def wait_for_prompt(talk: Talk, kind: str) -> str:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        prompt = talk.client.turns.get(talk.request_id).prompt
        if prompt is not None and prompt.kind == kind:
            return prompt.prompt_id
        time.sleep(0.02)
    raise AssertionError(f"no prompt of the kind {kind}")


def test_declined_after_a_restart(waiter: GatewayProcess) -> None:
    with asked(waiter, "waiter", "otherwise", newcomer(waiter, "decliner")) as talk:
        restart(waiter, GatewayProcess.kill)
        talk.client.turns.decline(talk.request_id, talk.prompt_id)
        with pytest.raises(cpsl.AppError) as caught:
            talk.rest()
    assert caught.value.code == "integration_declined"


def test_cancelled_after_a_restart(waiter: GatewayProcess) -> None:
    with asked(waiter, "waiter", "whole", newcomer(waiter, "canceller")) as talk:
        restart(waiter, GatewayProcess.kill)
        talk.client.turns.cancel(talk.request_id)
        with pytest.raises(cpsl.TurnCancelled):
            talk.rest()
        closed(talk)


def test_one_that_expired_meanwhile(waiter: GatewayProcess) -> None:
    with asked(waiter, "waiter", "brief", newcomer(waiter, "late")) as talk:
        waiter.kill()
        time.sleep(0.7)
        waiter.start()
        assert talk.rest() == "Welcome.\n\ntoo late"
        assert talk.outcomes() == ["expired"]
        closed(talk)


def test_a_handler_that_says_something_else_is_heard(waiter: GatewayProcess) -> None:
    with asked(waiter, "waiter", "otherwise", newcomer(waiter, "other")) as talk:
        restart(waiter, GatewayProcess.kill)
        talk.client.turns.answer(talk.request_id, talk.prompt_id, BOX)
        first, other, last = talk.rest().removeprefix("Welcome.\n\n").split("\n\n")
        told = [chunk.data["message"] for chunk in talk.chunks if chunk.event == "status"]
    assert first != other
    assert other.startswith("This is run ")
    assert last == "Yours is ada."
    assert told == ["The app was interrupted while it waited, and says something else now"]


def test_a_message_behind_one_that_waits_waits_on(waiter: GatewayProcess) -> None:
    with asked(waiter, "waiter", "whole", newcomer(waiter, "behind")) as talk:
        stream = talk.client.stream("waiter", "plain", talk.session_id)
        behind = str(next(stream).data["request_id"])
        restart(waiter, GatewayProcess.stop)
        assert talk.client.turns.get(behind).state == "queued"
        talk.client.turns.answer(talk.request_id, talk.prompt_id, BOX)
        assert "".join(chunk.text for chunk in stream) == "here"
        assert messages(talk)[-1] == "here"
        waits = [each for each in talk.client.turns.events(behind) if each.event == "status"]
    assert [each.data["message"] for each in waits] == [WAITS, BEGINS]


# --- what is said again -------------------------------------------------------------------------------------------


def log_of(events: list[AppEvent]) -> TurnLog:
    entries = [Entry(i, type_of(event), encode(event)) for i, event in enumerate(events, 1)]
    return TurnLog.restored(None, "trn_1", "ses_1", entries)  # type: ignore[arg-type]  # nothing is written


def said(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Chunk))


texts = st.text(alphabet="ab ", min_size=1, max_size=6)
answers = st.lists(st.lists(texts, min_size=1, max_size=4), max_size=4)


def events_of(replies: list[list[str]]) -> list[AppEvent]:
    events: list[AppEvent] = []
    for number, pieces in enumerate(replies, 1):
        if number > 1:
            events.append(Chunk("\n\n", separator=True))
        events += [*map(Chunk, pieces), Reply(number)]
    return events


@given(answers, answers, st.data())
def test_what_is_in_the_log_is_passed_over_however_it_is_cut(
    before: list[list[str]], after: list[list[str]], data: st.DataObject
) -> None:
    whole = events_of(before + after)
    cut = data.draw(st.integers(0, len(whole)))
    joined = [["".join(pieces)] for pieces in before + after]
    again = events_of(joined) if data.draw(st.booleans()) else whole
    log = log_of(whole[:cut])
    new = Repetition(log).new(again)
    assert said([*whole[:cut], *new]) == said(list(whole))
    assert not [event for event in new if isinstance(event, Status)]
    replies = [event.reply for event in [*whole[:cut], *new] if isinstance(event, Reply)]
    assert replies == list(range(1, len(before + after) + 1))


@given(answers, answers, st.booleans())
def test_whatever_is_said_the_second_time_replies_are_counted(
    before: list[list[str]], again: list[list[str]], is_open: bool
) -> None:
    first = events_of(before)[: -1 if is_open else None]
    new = Repetition(log_of(first)).new(events_of(again))
    numbers = [event.reply for event in [*first, *new] if isinstance(event, Reply)]
    assert numbers == list(range(1, len(numbers) + 1))
    whole = said([*first, *new]).replace("\n\n", "")
    assert "".join("".join(pieces) for pieces in again[-1:]) in whole


def test_cards_and_news_are_not_shown_twice() -> None:
    first: list[AppEvent] = [
        Status("looking"),
        Block("blk_1", "task", {"title": "Look"}),
        Block("blk_2", "image", {"url": "http://x/a/files/fil_1", "alt": "x"}),
    ]
    again: list[AppEvent] = [
        Block("blk_8", "task", {"title": "Look"}),
        Status("looking"),
        Status("looking"),
        Block("blk_9", "image", {"url": "http://x/a/files/fil_2", "alt": "x"}),
        Block("blk_8", "task", {"title": "Done"}),
    ]
    new = Repetition(log_of(first)).new(again)
    assert new == [Status("looking"), Block("blk_1", "task", {"title": "Done"})]
