"""Whatever is typed, and whatever lies in the environment: an exit code of the table, in words, never a traceback.

``CAPSULE_TEST_EXAMPLES`` says how many command lines are tried.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capsule_cli import tree
from capsule_cli.errors import MEANINGS
from tests.cli.inside import run
from tests.cli.test_tree import LEAVES, options

EXAMPLES = int(os.environ.get("CAPSULE_TEST_EXAMPLES", "400"))

# Nothing that names a place where a file could be made: the command may be `create`.
_JUNK = st.text(st.characters(exclude_characters="/~.\0", exclude_categories=["Cs"]), max_size=12)
_BYTES = st.binary(max_size=6).map(
    lambda raw: os.fsdecode(raw.replace(b"\0", b"").replace(b"/", b"").replace(b".", b""))
)
_WORDS = st.sampled_from(
    sorted({*tree.COMMANDS, *tree.ALIASES, *tree.ELSEWHERE, *(word for leaf in LEAVES for word in leaf.split())})
)
_OPTIONS = st.sampled_from(
    sorted({option for leaf in LEAVES.values() for option in options(leaf)} | {"--", "-", "--=", "-x"})
)
_VALUES = st.sampled_from(
    [
        "hello",
        "v1",
        "-1",
        "0",
        "99999999999999999999",
        "NAME=VALUE",
        "=",
        "@x",
        "name,state",
        "10m",
        "a:/b",
        ":app",
        "*",
        "",
    ]
)
_WORD = st.one_of(_WORDS, _OPTIONS, _VALUES, _JUNK, _BYTES)
_COMMAND = st.sampled_from(sorted(LEAVES)).map(str.split)
ARGUMENTS = st.one_of(
    st.tuples(_COMMAND, st.lists(st.one_of(_OPTIONS, _VALUES, _JUNK, _BYTES), max_size=5)).map(
        lambda pair: [*pair[0], *pair[1]]
    ),
    st.lists(_WORD, max_size=6),
)
_SETTING = st.one_of(
    _JUNK, st.sampled_from(["", "0", "1", "-1", "1e999", "nan", "json", "agent", "ascii", "http://127.0.0.1:9"])
)
ENVIRONMENT = st.dictionaries(
    st.sampled_from(
        [
            "CAPSULE_TOKEN",
            "CAPSULE_GATEWAY_URL",
            "CAPSULE_PROFILE",
            "CAPSULE_OUTPUT",
            "CAPSULE_NO_INPUT",
            "CAPSULE_KEYRING_TIMEOUT",
            "CAPSULE_ALLOW_HTTP",
            "CAPSULE_GATEWAY_PORT",
            "NO_COLOR",
            "CLICOLOR_FORCE",
            "TERM",
            "COLUMNS",
            "LANG",
            "CI",
            "EDITOR",
        ]
    ),
    _SETTING.filter(lambda text: "\0" not in text),
    max_size=4,
)


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which no gateway can be started: there is a file where its data would be."""
    folder = tmp_path_factory.mktemp("nowhere")
    (folder / "file").touch()
    below = {f"CAPSULE_{kind}_DIR": str(folder / "file" / kind) for kind in ("DATA", "STATE")}
    limits = {"CAPSULE_MAX_RETRIES": "0", "CAPSULE_TIMEOUT": "1", "CAPSULE_KEYRING": "off"}
    places = {"HOME": str(folder / "home"), "CAPSULE_CONFIG_DIR": str(folder / "config"), "PATH": os.environ["PATH"]}
    return below | limits | places


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arguments=ARGUMENTS, around=ENVIRONMENT)
def test_no_command_line_ends_in_a_traceback(
    arguments: list[str], around: dict[str, str], nowhere: dict[str, str]
) -> None:
    # In /proc no file can be made, whoever runs the tests.
    folder = "/proc" if Path("/proc").is_dir() else "/"
    done = run(arguments, nowhere | around, folder)
    assert done.code in MEANINGS
    assert "Traceback" not in done.err
    assert "internal_error" not in done.err
    assert "This is a bug" not in done.err
    assert done.code == 0 or done.err or done.out  # a doctor that found something says it as data
