"""A deploy goes live whole, or nothing has changed: not the live version, and not the disk."""

from __future__ import annotations

import threading
import time

import httpx
import msgspec
import pytest

import cpsl
from cpsl.wire.apps import DeployDone, DeployError, DeployLog, DeployStatus
from tests.support.gateway import APPS, GatewayProcess
from tests.support.processes import descendants, eventually
from tests.support.projects import answering, archive, ask, debris, deploy, failed, succeeded


def test_a_deploy_tells_what_it_does_and_where_the_app_is(gateway: GatewayProcess) -> None:
    events = deploy(gateway, answering("telling"))
    assert [type(event) for event in events] == [DeployStatus, DeployStatus, DeployDone]
    done = events[-1]
    assert isinstance(done, DeployDone)
    assert done == DeployDone("telling", 1, f"{gateway.url}/a/telling", done.deployment_id)
    assert done.deployment_id.startswith("ver_")
    page = httpx.get(f"{gateway.url}/a/telling")
    assert page.status_code == 200
    assert "telling" in page.text


def test_a_deploy_that_asks_for_other_things_than_the_one_before_gets_them(gateway: GatewayProcess) -> None:
    with gateway.client() as client:
        client.filesystems.create("other-things")
        plain, mounted = answering("changing"), answering("changing", "mounted", "import os\n")
        source = mounted["app.py"].replace('name="changing"', 'name="changing", filesystems={"/more": MORE}')
        mounted["app.py"] = source.replace("app =", 'MORE = cpsl.FileSystem("other-things")\napp =').replace(
            'reply("mounted")', 'reply(str(os.path.isdir("/more")))'
        )
        answers = []
        for project in (plain, mounted, mounted, plain):
            assert isinstance([*client.deploys.create(archive(project), "app.py:app", app="changing")][-1], DeployDone)
            answers.append(ask(gateway, "changing"))
    assert answers == ["first", "True", "True", "first"]


def test_a_first_import_that_is_slow_is_no_silence(gateway: GatewayProcess) -> None:
    events = deploy(gateway, answering("unhurried", before="import time\ntime.sleep(1.2)\n"))
    told = [event.message for event in events if isinstance(event, DeployStatus)]
    assert told == ["Unpacking", "Importing app.py:app to see what it asks for", "Importing app.py:app"]


def test_what_is_printed_at_import_is_streamed(gateway: GatewayProcess) -> None:
    talk = "import sys\nprint('first line')\nprint('second', file=sys.stderr)\nprint('no end', end='')\n"
    events = deploy(gateway, answering("printing", before=talk))
    assert [event.line for event in events if isinstance(event, DeployLog)] == ["first line", "second", "no end"]


def test_it_comes_while_the_import_still_runs(gateway: GatewayProcess) -> None:
    slow = "import time\nprint('begun')\ntime.sleep(1.5)\n"
    with gateway.client() as client:
        for event in client.deploys.create(archive(answering("slowly", before=slow)), "app.py:app"):
            if isinstance(event, DeployLog):
                began = time.monotonic()
    assert time.monotonic() - began > 1


def test_redeploying_answers_new_while_a_running_turn_ends_on_the_old(gateway: GatewayProcess) -> None:
    old = """\
import asyncio, cpsl
app = cpsl.App(name="redeployed")

@app.message()
async def handle(session, msg):
    await session.reply("old begins")
    await asyncio.sleep(float(msg.text))
    import late
    await session.reply(late.WORD)
"""
    succeeded(gateway, {"app.py": old, "late.py": "WORD = 'old ends'"})
    with gateway.client() as client:
        turn = client.stream("redeployed", "1.5")
        while next(turn).text != "old begins":
            pass
        succeeded(gateway, answering("redeployed", "new"))
        assert ask(gateway, "redeployed") == "new"
        rest = list(turn)
    assert "".join(chunk.text for chunk in rest).strip() == "old ends"
    with gateway.client() as client:
        assert [(version.version, version.state) for version in client.apps.versions("redeployed")] == [
            (2, "live"),
            (1, "retired"),
        ]


BROKEN = [
    ("raise ValueError('on import')\n", "import_failed", "ValueError: on import"),
    ("def x(:\n", "import_failed", "SyntaxError"),
    ("import nowhere_to_be_found\n", "import_failed", "ModuleNotFoundError"),
    ("import sys; sys.exit(3)\n", "import_failed", "SystemExit: 3"),
    ("import cpsl\ncpsl.App(name='Not A Name')\n", "import_failed", "cannot name an app"),
    ("import os; os._exit(3)\n", "import_failed", ""),
    ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n", "import_failed", ""),
]


@pytest.mark.parametrize(("line", "code", "last"), BROKEN, ids=[f"{code}-{last}" for _, code, last in BROKEN])
def test_what_fails_to_import_leaves_the_live_version_live(
    gateway: GatewayProcess, line: str, code: str, last: str
) -> None:
    succeeded(gateway, answering("steady"))
    error = failed(gateway, answering("steady", "second", before=line))
    assert error.code == code
    assert last in error.traceback.splitlines()[-1] if last else not error.traceback
    assert ask(gateway, "steady") == "first"


@pytest.mark.parametrize(
    ("line", "how"),
    [("os._exit(3)", "exit status 3"), ("os.kill(os.getpid(), 9)", "SIGKILL"), ("os.abort()", "SIGABRT")],
)
def test_an_import_that_ends_its_process_says_how(gateway: GatewayProcess, line: str, how: str) -> None:
    error = failed(gateway, answering("ending", before=f"import os\nprint('last words', flush=True)\n{line}\n"))
    assert how in error.message


def test_the_traceback_is_the_users_own(gateway: GatewayProcess) -> None:
    error = failed(gateway, {**answering("traced", before="import inner\n"), "inner.py": "x = 1\nx / 0\n"})
    frames = [line.strip() for line in error.traceback.splitlines() if line.strip().startswith("File")]
    assert frames == ['File "/app/app.py", line 1, in <module>', 'File "/app/inner.py", line 2, in <module>']
    assert error.hint is None


def test_a_missing_package_is_named_with_what_to_do(gateway: GatewayProcess) -> None:
    error = failed(gateway, answering("packaged", before="import openai_of_another_kind\n"))
    assert "openai_of_another_kind" in (error.hint or "")


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("app.py", "invalid_entry_point"),
        ("app:app", "invalid_entry_point"),
        ("", "invalid_entry_point"),
        (":", "invalid_entry_point"),
        ("app.py:", "invalid_entry_point"),
        ("app.py:app()", "invalid_entry_point"),
        ("other.py:app", "invalid_entry_point"),
        ("../app.py:app", "invalid_entry_point"),
        ("/etc/passwd.py:app", "invalid_entry_point"),
        ("app.py:nothing", "symbol_missing"),
        ("app.py:handle", "not_an_app"),
        ("app.py:cpsl", "not_an_app"),
        ("a\0b.py:app", "invalid_entry_point"),
        ("x" * 501 + ".py:app", "invalid_entry_point"),
    ],
)
def test_wrong_entry_points(gateway: GatewayProcess, entry: str, code: str) -> None:
    if len(entry) > 500:
        with pytest.raises(cpsl.InvalidRequest) as caught:
            deploy(gateway, answering("entered"), entry)
        assert caught.value.code == code
        return
    error = failed(gateway, answering("entered"), entry)
    assert error.code == code
    assert error.hint


def test_missing_resources_are_named_with_the_commands_that_make_them(gateway: GatewayProcess) -> None:
    needy = """\
import cpsl
app = cpsl.App(
    name="needy", secrets=["NEEDY_KEY"], filesystems={"/data": cpsl.FileSystem("needed")},
    channels=[cpsl.Channel("needed-channel")],
)
app.add_integration(
    "github", client_id=cpsl.Secret.from_name("NEEDY_ID"), client_secret=cpsl.Secret.from_name("NEEDY_SECRET")
)
"""
    with gateway.http() as http:
        params = {"entry": "app.py:app"}
        body = http.post("/deploys", params=params, content=archive({"app.py": needy})).text
    [data] = [row.removeprefix("data: ") for row in body.splitlines() if '"type":"error"' in row]
    error = msgspec.json.decode(data, type=DeployError)
    assert error.code == "missing_resources"
    assert {item.name: item.command for item in error.missing} == {
        "NEEDY_KEY": "capsule secret create NEEDY_KEY",
        "NEEDY_ID": "capsule secret create NEEDY_ID",
        "NEEDY_SECRET": "capsule secret create NEEDY_SECRET",
        "needed": "capsule fs create needed",
        "needed-channel": "capsule channel create needed-channel --type telegram -c bot_token=…",
    }
    with gateway.client() as client:
        with pytest.raises(cpsl.NotFound) as caught:
            list(client.deploys.create(archive({"app.py": needy}), "app.py:app"))
        assert (caught.value.code, "  capsule fs create needed\n" in (caught.value.hint or "")) == (
            "missing_resources",
            True,
        )
        with pytest.raises(cpsl.NotFound):
            client.get_app("needy")


def test_a_secret_that_the_client_names_is_there_at_import(gateway: GatewayProcess) -> None:
    """As ``OpenAI()`` at the top of a file needs it."""
    with gateway.client() as client:
        client.secrets.create({"IMPORTED_KEY": "value", "REFERENCED_KEY": "value"})
    source = answering("importer")["app.py"].replace('name="importer"', 'name="importer", secrets=["IMPORTED_KEY"]')
    early = "assert len(cpsl.Secret.from_name('REFERENCED_KEY').value) == 5\n"
    first = "import os\nassert len(os.environ['IMPORTED_KEY']) == 5\n"
    content = archive({"app.py": first + source.replace("app = ", early + "app = ")})
    with gateway.client() as client:
        *_, last = client.deploys.create(content, "app.py:app", secrets=["IMPORTED_KEY"])
    assert isinstance(last, DeployDone)
    assert ask(gateway, "importer") == "first"


def test_the_gateway_is_not_there_yet_for_an_import(gateway: GatewayProcess) -> None:
    early = "import asyncio, cpsl\nx = cpsl.App('early').collection('x')\nasyncio.run(x.count())\n"
    error = failed(gateway, answering("early", before=early))
    assert error.code == "import_failed"
    assert "while it was imported" in error.traceback


def test_two_deploys_at_once_make_two_versions_of_which_one_is_live(gateway: GatewayProcess) -> None:
    done: list[DeployDone] = []

    def one(answer: str) -> None:
        done.append(succeeded(gateway, answering("twins", answer)))

    threads = [threading.Thread(target=one, args=(answer,)) for answer in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {each.version for each in done} == {1, 2}
    with gateway.client() as client:
        versions = client.apps.versions("twins")
        assert [(version.version, version.state) for version in versions] == [(2, "live"), (1, "retired")]
        assert client.apps.get("twins").live_version == 2
    assert ask(gateway, "twins") in ("one", "two")


def test_a_deploy_goes_on_when_nobody_looks(gateway: GatewayProcess) -> None:
    slow = "import time\ntime.sleep(0.5)\n"
    with gateway.client() as client:
        for event in client.deploys.create(archive(answering("unwatched", before=slow)), "app.py:app"):
            if isinstance(event, DeployStatus):
                break
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and "unwatched" not in [app["name"] for app in client.list_apps()]:
            time.sleep(0.05)
    assert ask(gateway, "unwatched") == "first"


def test_deleting_an_app_takes_all_of_it(gateway: GatewayProcess) -> None:
    before = debris(gateway)
    gone = APPS / "echo.py"
    project = {"app.py": gone.read_text().replace('name="echo"', 'name="goner"')}
    succeeded(gateway, project)
    succeeded(gateway, project)
    with gateway.client() as client, gateway.client() as other:
        session_id = client.chat("goner", "note this").session_id
        client.chat("goner", "print that")
        turn = client.stream("goner", "slowly 400")
        request_id = next(turn).data["request_id"]
        while next(turn).text != "piece 1":
            pass
        began = time.monotonic()
        other.apps.delete("goner")
        with pytest.raises(cpsl.CapsuleError):
            list(turn)
        assert time.monotonic() - began < 3
        for attempt in (
            lambda: client.get_app("goner"),
            lambda: client.chat("goner", "hi"),
            lambda: client.apps.logs("goner"),
            lambda: client.apps.versions("goner"),
            lambda: client.sessions.get("goner", session_id),
            lambda: client.turns.get(request_id),
            lambda: client.apps.delete("goner"),
        ):
            with pytest.raises(cpsl.NotFound):
                attempt()
        assert debris(gateway) == before
        assert succeeded(gateway, project).version == 1
        assert client.chat("goner", "note anew").text == "1 notes"
        assert client.sessions.list("goner").sessions[-1].id != session_id
        assert [line.message for line in client.apps.logs("goner")] == []
        with pytest.raises(cpsl.NotFound):
            client.chat("goner", "hi", session_id)


def test_its_processes_end_with_it(gateway: GatewayProcess) -> None:
    source = answering("ending")["app.py"].replace('"ANSWER"', "str(__import__('os').getpid())")
    source = source.replace('await session.reply("first")', "import asyncio\n    await asyncio.sleep(60)")
    version = succeeded(gateway, {"app.py": source})
    assert version.version == 1
    with gateway.client() as client:
        turn = client.stream("ending", "hi")
        next(turn)
        time.sleep(0.3)
        running = descendants(gateway.pid)
        client.apps.delete("ending")
        assert eventually(lambda: len(descendants(gateway.pid)) < len(running))


def test_kill_in_the_middle_of_a_deploy(own_gateway: GatewayProcess) -> None:
    """The old version stays live, and the next start collects what is left."""
    succeeded(own_gateway, answering("survivor"))
    (kept,) = debris(own_gateway)[0]
    slow = "import time\nprint('here')\ntime.sleep(30)\n"
    with own_gateway.client() as client:
        events = client.deploys.create(archive(answering("survivor", "second", slow)), "app.py:app", app="survivor")
        while not isinstance(next(events), DeployLog):
            pass
        assert len(debris(own_gateway)[0]) == 2
        own_gateway.kill()
        own_gateway.start()
        with pytest.raises(cpsl.DeployFailed) as caught:
            list(events)
        assert caught.value.code == "deploy_interrupted"
    assert debris(own_gateway) == ({kept}, set())
    assert ask(own_gateway, "survivor") == "first"
    with own_gateway.client() as client:
        assert [version.version for version in client.apps.versions("survivor")] == [1]
    assert succeeded(own_gateway, answering("survivor", "third")).version == 2
    assert ask(own_gateway, "survivor") == "third"
