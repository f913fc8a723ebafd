"""One table from error to exit code, and one look of errors."""

from __future__ import annotations

import json

import pytest

from capsule_cli import errors as cli_errors
from cpsl import errors
from tests.cli.conftest import Run

EXPECTED = {
    errors.CapsuleError: 1,
    errors.InvalidRequest: 2,
    errors.TooLarge: 2,
    errors.EntryPointError: 2,
    cli_errors.UsageError: 2,
    errors.ConfigError: 2,
    errors.NotFound: 3,
    errors.AuthError: 4,
    errors.NotLoggedIn: 4,
    errors.Conflict: 5,
    errors.ConnectionFailed: 6,
    errors.GatewayTimeout: 6,
    errors.StreamCut: 6,
    errors.AppError: 7,
    errors.DeployFailed: 7,
    errors.PromptRequired: 8,
    errors.TurnCancelled: 1,
    errors.GatewayError: 1,
    errors.StorageFull: 1,
    errors.ProviderFailed: 1,
    errors.RateLimited: 1,
    errors.IntegrationTimeout: 1,
    errors.IntegrationDeclined: 1,
    errors.FileUploadTimeout: 1,
}


@pytest.mark.parametrize("kind", EXPECTED, ids=lambda kind: kind.__name__)
def test_exit_code_of_each_error(kind: type[errors.CapsuleError]) -> None:
    assert cli_errors.exit_code(kind("it failed")) == EXPECTED[kind]


def test_the_table_leaves_no_error_out() -> None:
    def below(kind: type[errors.CapsuleError]) -> set[type[errors.CapsuleError]]:
        return {kind} | {found for each in kind.__subclasses__() for found in below(each)}

    assert {kind for kind in below(errors.CapsuleError) if kind.__module__ == "cpsl.errors"} <= set(EXPECTED)


def test_foreign_errors_have_codes_too() -> None:
    assert cli_errors.exit_code(FileNotFoundError()) == 3
    assert cli_errors.exit_code(PermissionError()) == 1
    assert cli_errors.exit_code(ZeroDivisionError()) == 1
    assert cli_errors.exit_code(KeyboardInterrupt()) == 130


@pytest.mark.parametrize(
    "words",
    [
        ["app", "list"],
        ["app", "get", "x"],
        ["app", "delete", "x", "--yes"],
        ["secret", "list"],
        ["secret", "create", "A=1"],
        ["secret", "delete", "A"],
        ["fs", "list"],
        ["fs", "ls"],
        ["fs", "ls", "x", "/"],
        ["fs", "create", "x"],
        ["fs", "download", "x", "/y", "-"],
        ["channel", "list"],
        ["channel", "info", "x"],
        ["logs", "x"],
        ["chat", "x", "hi"],
        ["auth", "token"],
        ["status"],
    ],
    ids=" ".join,
)
def test_not_logged_in_is_one_line_a_hint_and_exit_4(capsule: Run, words: list[str]) -> None:
    done = capsule(*words)
    assert done.returncode == 4
    assert not done.stdout
    assert "capsule login" in done.stderr
    assert "Error: " in done.stderr


@pytest.mark.parametrize("words", [["logout"], ["logout", "--all"]])
def test_there_is_nothing_to_log_out_of(capsule: Run, words: list[str]) -> None:
    done = capsule(*words)
    assert done.returncode == 4
    assert "not logged in" in done.stderr


def test_an_error_as_json_is_one_object_on_stderr(capsule: Run) -> None:
    done = capsule("app", "list", "--json")
    assert done.returncode == 4
    assert not done.stdout
    told = json.loads(done.stderr)["error"]
    assert told["code"] == "not_logged_in"
    assert "capsule login" in told["hint"]


def test_status_as_json_always_succeeds(capsule: Run) -> None:
    done = capsule("status", "--json")
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert told["logged_in"] is False
    assert told["valid"] is False


NOBODY = {"CAPSULE_TOKEN": "cps_x", "CAPSULE_GATEWAY_URL": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    "words",
    [
        ["app", "list"],
        ["status"],
        ["chat", "x", "hi"],
        ["secret", "create", "A=1"],
        ["logs", "x", "-f"],
    ],
    ids=" ".join,
)
def test_no_gateway_is_exit_6(capsule: Run, words: list[str]) -> None:
    done = capsule(*words, env=NOBODY)
    assert done.returncode == 6
    assert "127.0.0.1:9" in done.stderr


def test_status_as_json_tells_that_the_gateway_is_away(capsule: Run) -> None:
    done = capsule("status", "--json", env=NOBODY)
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert told["valid"] is None
    assert told["exit_code"] == 6
    assert told["token_source"] == "environment variable CAPSULE_TOKEN"


def test_the_token_for_scripts(capsule: Run) -> None:
    done = capsule("auth", "token", env=NOBODY)
    assert done.stdout == "cps_x\n"


def test_an_unknown_profile_is_named(capsule: Run) -> None:
    for words in (["app", "list", "--profile", "nix"], ["--profile", "nix", "app", "list"]):
        done = capsule(*words)
        assert done.returncode == 3
        assert "nix" in done.stderr


def test_debug_shows_the_traceback_and_nothing_else_does(home: dict[str, str]) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "capsule_cli", "app", "list"],
        env=home | {"CAPSULE_DEBUG": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert "Traceback" in done.stderr
