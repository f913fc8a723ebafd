"""The ways in which a secret gets in: its digest tells that its very bytes arrive, and nothing shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Live, Run

PEM = "-----BEGIN KEY-----\nMIIE=\nabc\n-----END KEY-----"
NOBODY = {"CAPSULE_TOKEN": "cps_x", "CAPSULE_GATEWAY_URL": "http://127.0.0.1:9"}


def digest(live: Live, name: str) -> str:
    """The digest of a secret that is stored."""
    return str({each["name"]: each["digest"] for each in json.loads(live.run("secret", "list", "--json").stdout)}[name])


@pytest.mark.parametrize(
    ("arguments", "stdin", "value"),
    [
        (["WAY", "-"], PEM + "\n", PEM),
        (["WAY", "-"], PEM + "\r\n", PEM),
        (["WAY", "-"], PEM + "\n\n", PEM + "\n"),
        (["WAY", "-", "--raw"], PEM + "\n", PEM + "\n"),
        (["WAY=@file"], None, PEM),
        (["WAY=@file", "--raw"], None, PEM + "\n"),
        (["WAY=@@file"], None, "@file"),
        (["WAY=a=b c"], None, "a=b c"),
        (["--env-file", ".env"], None, 'one\ntwo "$HOME"'),
        (["--env-file", "-"], "export WAY='x y' # comment\n", "x y"),
        (["--from-env", "WAY"], None, "from around"),
        (["--from-json", "-"], '{"WAY": "é\\n"}', "é\n"),
    ],
)
def test_the_very_value_arrives_and_is_never_shown(
    live: Live, tmp_path: Path, arguments: list[str], stdin: str | None, value: str
) -> None:
    (tmp_path / "file").write_text(PEM + "\n")
    (tmp_path / ".env").write_text("# a comment\nWAY='one\ntwo \"$HOME\"'\n")
    here = Live(live.env | {"WAY": "from around"}, tmp_path)
    done = here.run("secret", "create", *arguments, "--force", stdin=stdin)
    assert done.returncode == 0, done.stderr
    assert value not in done.stdout + done.stderr
    assert f"({len(value)} characters" in done.stderr or "unchanged" in done.stderr
    stored = digest(live, "WAY")
    live.run("secret", "create", "--force", "--from-json", "-", stdin=json.dumps({"SAME": value}))
    assert digest(live, "SAME") == stored


def test_the_same_value_again_is_no_conflict_and_another_is(live: Live) -> None:
    assert live.run("secret", "create", "TWICE=one").returncode == 0
    again = live.run("secret", "create", "TWICE=one")
    assert again.returncode == 0
    assert "unchanged" in again.stderr
    assert live.run("secret", "create", "TWICE=two").returncode == 5
    assert live.run("secret", "update", "TWICE=two").returncode == 0


def test_only_what_exists_is_updated_all_or_none(live: Live) -> None:
    live.run("secret", "create", "HERE=1")
    before = digest(live, "HERE")
    done = live.run("secret", "update", "HERE=2", "NOT_HERE=3")
    assert done.returncode == 3
    assert "NOT_HERE" in done.stderr
    assert digest(live, "HERE") == before


@pytest.mark.parametrize(
    ("arguments", "stdin", "told"),
    [
        ([], None, "No secret was given"),
        (["--env-file", ".env"], None, "not NAME=VALUE"),
        (["--env-file", "missing"], None, "No such file"),
        (["--from-env", "NOWHERE_TO_BE_SEEN"], None, "no environment variable"),
        (["--from-json", "-"], "[1]", "no object of strings"),
        (["--from-json", "-"], "sk-very-secret", "not JSON"),
        (["A=@sk-very-secret"], None, "cannot be read"),
        (["A=1", "--from-json", "-"], '{"A": "2"}', "twice"),
        (["A", "-"], "", "empty"),
    ],
)
def test_what_cannot_be_is_refused_without_repeating_it(
    capsule: Run, tmp_path: Path, arguments: list[str], stdin: str | None, told: str
) -> None:
    (tmp_path / "work" / ".env").write_text("sk-very-secret\nA=1\n")
    done = capsule("secret", "create", *arguments, stdin=stdin, env=NOBODY)
    assert done.returncode in (2, 3)
    assert told in done.stderr
    assert "sk-very-secret" not in done.stdout + done.stderr
