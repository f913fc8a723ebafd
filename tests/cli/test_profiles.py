"""Several accounts and gateways, tokens from elsewhere, and which of them is in use."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Live
from tests.cli.inside import Done, run


@pytest.fixture
def mine(live: Live, tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who is logged in to the ``live`` gateway, with a copy of its configuration."""
    shutil.copytree(live.env["CAPSULE_CONFIG_DIR"], tmp_path / "config", dirs_exist_ok=True)
    return live.env | {"CAPSULE_CONFIG_DIR": str(tmp_path / "config")}


def ask(env: dict[str, str], *arguments: str, stdin: str = "") -> Done:
    return run(arguments, env, stdin=stdin)


def token(env: dict[str, str]) -> str:
    """The token, and nothing else (gh 4)."""
    done = ask(env, "auth", "token")
    assert (done.code, done.err) == (0, "")
    return done.out.strip()


def url(env: dict[str, str]) -> str:
    found: str = json.loads(ask(env, "status", "--json").out)["gateway_url"]
    return found


def token_file(folder: Path, env: dict[str, str], mode: int = 0o600) -> str:
    file = folder / "token"
    file.write_text(f"{token(env)}\n")
    file.chmod(mode)
    return str(file)


def test_two_logins_are_two_profiles_and_switch_goes_there_and_back(mine: dict[str, str]) -> None:
    """gh 1, stripe 6: several accounts at once; gh 11980: nobody finds the switch."""
    again = ask(mine, "login", "--with-token", "--gateway", url(mine), "--profile", "work", stdin=token(mine))
    assert again.code == 0, again.err
    listed = {row["name"]: row["active"] for row in json.loads(ask(mine, "auth", "list", "--json").out)}
    assert listed == {"local": False, "work": True}
    assert [ask(mine, "auth", "switch").err.count("profile local"), ask(mine, "auth", "switch", "work").code] == [1, 0]
    assert "work *" in ask(mine, "auth", "list").out
    assert ask(mine, "auth", "list", "-q").out.split() == ["local", "work"]
    assert token(mine) not in ask(mine, "auth", "list").out


def test_of_three_somebody_has_to_choose(mine: dict[str, str]) -> None:
    for name in ("work", "home"):
        ask(mine, "login", "--with-token", "--gateway", url(mine), "--profile", name, stdin=token(mine))
    done = ask(mine, "auth", "switch")
    assert done.code == 2
    assert "home, local, work" in done.err
    assert ask(mine, "auth", "switch", "nowhere").code == 3


def test_a_token_file_goes_before_the_login_and_status_says_so(mine: dict[str, str], tmp_path: Path) -> None:
    """gh 2, stripe 5: a token in the environment silently beats the login."""
    with_file = mine | {"CAPSULE_TOKEN_FILE": token_file(tmp_path, mine)}
    done = ask(with_file, "status")
    assert done.code == 0, done.err
    assert "Token from:  file" in done.out
    assert "CAPSULE_TOKEN_FILE is set, and goes before the login as profile local" in done.err
    assert json.loads(ask(with_file, "status", "--json").out)["hidden_profile"] == "local"


def test_the_order_of_tokens(mine: dict[str, str], tmp_path: Path) -> None:
    """First wins: the argument, the variable, the variable's file, the profile."""
    file = token_file(tmp_path, mine)
    around = mine | {"CAPSULE_TOKEN": "cps_variable", "CAPSULE_TOKEN_FILE": file}
    assert ask(around, "--token-file", file, "auth", "token").out.strip() == token(mine)
    assert ask(around, f"--token-file={file}", "status").code == 0
    assert ask(around, "auth", "token").out == "cps_variable\n"
    assert ask(around | {"CAPSULE_TOKEN": ""}, "auth", "token").out.strip() == token(mine)
    assert ask(around, "auth", "token", "--profile", "local").out.strip() == token(mine)
    assert ask(around, "--token-file", file, "--profile", "local", "status").code == 2
    assert ask(mine, "--token-file", str(tmp_path / "none"), "status").code == 2


def test_status_names_the_store_and_when_the_token_ends(mine: dict[str, str]) -> None:
    """stripe 11: how long does a value live?"""
    done = ask(mine, "status")
    kept = str(Path(mine["CAPSULE_CONFIG_DIR"]) / "credentials.json")
    assert f"Token from:  file {kept} (profile local)" in done.out
    assert "Expires:     " in done.out
    told = json.loads(ask(mine, "status", "--json").out)
    assert told["token_kept_in"] == kept
    assert "expires_at" in told


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX")
def test_a_token_file_is_for_its_owner_only(mine: dict[str, str], tmp_path: Path) -> None:
    done = ask(mine | {"CAPSULE_TOKEN_FILE": token_file(tmp_path, mine, 0o644)}, "app", "list")
    assert done.code != 0
    assert "chmod" in done.err
    assert ask(mine | {"CAPSULE_TOKEN_FILE": str(tmp_path / "none")}, "app", "list").code != 0


def test_login_helps_also_where_a_token_is_in_the_environment(mine: dict[str, str]) -> None:
    """gh 2: ``login`` refuses to help; stripe 1, 2, hf 5: a token that only goes through an argument."""
    own = token(mine)
    where = url(mine)
    done = ask(mine | {"CAPSULE_TOKEN": "cap_other"}, "login", "--with-token", "--gateway", where, stdin=own)
    assert done.code == 0, done.err
    assert "goes before this login" in done.err
    assert own not in done.out + done.err


def test_login_from_a_file_and_twice(mine: dict[str, str], tmp_path: Path) -> None:
    for _ in range(2):
        done = ask(mine, "login", "--token-file", token_file(tmp_path, mine), "--gateway", url(mine))
        assert done.code == 0, done.err
    assert "was" not in done.err.split()


def test_a_token_that_does_not_work_is_not_kept(mine: dict[str, str]) -> None:
    """stripe 4: an expired key gives raw JSON and exit 0."""
    before = token(mine)
    done = ask(mine, "login", "--with-token", "--gateway", url(mine), stdin="cap_wrong")
    assert done.code == 4
    assert "{" not in done.err
    assert token(mine) == before


def test_not_logged_in_is_valid_json_with_exit_0_and_plain_exit_4(mine: dict[str, str], tmp_path: Path) -> None:
    """gh 5, stripe 7: who am I, for programs too."""
    nobody = mine | {"CAPSULE_CONFIG_DIR": str(tmp_path / "new")}
    done = ask(nobody, "auth", "status", "--json")
    assert (done.code, json.loads(done.out)["logged_in"]) == (0, False)
    assert ask(nobody, "status").code == 4
    assert ask(nobody, "auth", "list").code == 0


def test_a_login_says_which_profile_it_replaced(mine: dict[str, str]) -> None:
    """stripe 9: the wrong account, without a word."""
    file = Path(mine["CAPSULE_CONFIG_DIR"]) / "config.toml"
    account = json.loads(ask(mine, "status", "--json").out)["account"]
    where = url(mine)
    file.write_text(file.read_text().replace(account, "somebody@else.example"))
    done = ask(mine, "login", "--with-token", "--gateway", where, stdin=token(mine))
    assert "Profile local was somebody@else.example" in done.err


def test_logout_all_forgets_every_profile(mine: dict[str, str], tmp_path: Path) -> None:
    fresh = mine | {"CAPSULE_CONFIG_DIR": str(tmp_path / "fresh")}
    assert ask(fresh, "login").code == 0
    done = ask(fresh, "logout", "--all", "--json")
    assert json.loads(done.out) == {"logged_out": True, "revoked": True}
    assert ask(fresh, "auth", "list", "-q").out == ""
