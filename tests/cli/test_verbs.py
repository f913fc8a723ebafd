"""open, wait, restart, session, config and the filters of logs, against a real gateway."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from capsule_cli import fields
from tests.cli.conftest import Live, write_app
from tests.cli.inside import Done, run


def ask(live: Live, *arguments: str, stdin: str = "", **env: str) -> Done:
    return run(arguments, live.env | env, str(live.folder), stdin)


def test_open_prints_one_url_and_opens_nothing_without_a_terminal(live: Live) -> None:
    done = ask(live, "open", "talker")
    assert (done.code, done.out.count("\n"), done.err) == (0, 1, "")
    assert done.out.strip().endswith("/a/talker")
    assert json.loads(ask(live, "open", "talker", "--json").out) == {"app": "talker", "url": done.out.strip()}


@pytest.mark.parametrize(
    ("wanted", "app", "code"),
    [
        ("live", "talker", 0),
        ("healthy", "talker", 0),
        ("version=v1", "talker", 0),
        ("v1", "talker", 0),
        ("v99", "talker", 6),
        ("version=99", "talker", 6),
        ("live", "nobody", 6),
        ("turn=turn_none", "talker", 3),
        ("ready", "talker", 2),
    ],
)
def test_wait_says_by_its_exit_code_what_came_of_it(live: Live, wanted: str, app: str, code: int) -> None:
    """gh 9: wait for the thing I started, with an exit status."""
    done = ask(live, "wait", app, "--for", wanted, "--timeout", "0.1")
    assert done.code == code, done.err


def test_wait_for_a_turn_and_what_it_prints(live: Live) -> None:
    """gh 10: a start command returns the id as data."""
    turn = json.loads(ask(live, "chat", "talker", "hi", "--json").out)["request_id"]
    done = ask(live, "wait", "talker", "--for", f"turn={turn}", "--json")
    assert json.loads(done.out) == {"app": "talker", "for": f"turn={turn}", "reached": True, "detail": "turn is done"}


def test_restart_keeps_the_version_and_answers_go_on(live: Live) -> None:
    done = json.loads(ask(live, "app", "restart", "talker", "--json").out)
    assert done["app"] == "talker"
    assert ask(live, "chat", "talker", "hi").code == 0
    assert ask(live, "app", "restart", "nobody").code == 3
    assert "somebody asked" in ask(live, "logs", "talker", "--search", "SOMEBODY ASKED").out


def test_a_conversation_is_listed_shown_and_deleted(live: Live) -> None:
    made = json.loads(ask(live, "chat", "talker", "remember me", "--json").out)["session_id"]
    assert made in ask(live, "session", "list", "talker", "-q").out.split()
    shown = ask(live, "session", "show", "talker", made).out
    assert shown.startswith("# ")
    assert "remember me" in shown
    renamed = ask(live, "session", "rename", "talker", made, "  Kept in  mind ", "--json")
    assert json.loads(renamed.out) == {"id": made, "title": "Kept in mind"}
    assert ask(live, "session", "list", "talker", "-q", "--search", "mind KEPT").out.split() == [made]
    assert ask(live, "session", "list", "talker", "-q", "--search", "forgotten").out == ""
    assert ask(live, "session", "rename", "talker", made, " ").code == 2
    assert ask(live, "session", "delete", "talker", made).code == 2  # nobody there to ask
    assert ask(live, "session", "delete", "talker", made, "--yes").code == 0
    assert ask(live, "session", "show", "talker", made).code == 3


def test_logs_end_at_once_and_say_when_there_is_nothing(live: Live) -> None:
    """flyctl 4, vercel 5: logs hang when idle, or print nothing at all."""
    began = time.monotonic()
    done = ask(live, "logs", "talker", "--search", "100% never_said")
    assert (done.code, done.out) == (0, "")
    assert "No line of talker fits" in done.err
    assert time.monotonic() - began < 5


def test_logs_of_a_time_and_in_a_style(live: Live) -> None:
    ask(live, "app", "restart", "talker")
    time.sleep(0.2)
    assert ask(live, "logs", "talker", "--until", "1d").out == ""
    everything = ask(live, "logs", "talker", "--since", "1d", "--utc").out.splitlines()
    assert everything
    assert all(line[19] == "Z" for line in everything if "Restarting" in line)
    plain = ask(live, "logs", "talker", "--search", "restarting", "--no-timestamps").out.splitlines()
    assert all(line.startswith("v") for line in plain)
    assert ask(live, "logs", "talker", "-f", "--until", "1d").code == 2


def test_settings_are_shown_with_where_they_come_from(live: Live, tmp_path: Path) -> None:
    """langgraph 9, stripe 5: what counts, and why."""
    env = {"CAPSULE_CONFIG_DIR": str(tmp_path / "config")}
    assert ask(live, "config", "set", "timeout", "30", **env).code == 0
    assert ask(live, "config", "get", "timeout", **env).out == "30.0\n"
    rows = {
        row["name"]: row for row in json.loads(ask(live, "config", "list", "--json", CAPSULE_TIMEOUT="5", **env).out)
    }
    assert (rows["timeout"]["value"], rows["timeout"]["origin"]) == (5.0, "CAPSULE_TIMEOUT")
    assert ask(live, "config", "unset", "timeout", **env).code == 0
    assert "default" in ask(live, "config", "get", "timeout", **env).err
    assert "Did you mean timeout?" in ask(live, "config", "get", "timout", **env).err
    assert ask(live, "config", "set", "timeout", "never", **env).code == 2
    secret = ask(live, "config", "list", CAPSULE_DATABASE_URL="postgresql://me:hunter2@db/x", **env)
    assert "hunter2" not in secret.out


def test_a_deploy_is_one_url_on_stdout_and_the_same_again_works(live: Live, tmp_path: Path) -> None:
    """flyctl 3, 5, 13; gh 10; stripe 3: no terminal, no fancy output, ids as data, nothing written to the project."""
    entry = write_app(tmp_path / "one", "one")
    before = sorted(each.name for each in (tmp_path / "one").iterdir())
    first = ask(live, "deploy", entry)
    assert (first.code, first.out.count("\n")) == (0, 1), first.err
    again = json.loads(ask(live, "deploy", entry, "--json").out)
    assert (again["app"], again["version"], again["url"]) == ("one", 2, first.out.strip())
    assert again["deployment_id"].startswith("ver_")
    assert [each for each in before if not each.startswith("__")] == ["app.py"]


def test_a_deploy_from_elsewhere_needs_a_yes(live: Live, tmp_path: Path) -> None:
    """flyctl 6: deployed the wrong app from the wrong directory; flyctl 1, vercel 4: --yes is enough."""
    assert ask(live, "deploy", write_app(tmp_path / "a", "mine")).code == 0
    other = write_app(tmp_path / "b", "mine")
    refused = ask(live, "deploy", other)
    assert (refused.code, refused.out) == (2, "")
    assert str(tmp_path / "a") in refused.err
    assert "--yes" in refused.err
    assert ask(live, "deploy", other, "--yes").code == 0
    assert ask(live, "deploy", other).code == 0
    renamed = ask(live, "deploy", write_app(tmp_path / "b", "renamed"))
    assert renamed.code == 2
    assert "as mine" in renamed.err


def test_a_dry_run_sends_nothing_and_says_what_is_missing(live: Live, tmp_path: Path) -> None:
    entry = write_app(tmp_path / "dry", "dry", more=', secrets=["NOT_THERE"]')
    done = ask(live, "deploy", entry, "--dry-run", "--json")
    plan = json.loads(done.out)
    assert (done.code, plan["app"], plan["missing"]) == (0, "dry", ["secret NOT_THERE"]), done.err
    assert ask(live, "app", "get", "dry").code == 3
    real = ask(live, "deploy", entry)
    assert real.code == 3
    assert "capsule secret create NOT_THERE" in real.err


def test_a_deploy_that_is_not_waited_for_is_an_id_to_wait_with(live: Live, tmp_path: Path) -> None:
    """gh 10: a start command returns the id as data."""
    entry = write_app(tmp_path / "p", "unwaited")
    done = ask(live, "deploy", entry, "--no-wait", "-q")
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    id = done.out.strip()
    assert ask(live, "wait", "unwaited", "--for", f"deployment={id}", "--timeout", "60").code == 0
    assert [each["deployment_id"] for each in json.loads(ask(live, "app", "versions", "unwaited", "--json").out)] == [
        id
    ]
    told = json.loads(ask(live, "deploy", entry, "--no-wait", "--json").out)
    assert (told["app"], told["version"], told["url"]) == ("unwaited", None, None)
    assert told["deployment_id"].startswith("ver_")
    assert ask(live, "wait", "unwaited", "--for", "deployment=ver_none").code == 3


def test_what_became_of_a_deploy_that_nobody_waited_for_can_be_asked(live: Live, tmp_path: Path) -> None:
    entry = write_app(tmp_path / "p", "unlucky")
    good = ask(live, "deploy", entry, "--no-wait", "-q").out.strip()
    assert ask(live, "wait", "unlucky", "--for", f"deployment={good}").code == 0
    # An app that fails only where it is deployed: the look at it on this machine lets it pass.
    with open(tmp_path / "p" / "app.py", "a") as code:
        code.write("import os\nif 'CAPSULE_CONFIG_DIR' not in os.environ: raise RuntimeError('no luck')\n")
    bad = ask(live, "deploy", entry, "--no-wait", "-q").out.strip()
    waited = ask(live, "wait", "unlucky", "--for", f"deployment={bad}")
    assert (waited.code, waited.out) == (7, "")
    assert "no luck" in waited.err
    told = ask(live, "wait", "unlucky", "--for", f"deployment={bad}", "--json")
    assert (told.code, json.loads(told.out)["reached"]) == (7, False)
    assert json.loads(told.err)["error"]["code"] == "import_failed"
    rows = json.loads(ask(live, "app", "deploys", "unlucky", "--json").out)
    assert [(row["deployment_id"], row["state"]) for row in rows] == [(bad, "failed"), (good, "done")]
    assert "no luck" in ask(live, "app", "deploys", "unlucky").out
    assert ask(live, "app", "deploys", "unlucky", "-q").out == f"{bad}\n{good}\n"
    assert ask(live, "wait", "other", "--for", f"deployment={bad}").code == 3
    assert "The last deploy failed: " in ask(live, "app", "versions", "unlucky").err
    assert ask(live, "app", "versions", "unlucky", "--json").err == ""


def test_an_app_that_never_went_live_has_deploys_all_the_same(live: Live, tmp_path: Path) -> None:
    entry = write_app(tmp_path / "p", "stillborn")
    with open(tmp_path / "p" / "app.py", "a") as code:
        code.write("import os\nif 'CAPSULE_CONFIG_DIR' not in os.environ: raise RuntimeError('no luck')\n")
    assert ask(live, "deploy", entry).code == 7
    versions = ask(live, "app", "versions", "stillborn")
    assert (versions.code, versions.out) == (3, "")
    assert "capsule app deploys stillborn" in versions.err
    [row] = json.loads(ask(live, "app", "deploys", "stillborn", "--json").out)
    assert (row["state"], row["version"], row["error"]["code"]) == ("failed", 0, "import_failed")


def test_what_is_waited_for_is_told_but_not_to_programs(live: Live) -> None:
    waited = ask(live, "wait", "never-deployed", "--timeout", "0.1")
    assert (waited.code, waited.out) == (6, "")
    assert waited.err.count("Waiting: not deployed yet") == 1
    assert "Waiting" not in ask(live, "wait", "never-deployed", "--timeout", "0.1", "--json").err


def test_json_has_every_field_also_an_empty_one(live: Live) -> None:
    """Who picks a field, or goes through a list in it, must find what the reference promises."""
    ask(live, "secret", "create", "WHOLE_KEY", "-", stdin="value")
    [row] = [row for row in json.loads(ask(live, "secret", "list", "--json").out) if row["name"] == "WHOLE_KEY"]
    assert tuple(row) == fields.of("secret list")
    assert row["used_by"] == []


def test_quiet_prints_what_was_made_and_says_nothing(live: Live, tmp_path: Path) -> None:
    entry = write_app(tmp_path / "p", "quiet")
    for words, printed in (
        (["fs", "create", "quietfs", "-q"], "quietfs\n"),
        (["secret", "create", "QUIET_KEY", "-", "--quiet"], "QUIET_KEY\n"),
        (["channel", "create", "quietly", "--type", "telegram", "-c", "bot_token=1:B", "-q"], "quietly\n"),
        (["create", str(tmp_path / "new"), "-q"], f"{tmp_path / 'new'}\n"),
    ):
        assert ask(live, *words, stdin="x") == (0, printed, ""), words
    done = ask(live, "deploy", entry, "-q")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("/a/quiet\n")
