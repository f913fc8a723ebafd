"""``capsule`` run inside the process of the test, where many runs are wanted. It never has a terminal."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, NamedTuple

from capsule_cli.main import main


class Done(NamedTuple):
    """What came of a run."""

    code: int
    out: str
    err: str


def run(arguments: Sequence[str], env: Mapping[str, str], folder: str = "/", stdin: str | None = "") -> Done:
    """Run the command line as the ``capsule`` program does, with ``stdin`` as a file, or with nothing to read."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8") as err,
        _given(stdin) as given,
        _in_place_of(dict(env), folder),
    ):
        before = sys.argv, sys.stdin, sys.stdout, sys.stderr
        sys.argv, sys.stdin, sys.stdout, sys.stderr = ["capsule", *arguments], given, out, err
        try:
            code = main()
        finally:
            sys.argv, sys.stdin, sys.stdout, sys.stderr = before
        return Done(code, _text(out), _text(err))


def _given(text: str | None) -> IO[str]:
    if text is None:
        return open(os.devnull, encoding="utf-8")
    file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="")  # noqa: SIM115  (the caller closes it)
    file.write(text)
    file.flush()
    file.seek(0)
    return file


@contextmanager
def _in_place_of(env: dict[str, str], folder: str) -> Iterator[None]:
    here, before = os.getcwd(), dict(os.environ)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)


def _text(file: IO[str]) -> str:
    file.flush()
    file.seek(0)
    return file.read()
