"""Completion in the shells themselves, with names from a real gateway."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Live, Run

SHELLS = ("bash", "zsh", "fish")

_BASH = """
source "$SCRIPT"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_capsule
printf '%s\\n' "${COMPREPLY[@]}"
"""
# The shell's own functions are replaced by ones that print what they are given.
_ZSH = """
compadd() { while [[ $1 != -- ]] do shift; done; shift; print -rl -- "$@" }
_describe() { print -rl -- "${described[@]%%:*}" }
_files() { print -r -- FILES }
words=("$@"); CURRENT=$#
source "$SCRIPT"
_capsule
"""
_FISH = """
source $SCRIPT
complete -C (string join ' ' -- $argv) | string replace -r '\\t.*' ''
"""


@pytest.fixture(scope="session")
def scripts(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts as the command prints them, beside a ``capsule`` that they start."""
    folder = tmp_path_factory.mktemp("completion")
    program = folder / "capsule"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m capsule_cli "$@"\n')
    program.chmod(0o755)
    live.run("fs", "create", "papers")
    live.run("fs", "upload", "-", "papers:/2026/november.txt", stdin="x")
    for shell in SHELLS:
        (folder / shell).write_text(live.run("completion", shell).stdout)
    return folder


def completed(shell: str, scripts: Path, env: dict[str, str], *words: str, any_begin: bool = False) -> list[str]:
    """What the shell offers for the last of ``words``; ``any_begin``: whatever it begins with."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    start = {
        "bash": ["bash", "--norc", "-c", _BASH, "bash"],
        "zsh": ["zsh", "-f", "-c", _ZSH, "zsh"],
        "fish": ["fish", "--no-config", "-c", _FISH],
    }[shell]
    # A machine that runs several tests at once is slower than one whose keys are pressed.
    around = env | {
        "CAPSULE_COMPLETION_TIMEOUT": "20",
        "SCRIPT": str(scripts / shell),
        "PATH": f"{scripts}{os.pathsep}{env['PATH']}",
    }
    done = subprocess.run([*start, *words], env=around, cwd=scripts, capture_output=True, text=True, check=False)
    assert not done.stderr
    found = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    # zsh and fish choose among what they are offered; a stand-in for their functions does not.
    return [line for line in found if any_begin or line.startswith(words[-1]) or line == "FILES"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh here")
@pytest.mark.parametrize("load", ['source "$SCRIPT"', "fpath=(${SCRIPT:h}/site $fpath)"], ids=["sourced", "installed"])
def test_zsh_takes_the_script_either_way(scripts: Path, load: str) -> None:
    """``source <(capsule completion zsh)``, as with other programs, ran the completion where there was none."""
    (scripts / "site").mkdir(exist_ok=True)
    shutil.copy(scripts / "zsh", scripts / "site" / "_capsule")
    parts = ["autoload -U compinit", *([load] if "fpath" in load else []), "compinit -u -D", load]
    known = "; ".join([*parts, "print -r -- ${_comps[capsule]}", "functions[_describe]='print OFFERED'"])
    argv = ["zsh", "-f", "-c", f"{known}; words=(capsule app de) CURRENT=3; _capsule"]
    done = subprocess.run(argv, env=os.environ | {"SCRIPT": str(scripts / "zsh")}, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("_capsule\nOFFERED\n", "")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("sec",), "secret"),
        (("secret", "cr"), "create"),
        (("secret", "create", "--for"), "--force"),
        (("auth", "sta"), "status"),
        (("chat", "tal"), "talker"),
        (("app", "delete", "t"), "talker"),
        (("secret", "delete", "GITHUB_CLIENT_I"), "GITHUB_CLIENT_ID"),
        (("app", "us"), "users"),
        (("app", "users", "dis"), "disable"),
        (("app", "users", "list", "tal"), "talker"),
        (("app", "users", "list", "--vis"), "--visitors"),
        (("app", "list", "--profile", "lo"), "local"),
        (("--profile", "local", "chat", "tal"), "talker"),
        (("app", "list", "--profile=lo"), "--profile=local"),
        (("--profile=local", "chat", "tal"), "talker"),
        (("app", "rollback", "talker", "v"), "v1"),
        (("logs", "talker", "--version", "v"), "v1"),
        (("logs", "--version", "v1", "tal"), "talker"),
        (("wait", "talker", "--for", "hea"), "healthy"),
        (("logs", "talker", "--level", "warn"), "warning"),
        (("channel", "create", "x", "--type", "tele"), "telegram"),
        (("create", "x", "--template", "integ"), "integrations"),
        (("completion", "zs"), "zsh"),
        (("config", "get", "time"), "timeout"),
        (("auth", "switch", "lo"), "local"),
        (("fs", "ls", "papers"), "papers:/"),
        (("fs", "ls", "papers:/20"), "papers:/2026/"),
        (("fs", "cat", "papers:/2026/no"), "papers:/2026/november.txt"),
        (("fs", "upload", "x.txt", "papers:/20"), "papers:/2026/"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_words_and_names(live: Live, scripts: Path, shell: str, words: tuple[str, ...], offered: str) -> None:
    assert offered in completed(shell, scripts, live.env, "capsule", *words)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("before", [("session", "show", "talker"), ("chat", "talker", "--session")], ids=" ".join)
def test_sessions_of_the_app_that_was_named(live: Live, scripts: Path, shell: str, before: tuple[str, ...]) -> None:
    id = json.loads(live.run("chat", "talker", "hi", "--json").stdout)["session_id"]
    assert id in completed(shell, scripts, live.env, "capsule", *before, id[:4])


@pytest.mark.parametrize("shell", SHELLS)
def test_users_of_the_app_that_was_named(live: Live, scripts: Path, shell: str) -> None:
    live.run("chat", "talker", "hi")
    [id, *_] = live.run("app", "users", "list", "talker", "-q").stdout.split()
    assert id in completed(shell, scripts, live.env, "capsule", "app", "users", "disable", "talker", "usr_")


@pytest.mark.parametrize(
    ("cut", "offered"),
    [
        (("app", "list", "--profile", "=", "lo"), "local"),
        (("app", "list", "--profile", "="), "local"),
        (("fs", "cat", "papers", ":", "/2026/no"), "/2026/november.txt"),
        (("fs", "cat", "papers", ":"), "/2026/"),
        (("--profile", "=", "local", "chat", "tal"), "talker"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bash_cuts_words_and_replaces_what_is_behind_the_cut(
    live: Live, scripts: Path, cut: tuple[str, ...], offered: str
) -> None:
    """As COMP_WORDBREAKS has it: ``=`` and ``:`` are words, and only what follows them is replaced."""
    assert offered in completed("bash", scripts, live.env, "capsule", *cut, any_begin=True)


def test_an_argument_is_offered_where_it_belongs_and_nowhere_else(live: Live, scripts: Path) -> None:
    assert completed("bash", scripts, live.env, "capsule", "app", "get", "talker", "t") == []


def test_a_name_comes_without_the_client(home: dict[str, str]) -> None:
    """What makes it quick: the client with its httpx takes longer than all the rest."""
    probe = "import sys; from capsule_cli.main import main; main(); print(*sys.modules, file=sys.stderr)"
    env = home | {"CAPSULE_TOKEN": "cps_x", "CAPSULE_COMPLETION_TIMEOUT": "20"}
    argv = [sys.executable, "-c", f"import sys; sys.argv = ['capsule', '__complete', 'apps']; {probe}"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    assert "http.client" in done.stderr.split()
    assert not {"httpx", "cpsl.client", "typer", "keyring"} & set(done.stderr.split())


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "env",
    [{"CAPSULE_TOKEN": "cps_x", "CAPSULE_GATEWAY_URL": "http://127.0.0.1:9"}, {"CAPSULE_GATEWAY_URL": "not a url"}],
)
def test_silence_when_the_gateway_is_away(live: Live, scripts: Path, shell: str, env: dict[str, str]) -> None:
    assert completed(shell, scripts, live.env | env, "capsule", "chat", "t") == []


def test_a_name_cannot_run_a_command(tmp_path: Path) -> None:
    """Whatever a gateway calls an app, bash gets it quoted."""
    if shutil.which("bash") is None:
        pytest.skip("there is no bash here")
    (tmp_path / "capsule").write_text("#!/bin/sh\necho 'a$(touch pwned)`touch pwned`;touch pwned'\n")
    (tmp_path / "capsule").chmod(0o755)
    from capsule_cli.completion import bash

    (tmp_path / "bash").write_text(bash.script())
    offered = completed("bash", tmp_path, dict(os.environ), "capsule", "chat", "a")
    assert len(offered) == 1
    subprocess.run(["bash", "-c", f"echo {offered[0]}"], cwd=tmp_path, check=True, capture_output=True)
    assert not (tmp_path / "pwned").exists()


def test_a_file_with_blanks_in_its_name_is_one_word(live: Live, scripts: Path) -> None:
    (scripts / "two words.py").touch()
    assert completed("bash", scripts, live.env, "capsule", "deploy", "two") == ["two words.py"]


def test_a_gateway_that_hangs_does_not_hold_a_key(home: dict[str, str]) -> None:
    import socket
    import time

    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = home | {"CAPSULE_TOKEN": "cps_x", "CAPSULE_GATEWAY_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "capsule_cli", "__complete", "apps"], env=env, capture_output=True, check=False
        )
        assert time.monotonic() - began < 5  # that it is 0.3 s, benchmarks/startup.py measures
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("shell", SHELLS)
def test_install_puts_it_where_the_shell_looks(capsule: Run, home: dict[str, str], tmp_path: Path, shell: str) -> None:
    env = {"HOME": str(tmp_path), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": ""}
    for _ in range(2):
        done = capsule("completion", shell, "--install", env=env)
        assert done.returncode == 0
    path = Path(done.stdout.strip())
    assert path.is_relative_to(tmp_path)
    assert path.read_text() == capsule("completion", shell).stdout


def test_a_shell_that_there_is_not(capsule: Run) -> None:
    assert "bash, zsh, fish" in capsule("completion", "tcsh").stderr


def test_the_skill_names_every_command(capsule: Run) -> None:
    from capsule_cli import reference

    page = capsule("skill").stdout
    assert page.startswith("---\nname: capsule\n")
    assert all(f"capsule {command.words}" in page for command in reference.commands())
