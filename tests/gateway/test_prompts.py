"""Prompts: the documents' own example word for word, and all the ways in which a prompt can end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

import cpsl
from tests.support.gateway import APPS, GatewayProcess

SEED = Path(__file__).parents[3] / "shared" / "seeds" / "003_672326852cead02f.txt"
TUTORIAL = APPS.parent / "seeds" / "tutorial.py"
AWS = {"access_key_id": "AKIA-visible", "secret_access_key": "canary-w9Zt3Kq7", "region": "eu-central-1"}


@pytest.fixture(scope="session")
def tutorial(gateway: GatewayProcess) -> GatewayProcess:
    """The shared gateway with the example, and what its first section creates."""
    set_up(gateway)
    return gateway


@pytest.fixture(scope="session")
def asker(gateway: GatewayProcess) -> GatewayProcess:
    """The shared gateway with an app that asks in every way."""
    with gateway.client() as client:
        client.filesystems.create("asked")
    gateway.deploy(APPS / "asker.py")
    return gateway


def set_up(gateway: GatewayProcess) -> None:
    secrets = {"OPENAI_API_KEY": "sk-1", "GITHUB_CLIENT_ID": "id-1", "GITHUB_CLIENT_SECRET": "hidden-1"}
    with gateway.client() as client:
        with suppress(cpsl.Conflict):
            client.filesystems.create("reports")
        client.secrets.create(secrets, overwrite=True)
    gateway.deploy(TUTORIAL)


@dataclass
class Talk:
    """A turn that waits: its prompt, and in the end all that it said."""

    client: cpsl.Client
    request_id: str
    prompt: dict[str, Any]
    session_id: str
    chunks: list[cpsl.StreamChunk] = field(default_factory=list)

    @property
    def prompt_id(self) -> str:
        return str(self.prompt["prompt_id"])

    def rest(self) -> str:
        """Follow the turn to its end; the whole answer."""
        self.chunks = list(self.client.turns.events(self.request_id))
        return "".join(chunk.text for chunk in self.chunks)

    def outcomes(self) -> list[str]:
        return [chunk.data["outcome"] for chunk in self.chunks if chunk.event == "prompt_closed"]


@contextmanager
def asked(gateway: GatewayProcess, app: str, text: str, token: str | None = None) -> Iterator[Talk]:
    """Send a message, up to the prompt."""
    with gateway.client(token) as client:
        with pytest.raises(cpsl.PromptRequired) as caught:
            client.chat(app, text)
        error = caught.value
        assert error.request_id
        yield Talk(client, error.request_id, error.prompt, error.session_id)


def newcomer(gateway: GatewayProcess, name: str) -> str:
    """A token of a user who has connected nothing yet."""
    return gateway.member(f"{name}@example.com")


# --- the documents' example ---------------------------------------------------------------------------------------


def test_the_example_is_the_documents_own() -> None:
    if not SEED.exists():
        pytest.skip("the documents are not on this machine")
    example = SEED.read_text().split("\nFull example\n", 1)[1].split("\nNext steps", 1)[0]
    assert TUTORIAL.read_text().strip() == example.strip()


def test_connect_aws(tutorial: GatewayProcess) -> None:
    with asked(tutorial, "integrations-demo", "connect aws", newcomer(tutorial, "aws")) as talk:
        assert talk.prompt["kind"] == "form"
        assert talk.prompt["integration"] == "aws"
        assert talk.prompt["message"] == "Need AWS credentials to inspect infrastructure"
        shown = [(each["name"], each.get("secret", True)) for each in talk.prompt["fields"]]
        assert shown == [("access_key_id", False), ("secret_access_key", True), ("region", False)]
        for wrong in (
            {},
            {"region": "x"},
            {**AWS, "region": " "},
            {**AWS, "more": "x"},
            {**AWS, "region": "x" * 70_000},
        ):
            with pytest.raises(cpsl.InvalidRequest) as caught:
                talk.client.turns.answer(talk.request_id, talk.prompt_id, wrong)
            assert caught.value.code == "invalid_prompt_answer"
            assert "access_key_id, secret_access_key, region" in (caught.value.hint or "")
        assert talk.client.turns.answer(talk.request_id, talk.prompt_id, AWS).outcome == "answered"
        assert talk.rest() == "Connected aws for region eu-central-1"
        assert talk.outcomes() == ["answered"]
        assert talk.client.chat("integrations-demo", "connect aws").text == "Connected aws for region eu-central-1"
        said = talk.client.sessions.get("integrations-demo", talk.session_id)
        logs = talk.client.apps.logs("integrations-demo", limit=1000)
    secret = AWS["secret_access_key"]
    assert secret not in repr((talk.chunks, said, logs)) + tutorial.log()
    kept = [path for path in tutorial.data_dir.rglob("*") if path.is_file()]
    assert not [path for path in kept if secret.encode() in path.read_bytes()]


def test_another_user_is_not_connected(tutorial: GatewayProcess) -> None:
    with asked(tutorial, "integrations-demo", "connect aws", newcomer(tutorial, "first")) as talk:
        talk.client.turns.answer(talk.request_id, talk.prompt_id, AWS)
        talk.rest()
    with asked(tutorial, "integrations-demo", "connect aws", newcomer(tutorial, "second")) as talk:
        talk.client.turns.decline(talk.request_id, talk.prompt_id)


def test_hint_github(tutorial: GatewayProcess) -> None:
    with tutorial.client() as client:
        answer = client.chat("integrations-demo", "hint github")
    assert answer.text == "Rendered a non-blocking integration card."
    [card] = answer.raw["blocks"]
    assert card["block_type"] == "integration_prompt"
    assert card["payload"]["reason"] == "Connect GitHub to unlock repository analysis"
    page = httpx.get(card["payload"]["link"])
    assert page.status_code == 200
    assert "GitHub" in page.text


def test_connect_github_gives_a_link_whose_page_answers(tutorial: GatewayProcess) -> None:
    with asked(tutorial, "integrations-demo", "connect github") as talk:
        assert (talk.prompt["kind"], talk.prompt["scopes"]) == ("integration", ["repo", "read:user"])
        page = httpx.get(talk.prompt["link"])
        assert page.status_code == 200
        assert "GitHub" in page.text
        assert "Need GitHub access to inspect repositories" in page.text
        assert "hidden-1" not in page.text
        with pytest.raises(cpsl.InvalidRequest) as caught:
            talk.client.turns.answer(talk.request_id, talk.prompt_id, {"access_token": "forged"})
        assert caught.value.code == "invalid_prompt_answer"
        assert talk.client.turns.decline(talk.request_id, talk.prompt_id).outcome == "declined"
        with pytest.raises(cpsl.AppError) as declined:
            talk.rest()
        assert declined.value.code == "integration_declined"
        assert httpx.get(talk.prompt["link"]).status_code == 404


def test_upload_csv(tutorial: GatewayProcess) -> None:
    with asked(tutorial, "integrations-demo", "upload csv") as talk:
        assert (talk.prompt["kind"], talk.prompt["accept"]) == ("file", ".csv,text/csv")
        for name, kind in (("photo.png", "image/png"), ("page.html", "text/html"), ("csv", ""), ("a.csv.exe", "")):
            with pytest.raises(cpsl.InvalidRequest) as caught:
                talk.client.turns.upload(talk.request_id, talk.prompt_id, name, b"x", kind or "application/x-y")
            assert caught.value.code == "file_not_accepted"
        with pytest.raises(cpsl.InvalidRequest):
            talk.client.turns.answer(talk.request_id, talk.prompt_id, {"path": "/etc/passwd"})
        state = talk.client.turns.upload(talk.request_id, talk.prompt_id, "table.csv", b"a,b\n1,2\n", "text/csv")
        assert state.file["path"] == "/data/uploads/table.csv"
        assert talk.rest() == "Uploaded table.csv to /data/uploads/table.csv"
        assert b"".join(talk.client.filesystems.download("reports", "/uploads/table.csv")) == b"a,b\n1,2\n"
        assert "table.csv" in [entry.name for entry in talk.client.filesystems.entries("reports", "/uploads")]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/cron.d/x.csv", "x.csv"),
        ("..\\..\\y.csv", "y.csv"),
        ("/abs/z.csv", "z.csv"),
        ("-rf.csv", "rf.csv"),
        ("\u202egpj.csv", "gpj.csv"),
        ("n\0u\nl.csv", "nul.csv"),
        ("ü" * 300 + ".csv", "ü" * 98 + ".csv"),
        ("...csv", "csv"),
    ],
    ids=ascii,
)
def test_names_are_made_harmless(tutorial: GatewayProcess, given: str, kept: str) -> None:
    with asked(tutorial, "integrations-demo", "upload csv") as talk:
        talk.client.turns.upload(talk.request_id, talk.prompt_id, given, b"x", "text/csv")
        assert talk.rest() == f"Uploaded {kept} to /data/uploads/{kept}"
        assert kept in [entry.name for entry in talk.client.filesystems.entries("reports", "/uploads")]


def test_two_of_one_name_are_two_files(tutorial: GatewayProcess) -> None:
    answers = []
    for content in (b"first", b"second"):
        with asked(tutorial, "integrations-demo", "upload csv") as talk:
            talk.client.turns.upload(talk.request_id, talk.prompt_id, "same.csv", content)
            answers.append(talk.rest())
    assert answers[1] == "Uploaded same (1).csv to /data/uploads/same (1).csv"
    with tutorial.client() as client:
        kept = [b"".join(client.filesystems.download("reports", f"/uploads/{n}.csv")) for n in ("same", "same (1)")]
    assert kept == [b"first", b"second"]


def test_write_report_and_the_rest(tutorial: GatewayProcess) -> None:
    with tutorial.client() as client:
        assert client.chat("integrations-demo", "write report").text == "Wrote /data/reports/summary.txt"
        assert b"".join(client.filesystems.download("reports", "/reports/summary.txt")) == b"Secret loaded: True\n"
        fallback = "Try: connect github, connect aws, hint github, upload csv, or write report"
        assert client.chat("integrations-demo", "anything else").text == fallback
    assert not Path("/data/reports/summary.txt").exists()


# --- how prompts end ----------------------------------------------------------------------------------------------


def test_declining(asker: GatewayProcess) -> None:
    with asked(asker, "asker", "aws", newcomer(asker, "decliner")) as talk:
        talk.client.turns.decline(talk.request_id, talk.prompt_id)
        assert talk.rest() == "they said no"
        assert talk.outcomes() == ["declined"]
        closed(talk)


def closed(talk: Talk) -> None:
    """Nothing can be said to the prompt any more."""
    attempts: tuple[Callable[[], object], ...] = (
        lambda: talk.client.turns.answer(talk.request_id, talk.prompt_id, AWS),
        lambda: talk.client.turns.decline(talk.request_id, talk.prompt_id),
        lambda: talk.client.turns.upload(talk.request_id, talk.prompt_id, "x", b"x"),
    )
    for attempt in attempts:
        with pytest.raises(cpsl.Conflict) as caught:
            attempt()
        assert caught.value.code == "prompt_closed"


@pytest.mark.parametrize(("text", "answer"), [("aws 0.3", "nobody connected"), ("file 0.3", "nobody uploaded")])
def test_expiring(asker: GatewayProcess, text: str, answer: str) -> None:
    with asked(asker, "asker", text, newcomer(asker, "late-" + text[:3])) as talk:
        began = time.monotonic()
        assert talk.rest() == answer
        assert time.monotonic() - began < 2
        assert talk.outcomes() == ["expired"]
        closed(talk)


def test_expiring_uncaught_ends_the_turn_with_words_for_the_user(asker: GatewayProcess) -> None:
    with asked(asker, "asker", "uncaught 0.3") as talk, pytest.raises(cpsl.AppError) as caught:
        talk.rest()
    assert (caught.value.code, caught.value.message) == ("file_upload_timeout", "No file was uploaded in time.")
    assert caught.value.partial == "before"


def test_of_two_answers_at_once_one_counts(asker: GatewayProcess) -> None:
    with asked(asker, "asker", "aws", newcomer(asker, "hasty")) as talk:
        together = threading.Barrier(8)

        def answer(number: int) -> str:
            together.wait()
            try:
                talk.client.turns.answer(talk.request_id, talk.prompt_id, {**AWS, "region": f"region-{number}"})
            except cpsl.Conflict as error:
                return error.code
            return f"region-{number}"

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(answer, range(8)))
        [winner] = [each for each in results if each != "prompt_closed"]
        assert talk.rest() == f"region {winner}"
        assert talk.client.chat("asker", "aws").text == f"region {winner}"


def test_of_two_files_at_once_one_is_kept(tutorial: GatewayProcess) -> None:
    with asked(tutorial, "integrations-demo", "upload csv") as talk:
        together = threading.Barrier(4)

        def upload(number: int) -> str:
            together.wait()
            try:
                talk.client.turns.upload(talk.request_id, talk.prompt_id, "raced.csv", str(number).encode())
            except cpsl.Conflict as error:
                return error.code
            return "kept"

        with ThreadPoolExecutor(4) as pool:
            results = sorted(pool.map(upload, range(4)))
        answer = talk.rest()
        kept = [e.name for e in talk.client.filesystems.entries("reports", "/uploads") if e.name.startswith("raced")]
    assert results == ["kept"] + ["prompt_closed"] * 3
    assert kept == [answer.removeprefix("Uploaded ").split(" to ")[0]]


def test_a_second_prompt_for_what_is_connected_returns_at_once(asker: GatewayProcess) -> None:
    token = newcomer(asker, "twice")
    with asked(asker, "asker", "twice", token) as first, asked(asker, "asker", "twice", token) as second:
        first.client.turns.answer(first.request_id, first.prompt_id, {"user": "ada", "password": "p"})
        assert first.rest() == "same: True, user ada"
        # One answer is for all prompts of this user that wait for the same.
        assert second.rest() == "same: True, user ada"
        closed(second)
        assert first.client.chat("asker", "twice").text == "same: True, user ada"


def test_chat_raises_at_once_and_the_turn_stays_answerable(asker: GatewayProcess) -> None:
    began = time.monotonic()
    with asked(asker, "asker", "file") as talk:
        assert time.monotonic() - began < 5
        with asker.http() as http:
            waiting = http.post("/app/asker/chat", json={"text": "file"})
            assert waiting.status_code == 202
            assert waiting.json()["prompt"]["kind"] == "file"
            http.post(f"/turns/{waiting.json()['request_id']}/cancel")
        time.sleep(0.3)
        assert talk.client.turns.get(talk.request_id).state == "running"
        talk.client.turns.upload(talk.request_id, talk.prompt_id, "notes.txt", b"some notes", "text/plain")
        assert talk.rest() == "notes.txt 10 text/plain b'some notes'"


def test_a_folder_of_the_apps_own_gets_the_file_too(asker: GatewayProcess) -> None:
    with asked(asker, "asker", "private") as talk:
        talk.client.turns.upload(talk.request_id, talk.prompt_id, "a.txt", b"inside", "text/plain")
        path, content = talk.rest().split()
        assert (path.startswith("/tmp/uploads/"), content) == (True, "inside")
    assert not Path(path).exists()


def test_a_large_and_an_empty_file(asker: GatewayProcess) -> None:
    for content in (b"", b"z" * (5 << 20)):
        with asked(asker, "asker", "file") as talk:
            talk.client.turns.upload(talk.request_id, talk.prompt_id, "x.bin", content)
            assert talk.rest() == f"x.bin {len(content)} application/octet-stream {content[:20]!r}"


def test_prompts_of_others_are_not_there(asker: GatewayProcess) -> None:
    token = newcomer(asker, "stranger")
    with asked(asker, "asker", "aws", newcomer(asker, "owner-of-it")) as talk, asker.client(token) as stranger:
        attempts: tuple[Callable[[], object], ...] = (
            lambda: stranger.turns.answer(talk.request_id, talk.prompt_id, AWS),
            lambda: stranger.turns.decline(talk.request_id, talk.prompt_id),
            lambda: stranger.turns.upload(talk.request_id, talk.prompt_id, "x", b"x"),
            lambda: talk.client.turns.answer(talk.request_id, "prm_nobody", AWS),
            lambda: talk.client.turns.answer("trn_nobody", talk.prompt_id, AWS),
        )
        for attempt in attempts:
            with pytest.raises(cpsl.NotFound):
                attempt()
        talk.client.turns.answer(talk.request_id, talk.prompt_id, AWS)
        assert talk.rest() == "region eu-central-1"


def test_cancelling_closes_the_prompt(asker: GatewayProcess) -> None:
    with asked(asker, "asker", "file") as talk:
        began = time.monotonic()
        talk.client.turns.cancel(talk.request_id)
        assert time.monotonic() - began < 1.5
        with pytest.raises(cpsl.TurnCancelled):
            talk.rest()
        closed(talk)
        assert talk.client.chat("asker", "nothing", talk.session_id).text == ""
