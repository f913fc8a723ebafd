"""What a start may cost: modules that must not be loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "rich",
    "prompt_toolkit",
    "pydantic",
    "httpx",
    "httpx_sse",
    "keyring",
    "litestar",
    "sqlalchemy",
    "platformdirs",
    "watchfiles",
    "cpsl.client",
    "cpsl.app",
}
_PROBE = """
import sys
sys.argv = ["capsule", *{arguments!r}]
from capsule_cli.main import main
main()
print("\\0" + " ".join(sys.modules))
"""


def loaded_by(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _PROBE.format(arguments=list(arguments))],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.rpartition("\0")[2].split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["secret", "--help"],
        ["secret", "create", "--help"],
        ["chat", "--help"],
        ["deploy", "-h"],
        ["serve", "-h"],
        ["logs", "-h"],
        ["app", "versions", "-h"],
        ["doctor", "-h"],
    ],
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    assert not loaded_by(*arguments) & HEAVY


def test_the_root_help_loads_no_command() -> None:
    assert not {name for name in loaded_by("--help") if name.startswith("capsule_cli.commands")}


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_loads_not_even_the_parser(option: str) -> None:
    assert not loaded_by(option) & (HEAVY | {"typer", "msgspec", "argparse"})


def test_the_version_is_the_packages() -> None:
    import cpsl

    done = subprocess.run(
        [sys.executable, "-m", "capsule_cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"capsule {cpsl.__version__}\n"
