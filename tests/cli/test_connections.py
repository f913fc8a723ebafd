"""No telemetry: a command talks to the gateway and to nobody else (gh 8, flyctl 7)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cli.conftest import Live
from tests.cli.inside import run

_WATCHED = """
import json, os, sys
seen = []
def hook(event, arguments):
    if event == "socket.connect":
        seen.append([str(part) for part in arguments[1]])
    elif event == "socket.getaddrinfo":
        seen.append([str(arguments[0]), str(arguments[1])])
sys.addaudithook(hook)
from capsule_cli.main import main
sys.argv = ["capsule", *sys.argv[1:]]
main()
with open(os.environ["SEEN"], "w") as file:
    json.dump(seen, file)
"""


@pytest.mark.parametrize("words", ["app list", "logs talker", "chat talker hi", "config list"])
def test_a_command_connects_to_the_gateway_only(live: Live, tmp_path: Path, words: str) -> None:
    url = urlsplit(run(["status", "--json", "gateway_url"], live.env).out.split('"')[3])
    argv = [sys.executable, "-c", _WATCHED, *words.split()]
    seen = tmp_path / "seen"
    env = live.env | {"SEEN": str(seen)}
    subprocess.run(argv, env=env, cwd=live.folder, stdin=subprocess.DEVNULL, timeout=60, check=True)
    places = {tuple(each[:2]) for each in json.loads(seen.read_text())}
    assert places == (set() if words == "config list" else {(str(url.hostname), str(url.port))})
