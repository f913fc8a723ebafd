"""Every way in for secrets, against a real gateway: what goes in is what apps get, whole or not at all.

What others were blamed for (the issue trackers of other command lines) is named at each test.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Live
from tests.cli.inside import Done, run

SECRET = "s3cr3t-value-of-mine"


def capsule(live: Live, *arguments: str, stdin: str = "", **env: str) -> Done:
    return run(arguments, live.env | env, str(live.folder), stdin)


def stored(live: Live, *arguments: str, stdin: str = "", **env: str) -> dict[str, str]:
    """Digests by name of what a call stored."""
    done = capsule(live, "secret", "create", "--force", *arguments, "--json", stdin=stdin, **env)
    assert done.code == 0, done.err
    return {secret["name"]: secret["digest"] for secret in json.loads(done.out)["secrets"]}


PEM = "-----BEGIN-----\nabc\n-----END-----"


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (("W_PEM", "-"), f"{PEM}\n"),
        (("W_PEM", "-"), f"{PEM}\r\n"),
        (("W_PEM", "-", "--raw"), PEM),
        (("W_PEM=@pem.txt",), ""),
        (("--env-file", "pem.env"), ""),
        (("--env-file", "-"), f"# mine\nexport W_PEM='{PEM}'\n"),
        (("--from-env", "W_PEM"), ""),
        (("--from-json", "-"), json.dumps({"W_PEM": PEM})),
    ],
)
def test_several_lines_come_whole_by_every_way(live: Live, arguments: tuple[str, ...], stdin: str) -> None:
    """vercel 1, 2: piped secrets stored empty, several lines cut off. vercel 6: a whole .env. modal 1: only argv."""
    (live.folder / "pem.txt").write_text(f"{PEM}\n")
    (live.folder / "pem.env").write_text(f'W_PEM="{PEM}"\n')
    expected = stored(live, f"W_PEM={PEM}")
    assert stored(live, *arguments, stdin=stdin, W_PEM=PEM) == expected


def test_exactly_one_newline_goes_and_raw_keeps_it(live: Live) -> None:
    digests = [
        stored(live, "W_LINE", "-", *more, stdin=given)["W_LINE"]
        for given, more in (("a\n\n", ()), ("a\n", ("--raw",)), ("a\n", ()), ("a", ()))
    ]
    assert digests[0] == digests[1] != digests[2] == digests[3]


def test_two_ats_are_one(live: Live) -> None:
    assert stored(live, "W_AT=@@x") == stored(live, "W_AT", "-", stdin="@x")


def test_the_same_value_again_changes_nothing_and_another_is_a_conflict(live: Live) -> None:
    """flyctl 8: the same value again gave an error that made no sense."""
    assert capsule(live, "secret", "create", "W_SAME=1234567").code == 0
    again = capsule(live, "secret", "create", "W_SAME=1234567")
    assert (again.code, "W_SAME unchanged (7 bytes" in again.err) == (0, True)
    other = capsule(live, "secret", "create", "W_SAME=7654321")
    assert (other.code, "7654321" in other.err, "--force" in other.err) == (5, False, True)


REFUSED: list[tuple[Any, ...]] = [
    (("W_NO=",), "", "--allow-empty"),
    (("W_NO", "-"), "", "--allow-empty"),
    (("W_NO", "-"), "a\0b", "NUL"),
    (("W_NO=x" + SECRET, SECRET), "", "Argument 2"),
    (("W_NO=@" + SECRET,), "", "@@"),
    (("W_NO=1", "--from-env", "W_NO"), "", "twice"),
    (("--env-file", "-"), f"W_NO=1\n{SECRET} {SECRET}\n", "Line 2"),
    (("--env-file", "-"), "W_NO=1\nW_BARE\n", "Line 2"),
    (("--from-json", "-"), '{"W_NO": ["' + SECRET + '"]}', "object"),
    (("--from-env", "W_GONE"), "", "W_GONE"),
    (("W_NO",), "", "secret create W_NO -"),
    ((), "", "capsule secret create NAME"),
]


@pytest.mark.parametrize(("arguments", "stdin", "told"), REFUSED)
def test_what_is_refused_stores_nothing_and_tells_no_value(
    live: Live, arguments: tuple[str, ...], stdin: str, told: str
) -> None:
    """vercel 1: an empty secret, exit 0. vercel 8: TypeError when an argument is missing. vercel 10: values shown."""
    done = capsule(live, "secret", "create", *arguments, stdin=stdin, **({"W_NO": "2"} if told == "twice" else {}))
    assert done.code == 2, done.err
    assert told in done.err
    assert SECRET not in done.out + done.err
    assert "W_NO" not in capsule(live, "secret", "list", "-q").out.split()


def test_empty_is_stored_when_it_is_meant(live: Live) -> None:
    done = capsule(live, "secret", "create", "W_EMPTY=", "--allow-empty")
    assert (done.code, "W_EMPTY stored (0 bytes" in done.err) == (0, True)


def test_nothing_shows_a_value_and_arguments_get_a_note(live: Live) -> None:
    """llm 5, 6: keys listed without values, not only on argv. vercel 10: nothing to redact."""
    done = capsule(live, "secret", "create", f"W_SHOWN={SECRET}", "--force")
    listed = capsule(live, "secret", "list"), capsule(live, "secret", "list", "--json")
    assert "shell's history" in done.err
    assert "history" not in capsule(live, "secret", "create", "W_SHOWN", "-", "--force", stdin=SECRET).err
    assert SECRET not in "".join(each.out + each.err for each in (done, *listed))
    assert "USED BY" in listed[0].out
    assert "UPDATED" in listed[0].out


def test_update_is_for_what_is_there(live: Live) -> None:
    assert capsule(live, "secret", "update", "W_NEVER", "-", stdin="x").code == 3
    stored(live, "W_UPDATED=1")
    assert capsule(live, "secret", "update", "W_UPDATED", "-", stdin="2").code == 0
    assert stored(live, "W_UPDATED=2") == stored(live, "W_UPDATED", "-", stdin="2")


def test_a_dotenv_file_with_no_name_twice_is_all_or_nothing(live: Live, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("W_A=1\nW_B=\n")
    assert capsule(live, "secret", "create", "--env-file", str(file)).code == 2
    assert "W_A" not in capsule(live, "secret", "list", "-q").out.split()
