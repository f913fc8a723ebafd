from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cpsl
from cpsl.app import secret as secret_module
from cpsl.app.session import enter_session
from cpsl.app.snapshots import Pieces
from cpsl.wire import frames
from cpsl.wire.events import Chunk, Reply, Status
from cpsl.wire.turns import Message as WireMessage
from tests.app.recorder import Recorder, session


async def pieces(*texts: str | None) -> AsyncIterator[str | None]:
    for text in texts:
        yield text


def run(steps: Any) -> Any:
    return asyncio.run(steps)


# --- text -------------------------------------------------------------------------------------------------------------

actions = st.lists(
    st.tuples(st.sampled_from(["reply", "a", "b", "close a", "close b"]), st.text(max_size=8)), max_size=25
)


@given(actions)
def test_chunks_in_order_are_the_replies_joined_by_a_blank_line(steps: list[tuple[str, str]]) -> None:
    bridge = Recorder()
    current = session(bridge)

    async def go() -> None:
        streams = {name: current.stream_reply(cumulative=False) for name in "ab"}
        for action, text in steps:
            if action == "reply":
                await current.reply(text)
            elif action in streams:
                streams[action].write(text)
            else:
                streams[action[-1]].close()
        current.end()

    run(go())
    replies: list[str] = []
    open_text = ""
    for event in bridge.events:
        if isinstance(event, Chunk) and not event.separator:
            open_text += event.text
        elif isinstance(event, Reply):
            replies.append(open_text)
            open_text = ""
            assert event.reply == len(replies)
    assert open_text == ""
    assert "\n\n".join(replies) == bridge.text
    assert [message.text for message in current.history] == replies
    assert sorted("".join(replies)) == sorted("".join(text for action, text in steps if "close" not in action))


def test_a_stream_is_one_reply_and_goes_to_the_history() -> None:
    bridge = Recorder()
    current = session(bridge)

    async def go() -> str:
        await current.stream(pieces("Hel", None, "lo"))
        return await current.stream_reply_from(pieces("a", "b"))

    assert run(go()) == "ab"
    assert bridge.text == "Hello\n\nab"
    assert [(message.sender, message.text) for message in current.history] == [("app", "Hello"), ("app", "ab")]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (["Hel", "Hello", "Hello world"], "Hello world"),
        (["The weather in Paris", "The weather in Paris is fine"], "The weather in Paris is fine"),
        (["Hello", " ", "world"], "Hello world"),
        (["ha", "ha", "ha"], "hahaha"),
        (["1", "10", "100"], "110100"),
        (["a", "ab"], "aab"),
        (["\n", "\n\n", "x"], "\n\n\nx"),
        (["go", "gone", " home"], "gogone home"),
        (["Once upon a time", "Once upon a time there", "Once upon a time", "Once upon a time there was"],
         "Once upon a time there was"),
        (["", "a", "", "b"], "ab"),
        ([], ""),
    ],
)  # fmt: skip
def test_deltas_and_snapshots(given: list[str], text: str) -> None:
    reader = Pieces()
    assert "".join([*(reader.feed(piece) for piece in given), reader.end()]) == text


@given(st.lists(st.text(min_size=1, max_size=6), max_size=12))
def test_deltas_of_unlike_beginnings_are_never_changed(given: list[str]) -> None:
    reader = Pieces()
    deltas = [f"{index % 2}{piece}" for index, piece in enumerate(given)]
    assert "".join([*(reader.feed(piece) for piece in deltas), reader.end()]) == "".join(deltas)


@given(st.lists(st.text(max_size=6), max_size=12), st.booleans())
def test_who_knows_says_so(given: list[str], cumulative: bool) -> None:
    texts = ["".join(given[: end + 1]) for end in range(len(given))] if cumulative else given
    reader = Pieces(cumulative)
    assert "".join([*(reader.feed(piece) for piece in texts), reader.end()]) == "".join(given)


def test_what_is_no_text_is_refused() -> None:
    current = session(Recorder())
    wrong: Any
    for wrong in (None, 1, b"x"):
        with pytest.raises(TypeError, match="text"):
            run(current.reply(wrong))


def test_lone_surrogates_are_replaced_and_long_text_is_cut() -> None:
    bridge = Recorder()
    run(session(bridge).reply("ok \ud800 é" + "x" * 600_000))
    assert bridge.text == "ok ? é" + "x" * 600_000
    assert max(len(event.text) for event in bridge.events if isinstance(event, Chunk)) <= 256 * 1024


def test_sync_handlers_can_stream() -> None:
    bridge = Recorder()
    with session(bridge).stream_reply() as out:
        out.write("x")
    assert bridge.events == [Chunk("x"), Reply(1)]


def test_nothing_can_be_said_after_the_end() -> None:
    current = session(Recorder())
    current.end()
    with pytest.raises(cpsl.InvalidRequest, match="ended"):
        run(current.reply("late"))


def test_notify() -> None:
    bridge = Recorder()
    current = session(bridge)
    run(current.notify("working", detail="half"))
    run(current.notify(""))
    assert bridge.events == [Status("working", "half")]


def test_chat_messages() -> None:
    history = [WireMessage("q", "user", 1), WireMessage("a", "app", 2), WireMessage("b", "app", 3)]
    current = session(Recorder(), history=history)
    assert current.chat_messages(cpsl.Message("next")) == [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a\n\nb"},
        {"role": "user", "content": "next"},
    ]
    assert current.chat_messages("next", cls=dict)[-1] == {"role": "user", "content": "next"}


def test_the_current_session() -> None:
    current = session(Recorder())

    async def go() -> Any:
        enter_session(current)
        return cpsl.current_session(), await asyncio.to_thread(cpsl.current_session)

    assert run(go()) == (current, current)
    assert cpsl.current_session() is None


# --- cards and prompts ------------------------------------------------------------------------------------------------


def app_with_integrations() -> cpsl.App:
    app = cpsl.App("demo")
    app.add_integration("aws")
    app.add_integration(cpsl.GitHub(client_id=cpsl.Secret("ID"), client_secret=cpsl.Secret("KEY")))
    return app


def test_show_integration_never_waits() -> None:
    bridge = Recorder()
    current = session(bridge, app_with_integrations())
    run(current.show_integration(cpsl.Integration.GITHUB, reason="why"))
    assert bridge.questions == []
    card: Any = bridge.events[0]
    assert card.payload == {
        "type": "github", "reason": "why", "blocking": False, "mode": "oauth",
        "link": "http://gw/a/demo/connect/github",
    }  # fmt: skip
    with pytest.raises(ValueError, match="does not declare"):
        run(current.show_integration("linear"))


@pytest.mark.parametrize("way", ["aws", cpsl.Integration.AWS, cpsl.AWS()])
def test_a_connected_integration_is_not_asked_for_again(way: Any) -> None:
    result = {"outcome": "answered", "credentials": {"fields": {"region": "eu"}}}
    bridge = Recorder({frames.OpenPrompt: result})
    current = session(bridge, app_with_integrations())
    first: Any = run(current.prompt_integration(way, message="please", timeout=5))
    assert first.fields.get("region") == "eu"
    assert run(current.require_integration(way)) is first
    assert current.get_integration(way) is first
    assert bridge.questions == [frames.OpenPrompt("req_1", "form", 5.0, message="please", integration="aws")]
    assert "eu" not in repr(first)


def test_prompts_that_fail() -> None:
    def outcome(value: str) -> Any:
        return session(Recorder({frames.OpenPrompt: {"outcome": value}}), app_with_integrations())

    for value, kind in {"expired": TimeoutError, "declined": RuntimeError}.items():
        with pytest.raises(kind):
            run(outcome(value).prompt_integration("github"))
    for value in ("expired", "declined"):
        with pytest.raises(cpsl.FileUploadTimeout):
            run(outcome(value).prompt_file())
    for timeout in (0, -1, float("nan"), float("inf"), "5"):
        with pytest.raises(ValueError, match="timeout"):
            run(outcome("expired").prompt_file(timeout=timeout))


def file_bridge(name: str, data: bytes, path: str = "") -> Recorder:
    file = {"file_id": "fil_1", "name": name, "content_type": "text/csv", "size": len(data), "path": path}
    return Recorder(
        {
            frames.OpenPrompt: {"outcome": "answered", "file": file},
            frames.ReadFile: lambda question: data[question.offset : question.offset + question.length],
        }
    )


def test_a_file_in_a_mount_is_there_already() -> None:
    bridge = file_bridge("a.csv", b"x", path="/data/uploads/a.csv")
    upload = run(session(bridge).prompt_file(path="/data/uploads", accept=".csv"))
    assert (upload.name, upload.path, upload.size) == ("a.csv", "/data/uploads/a.csv", 1)
    assert bridge.questions == [
        frames.OpenPrompt("req_1", "file", 300.0, "Please upload a file", "", ".csv", "/data/uploads")
    ]


NAMES = ["../../etc/cron.d/x", "a/b", ".", "..", "", "\u202egnp.exe", "é" * 300, "-rf", ".env", "a\0b", "C:\\x\\y.csv"]


@pytest.mark.parametrize("name", NAMES)
def test_names_from_strangers_stay_in_their_folder_and_replace_nothing(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there yet"
    bridge = file_bridge(name, b"data")
    paths = [run(session(bridge).prompt_file(path=folder)).path for _ in range(3)]
    assert len(set(paths)) == 3
    assert all(Path(path).parent == folder and Path(path).read_bytes() == b"data" for path in paths)
    assert sorted(folder.iterdir()) == sorted(Path(path) for path in paths)


def test_download(tmp_path: Path) -> None:
    data = bytes(3 * 1024 * 1024 + 1)
    upload = run(session(file_bridge("a.csv", data)).prompt_file())
    assert upload.path is None
    assert run(upload.download(tmp_path)) == str(tmp_path / "a.csv")
    assert run(upload.download(f"{tmp_path}/new/")) == str(tmp_path / "new" / "a.csv")
    (tmp_path / "mine.csv").write_text("old")
    assert run(upload.download(tmp_path / "mine.csv")) == upload.path
    assert (tmp_path / "mine.csv").read_bytes() == data
    assert Path(run(upload.download())).read_bytes() == data


def test_a_download_that_fails_leaves_nothing(tmp_path: Path) -> None:
    bridge = file_bridge("a.csv", b"x")
    upload = run(session(bridge).prompt_file())
    del bridge.answers[frames.ReadFile]
    with pytest.raises(cpsl.NotFound):
        run(upload.download(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_images(tmp_path: Path) -> None:
    bridge = Recorder({frames.StoreFile: "http://gw/files/1"})
    current = session(bridge)
    picture = tmp_path / "x.png"
    picture.write_bytes(b"png")
    run(current.show_image(picture, alt="a cat", width=10))
    run(current.show_image("https://example.org/x.png"))
    assert bridge.questions == [frames.StoreFile("x.png", "image/png", b"png")]
    cards: list[Any] = list(bridge.events)
    payloads = [card.payload for card in cards]
    assert payloads == [{"url": "http://gw/files/1", "alt": "a cat", "width": 10}, {"url": "https://example.org/x.png"}]
    with pytest.raises(OSError, match="nope"):
        run(current.show_image(tmp_path / "nope.png"))


# --- secrets and data -------------------------------------------------------------------------------------------------


def test_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    secret_module.forget_all()
    bridge = Recorder({frames.GetSecret: "from-vault"})
    monkeypatch.setenv("IN_ENVIRONMENT", "")
    assert cpsl.Secret.from_name("IN_ENVIRONMENT").value == ""
    with pytest.raises(ValueError, match="no runtime is connected"):
        _ = cpsl.Secret.from_name("IN_VAULT").value
    now = [1000.0]
    monkeypatch.setattr("cpsl.app.secret.time.monotonic", lambda: now[0])
    monkeypatch.setattr("cpsl.app.host._bridge", bridge)
    assert [cpsl.Secret.from_name("IN_VAULT").value for _ in range(3)] == ["from-vault"] * 3
    assert len(bridge.questions) == 1
    now[0] += 61
    bridge.answers[frames.GetSecret] = "rotated"
    assert cpsl.Secret.from_name("IN_VAULT").value == "rotated"
    assert secret_module.named() == ["IN_ENVIRONMENT", "IN_VAULT"]
    secret_module.forget_all()


def test_session_data_notices_what_changed() -> None:
    stored = {"a": {"b": [1]}, "gone": 1}
    current = session(Recorder(), data=stored)
    assert current.data.changed() == (None, None)
    current.data["a"]["b"].append(2)
    del current.data["gone"]
    run(current.data.set("when", cpsl.Integration.AWS))
    assert current.data.changed() == ({"a": {"b": [1, 2]}, "when": "aws"}, None)
    with pytest.raises(ValueError, match="cannot be stored"):
        run(current.data.set("bad", object()))
    circle: list[Any] = []
    circle.append(circle)
    current.data["a"] = circle
    values, problem = current.data.changed()
    assert values is not None
    assert values["a"] == {"b": [1]}
    assert problem is not None
