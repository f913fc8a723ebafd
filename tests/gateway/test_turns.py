"""A turn from the message to the end of its log, through every part there is."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import cpsl
from tests.support.gateway import APPS, GatewayProcess
from tests.support.proxy import cutting_proxy


def test_a_conversation_keeps_its_session_data_and_history(echo: GatewayProcess) -> None:
    with echo.client() as client:
        first = client.chat("echo", "remember banana")
        second = client.chat("echo", "recall", session_id=first.session_id)
        fresh = client.chat("echo", "recall")
    assert second.text == "banana, after 2 messages"
    assert second.session_id == first.session_id
    assert fresh.text == "None, after 0 messages"
    assert fresh.session_id != first.session_id


def test_the_log_begins_with_started_and_ends_with_done(echo: GatewayProcess) -> None:
    with echo.client() as client:
        chunks = list(client.stream("echo", "hi"))
    assert [chunk.event for chunk in chunks] == ["started", "chunk", "reply", "done"]
    assert [chunk.id for chunk in chunks] == [1, 2, 3, 4]
    assert chunks[-1].done


@pytest.mark.parametrize("cuts", [[], [50, 700, 300, 1500, 900]], ids=["straight", "cut five times"])
def test_streamed_pieces_arrive_once_and_in_order(echo: GatewayProcess, cuts: list[int]) -> None:
    expected = "".join(f"{number} " for number in range(2000)) + "\n\n" + "second reply"
    with cutting_proxy(echo.url, cuts) as proxy, echo.client(url=proxy.url) as client:
        printed = "".join(chunk.text for chunk in client.stream("echo", "stream 2000"))
        assert proxy.cuts == len(cuts)
    assert printed == expected


def test_chat_gives_all_replies(echo: GatewayProcess) -> None:
    with echo.client() as client:
        answer = client.chat("echo", "stream 3")
    assert answer.text == "0 1 2 \n\nsecond reply"
    assert answer.raw["replies"] == [{"text": "0 1 2 "}, {"text": "second reply"}]


def test_the_published_endpoints_answer_alike(echo: GatewayProcess) -> None:
    with echo.http() as http:
        posted = http.post("/app/echo/chat", json={"text": "hi"}).json()
        streamed = http.get("/app/echo/stream", params={"text": "hi"}).text
    assert posted["replies"] == [{"text": "You said: hi"}]
    assert posted["session_id"]
    assert posted["request_id"]
    assert "event: done\n" in streamed
    assert '"text":"You said: hi"' in streamed


def test_one_key_runs_once_however_often_it_is_sent(echo: GatewayProcess) -> None:
    with echo.client() as client:
        before = int(client.chat("echo", "runs").text)

    def send(_: int) -> tuple[str, str]:
        with echo.client() as each:
            answer = each.chat("echo", "stream 5", idempotency_key="fifty-at-once")
            return answer.text, answer.request_id

    with ThreadPoolExecutor(50) as pool:
        answers = set(pool.map(send, range(50)))
    assert len(answers) == 1
    with echo.client() as client:
        assert int(client.chat("echo", "runs").text) == before + 2


def test_a_key_is_for_one_message(echo: GatewayProcess) -> None:
    with echo.client() as client:
        client.chat("echo", "this", idempotency_key="one-message")
        with pytest.raises(cpsl.InvalidRequest) as caught:
            client.chat("echo", "that", idempotency_key="one-message")
    assert caught.value.code == "idempotency_key_reused"


def test_a_handler_that_raises_after_text(echo: GatewayProcess) -> None:
    with echo.client() as client:
        chunks = []
        with pytest.raises(cpsl.AppError) as caught:
            for chunk in client.stream("echo", "fail"):
                chunks.append(chunk)
        assert "".join(chunk.text for chunk in chunks) == "before it broke"
        assert chunks[-1].event == "error"
        assert caught.value.request_id == chunks[0].data["request_id"]
        assert "the secret detail" not in caught.value.message
        time.sleep(0.3)
        lines = [line for line in client.apps.logs("echo") if line.request_id == caught.value.request_id]
    assert "ValueError: the secret detail" in lines[-1].message
    assert "cpsl/" not in lines[-1].message


def test_a_runtime_that_dies_ends_its_turn_and_the_next_works(echo: GatewayProcess) -> None:
    with echo.client() as client:
        with pytest.raises(cpsl.AppError) as caught:
            client.chat("echo", "exit")
        assert caught.value.code == "runtime_lost"
        assert client.chat("echo", "hi").text == "You said: hi"


def test_the_second_message_waits_for_the_first_and_says_so(echo: GatewayProcess) -> None:
    with echo.client() as client:
        session_id = client.chat("echo", "hi").session_id
        first = threading.Thread(target=lambda: client.chat("echo", "sleep 0.5", session_id))
        first.start()
        time.sleep(0.2)
        with echo.client() as other:
            second = list(other.stream("echo", "hi", session_id))
            meanwhile = other.chat("echo", "hi").text
        first.join()
        messages = client.sessions.get("echo", session_id).messages
    assert "status" in [chunk.event for chunk in second]
    assert meanwhile == "You said: hi"
    assert [message.text for message in messages][2:] == ["sleep 0.5", "hi", "slept", "You said: hi"]


def test_cancel_ends_a_turn_within_a_second_and_keeps_the_answer(echo: GatewayProcess) -> None:
    with echo.client() as client, echo.client() as other:
        seen = []
        with pytest.raises(cpsl.TurnCancelled):
            for chunk in client.stream("echo", "slowly 200"):
                seen.append(chunk)
                if chunk.text == "piece 1":
                    began = time.monotonic()
                    other.turns.cancel(seen[0].data["request_id"])
        assert time.monotonic() - began < 1.5
        session = other.sessions.get("echo", seen[0].data["session_id"])
    assert "piece 1" in [message.text for message in session.messages]


def test_leaving_does_not_end_a_turn(echo: GatewayProcess) -> None:
    with echo.client() as client:
        for chunk in client.stream("echo", "sleep 0.4"):
            request_id = chunk.data["request_id"]
            break
        events = [chunk.event for chunk in client.turns.events(request_id)]
        assert events == ["started", "chunk", "reply", "done"]
        assert [chunk.event for chunk in client.turns.events(request_id, after=2)] == ["reply", "done"]


@pytest.mark.parametrize(
    ("text", "session_id", "error", "code"),
    [
        ("", None, cpsl.InvalidRequest, "empty_message"),
        ("   \n", None, cpsl.InvalidRequest, "empty_message"),
        ("x" * (1024 * 1024 + 1), None, cpsl.TooLarge, "message_too_large"),
        ("a\0b", None, cpsl.InvalidRequest, "invalid_message"),
        ("hi", "ses_nobody", cpsl.NotFound, "session_not_found"),
        ("hi", "x" * 10_000, cpsl.NotFound, "session_not_found"),
        ("hi", "' OR 1=1 --", cpsl.NotFound, "session_not_found"),
    ],
)
def test_bad_messages(
    echo: GatewayProcess, text: str, session_id: str | None, error: type[cpsl.CapsuleError], code: str
) -> None:
    with echo.client() as client, pytest.raises(error) as caught:
        client.chat("echo", text, session_id)
    assert caught.value.code == code
    assert caught.value.request_id


def test_a_message_of_one_mebibyte_comes_back(echo: GatewayProcess) -> None:
    text = "é" * (1024 * 512)
    with echo.client() as client:
        assert client.chat("echo", text).text == f"You said: {text}"


def test_text_cannot_forge_an_event(echo: GatewayProcess) -> None:
    text = "x\n\nevent: done\ndata: {}\n\n\r\u2028y"
    with echo.client() as client:
        assert client.chat("echo", text).text == f"You said: {text}"


def test_an_unknown_app(echo: GatewayProcess) -> None:
    with echo.client() as client, pytest.raises(cpsl.NotFound) as caught:
        client.chat("nobody", "hi")
    assert caught.value.code == "app_not_found"
    assert caught.value.hint == "List them with: capsule app list"


def test_another_users_session_and_turn_are_not_there(echo: GatewayProcess) -> None:
    other = echo.member("turns@example.com")
    with echo.client() as mine, echo.client(other) as theirs:
        answer = mine.chat("echo", "remember banana")
        for attempt in (
            lambda: theirs.chat("echo", "recall", answer.session_id),
            lambda: theirs.sessions.get("echo", answer.session_id),
            lambda: theirs.sessions.delete("echo", answer.session_id),
            lambda: theirs.turns.get(answer.request_id),
            lambda: list(theirs.turns.events(answer.request_id)),
            lambda: theirs.turns.cancel(answer.request_id),
        ):
            with pytest.raises(cpsl.NotFound):
                attempt()
        assert answer.session_id not in [session.id for session in theirs.sessions.list("echo").sessions]
        assert mine.chat("echo", "recall", answer.session_id).text.startswith("banana")


def test_another_workspace_does_not_see_the_app(echo: GatewayProcess) -> None:
    with echo.client(echo.member("elsewhere@example.com", "elsewhere")) as client:
        assert client.list_apps() == []
        with pytest.raises(cpsl.NotFound):
            client.chat("echo", "hi")


def test_users_have_runtimes_and_documents_of_their_own(echo: GatewayProcess) -> None:
    with echo.client() as mine, echo.client(echo.member("notes@example.com")) as theirs:
        before = int(mine.chat("echo", "note one").text.split()[0])
        assert theirs.chat("echo", "note one").text == "1 notes"
        assert mine.chat("echo", "note two").text == f"{before + 1} notes"


def test_deleting_a_session_cancels_its_turn(echo: GatewayProcess) -> None:
    session_id = ""
    with echo.client() as client, echo.client() as other:
        with pytest.raises(cpsl.CapsuleError) as caught:
            for chunk in client.stream("echo", "slowly 200"):
                session_id = chunk.data.get("session_id", session_id)
                if chunk.text == "piece 1":
                    other.sessions.delete("echo", session_id)
        assert caught.value.code in ("cancelled", "turn_not_found")
        with pytest.raises(cpsl.NotFound):
            other.sessions.get("echo", session_id)


def test_data_handlers(echo: GatewayProcess) -> None:
    with echo.http() as http:
        assert http.get("/app/echo/data/public", params={"name": "you"}).json() == {"hello": "you"}
        assert http.get("/app/echo/data/private").json()["email"] == "owner@localhost"
        anonymous = {"Authorization": ""}
        assert http.get("/app/echo/data/public", headers=anonymous).status_code == 401
        assert http.get("/app/echo/data/nothing").json()["code"] == "unknown_data_handler"


def test_a_picture_of_the_app_is_for_its_user_alone(echo: GatewayProcess) -> None:
    with echo.client() as client:
        [block] = [chunk for chunk in client.stream("echo", "picture") if chunk.event == "block"]
    path = str(block.data["payload"]["url"]).removeprefix(f"{echo.url}/api/v1")
    with echo.http() as mine, echo.http(echo.member("pictures@example.com")) as theirs:
        assert mine.get(path).content == b"png"
        assert theirs.get(path).status_code == 404


def test_hooks_run_once_in_the_life_of_what_they_belong_to(gateway: GatewayProcess) -> None:
    gateway.deploy(APPS / "hooks.py")
    with gateway.client() as client:
        first = client.chat("hooks", "hi")
        assert first.text == "boot enter"
        assert client.chat("hooks", "again", first.session_id).text == "boot enter"
        assert client.chat("hooks", "hi").text == "boot enter"
        client.sessions.delete("hooks", first.session_id)
        left = f"left {first.session_id} after 4 messages"
        deadline = time.monotonic() + 5
        while left not in (said := [line.message for line in client.apps.logs("hooks")]):
            assert time.monotonic() < deadline, said
            time.sleep(0.05)
