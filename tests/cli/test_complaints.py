"""What users of other command lines complain of, case by case: each is named by the tool and a number of our list.

Those that belong to a subject have their test there, with the same names: ``grep -rn "flyctl 4" tests``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.cli.conftest import Live, write_app
from tests.cli.inside import Done, run
from tests.cli.terminal import Terminal
from tests.cli.test_tree import ASKING

Open = Callable[..., Terminal]


def ask(live: Live, *arguments: str, stdin: str = "", **env: str) -> Done:
    return run(arguments, live.env | env, str(live.folder), stdin)


_WATCHED = """
import sys
def tell(event, arguments):
    if event in ("subprocess.Popen", "os.posix_spawn", "os.fork"):
        print("STARTED", arguments, file=sys.stderr)
sys.addaudithook(tell)
sys.argv = ["capsule", *{words!r}]
from capsule_cli.main import main
sys.exit(main())
"""


def test_gh_6_a_machine_without_a_keyring_is_asked_for_one_once(live: Live, tmp_path: Path) -> None:
    """A daemon was started by every command."""
    env = live.env | {"CAPSULE_KEYRING": "auto", "CAPSULE_CONFIG_DIR": str(tmp_path / "config")}
    env |= {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}

    def started(*words: str) -> int:
        argv = [sys.executable, "-c", _WATCHED.format(words=list(words))]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stderr.count("STARTED")

    assert started("login") == 1
    assert [started(*words) for words in (["status"], ["app", "list"], ["auth", "token"])] == [0, 0, 0]


def test_gh_11_waiting_ends_as_soon_as_it_has_failed(live: Live) -> None:
    """Asked for as ``--fail-fast``: there is nothing to wait for any more."""
    failed = ask(live, "chat", "talker", "fail", "--json")
    turn = json.loads(failed.err)["error"]["request_id"]
    began = time.monotonic()
    assert ask(live, "wait", "talker", "--for", f"turn={turn}", "--timeout", "60").code == 7
    assert time.monotonic() - began < 10


def test_modal_7_a_deploy_shows_what_the_app_prints_as_it_starts(live: Live, tmp_path: Path) -> None:
    entry = write_app(tmp_path / "p", "printing")
    with (tmp_path / "p" / "app.py").open("a") as file:
        file.write('print("loading the model")\n')
    done = ask(live, "deploy", entry)
    assert done.code == 0
    assert "| loading the model" in done.err
    assert done.out.count("\n") == 1


def test_flyctl_2_a_secret_can_be_staged_without_a_restart(live: Live, tmp_path: Path) -> None:
    ask(live, "secret", "create", "STAGED_KEY=one")
    assert ask(live, "deploy", write_app(tmp_path / "p", "staged", more=', secrets=["STAGED_KEY"]')).code == 0
    told = json.loads(ask(live, "secret", "create", "STAGED_KEY=two", "--force", "--stage", "--json").out)
    assert not told.get("restarted")
    assert told["secrets"][0]["staged_at"]


BROKEN = "import cpsl\nraise RuntimeError('no model here')\n"


def test_flyctl_5_in_ci_a_failure_is_in_plain_lines(terminal_of: Open, tmp_path: Path) -> None:
    """Fancy output vanished there, and with it why the deploy failed."""
    (tmp_path / "app.py").write_text("import cpsl\napp = cpsl.App(name='ci')\nimport os, sys\n" + BROKEN)
    shown = terminal_of("deploy", f"{tmp_path / 'app.py'}:app", env={"CI": "true"})
    assert shown.exit_code() == 7
    assert "no model here" in shown.screen
    assert "\x1b" not in shown.screen


@pytest.mark.parametrize("words", [["deploy", "{entry}"], ["chat", "talker", "hi"]], ids=lambda words: words[0])
def test_flyctl_10_what_cannot_be_remembered_here_stops_nothing(live: Live, tmp_path: Path, words: list[str]) -> None:
    """A side step failed, and took the deploy with it."""
    entry = write_app(tmp_path / "p", "side")
    (tmp_path / "state").write_text("a file in the place of the folder")
    done = ask(live, *[word.format(entry=entry) for word in words], CAPSULE_STATE_DIR=str(tmp_path / "state"))
    assert done.code == 0, done.err


@contextmanager
def gateway(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[dict[str, str]]:
    """A server that answers as it is told; the environment of somebody whose gateway it is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_POST = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield {"CAPSULE_TOKEN": "cps_x", "CAPSULE_GATEWAY_URL": f"http://127.0.0.1:{server.server_address[1]}"}
        finally:
            server.shutdown()
            thread.join()


def _send(handler: BaseHTTPRequestHandler, kind: str, body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("content-type", kind)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def test_flyctl_11_a_deploy_does_not_hang_after_the_upload(home: dict[str, str], tmp_path: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.endswith("/deploys/check"):
            return _send(handler, "application/json", b'{"missing": []}')
        time.sleep(2)  # all has come, and nothing is said

    with gateway(answer) as env:
        began = time.monotonic()
        done = run(["deploy", write_app(tmp_path / "p", "p")], home | env | {"CAPSULE_TIMEOUT": "0.5"})
    assert done.code == 6
    assert "Error: " in done.err
    assert time.monotonic() - began < 10


def test_stripe_8_another_gateways_token_is_called_that(live: Live) -> None:
    """An account that did not fit looked like a wrong signature."""
    done = ask(live, "app", "list", CAPSULE_TOKEN="cps_of_another_gateway")
    assert done.code == 4
    assert "not valid for this gateway" in done.err
    assert "CAPSULE_TOKEN, which goes before every login: unset it" in done.err  # to log in again would not help
    elsewhere = ask(live, "app", "list", CAPSULE_GATEWAY_URL="http://127.0.0.1:9")
    assert elsewhere.code == 4  # the token of one gateway never goes to another
    assert "There is no token for http://127.0.0.1:9" in elsewhere.err


def test_vercel_3_a_key_pressed_to_confirm_is_never_the_value(live: Live, terminal_of: Open) -> None:
    ask(live, "secret", "create", "KEPT_KEY=the value")
    digest = {each["name"]: each["digest"] for each in json.loads(ask(live, "secret", "list", "--json").out)}
    shown = terminal_of("secret", "create", "KEPT_KEY")
    shown.wait_for("Value of KEPT_KEY (hidden): ")
    shown.type("y\n")
    assert shown.exit_code() == 5  # nobody is asked whether to overwrite: --force says so
    after = {each["name"]: each["digest"] for each in json.loads(ask(live, "secret", "list", "--json").out)}
    assert after["KEPT_KEY"] == digest["KEPT_KEY"]


def test_vercel_7_a_dotenv_file_is_read_and_never_written(live: Live, tmp_path: Path) -> None:
    entry = write_app(tmp_path / "p", "local")
    dotenv = tmp_path / "p" / ".env"
    dotenv.write_text("FROM_DOTENV=1\nLOCAL_ONLY=2\n")
    assert ask(live, "secret", "create", "--env-file", str(dotenv)).code == 0
    assert ask(live, "deploy", entry).code == 0
    assert dotenv.read_text() == "FROM_DOTENV=1\nLOCAL_ONLY=2\n"


QUESTIONS = {
    "app delete": ["talker"],
    "app users delete": ["talker", "owner@localhost"],
    "channel delete": ["x"],
    "deploy": ["{entry}"],
    "fs delete": ["x"],
    "fs rm": ["-r", "x:/a"],
    "session delete": ["talker", "ses_1"],
}


def test_vercel_9_every_question_is_tried() -> None:
    assert set(QUESTIONS) == ASKING


@pytest.mark.parametrize("words", QUESTIONS)
def test_vercel_9_an_agent_on_a_terminal_is_asked_nothing(
    live: Live, terminal_of: Open, tmp_path: Path, words: str
) -> None:
    ask(live, "deploy", write_app(tmp_path / "first", "asked"), "--yes")
    ask(live, "chat", "talker", "hi")  # which makes its owner somebody who can be deleted
    entry = write_app(tmp_path / "second", "asked")
    arguments = [each.format(entry=entry) for each in QUESTIONS[words]]
    shown = terminal_of(*words.split(), *arguments, env={"CLAUDECODE": "1"}, columns=200)
    assert shown.exit_code() == 2
    assert "--yes" in shown.screen


def test_langgraph_5_serve_and_deploy_find_the_same_missing(live: Live, tmp_path: Path) -> None:
    """What ran in development lacked its packages when it was live."""
    source = "import cpsl\nimport not_installed_anywhere\napp = cpsl.App(name='lacking', image=cpsl.Image())\n"
    (tmp_path / "app.py").write_text(source)
    entry = f"{tmp_path / 'app.py'}:app"
    deployed = json.loads(ask(live, "deploy", entry, "--json").err.splitlines()[-1])["error"]
    argv = [sys.executable, "-m", "capsule_cli", "serve", entry, "--json"]
    with subprocess.Popen(argv, env=live.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as serving:
        assert serving.stdout
        events = map(json.loads, serving.stdout)
        served = next(event["error"] for event in events if event["event"] == "failed")
        serving.terminate()
    assert served["code"] == deployed["code"]
    assert "not_installed_anywhere" in served["message"] + str(served.get("hint"))
    assert "not_installed_anywhere" in deployed["message"] + str(deployed.get("hint"))


def test_langgraph_11_a_clean_end_before_the_end_is_no_end(home: dict[str, str]) -> None:
    """The connection ended in order, the answer had not: half of it was taken for all."""

    def event(number: int, kind: str, **data: object) -> str:
        return f"id: {number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"

    first = event(1, "started", request_id="turn_1", session_id="ses_1") + event(2, "chunk", text="one ")
    rest = event(3, "chunk", text="two") + event(4, "reply") + event(5, "done", request_id="turn_1")

    def answer(handler: BaseHTTPRequestHandler) -> None:
        resumed = handler.path.startswith("/api/v1/turns/turn_1/events?after=2")
        _send(handler, "text/event-stream", (rest if resumed else first).encode())

    with gateway(answer) as env:
        done = run(["chat", "x", "hi"], home | env)
    assert (done.code, done.out) == (0, "one two\n"), done.err
