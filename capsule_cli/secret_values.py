"""Where the values of secrets come from: arguments, files, stdin, the environment, a question.

What comes from a file or stdin is taken as it is, but for one line end at its end, which an editor or ``echo`` put
there. No value is ever shown again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from capsule_cli import ask, output
from capsule_cli.errors import UsageError

_WAYS = 'Pipe it: printf %s "$VALUE" | capsule secret create {name} -   or give {name}=VALUE.'


class Sources(NamedTuple):
    """What a command was given. ``pairs`` are ``NAME=VALUE``, ``NAME=@FILE``, ``NAME`` or ``NAME -``."""

    pairs: list[str]
    env_files: list[str]
    from_env: list[str]
    from_json: str | None
    raw: bool


def collect(sources: Sources) -> dict[str, str]:
    """All the secrets that were given, each by its name.

    Raises UsageError for what cannot be a secret; no message repeats a value, or an argument that may be one.
    """
    found: dict[str, str] = {}
    for name, value in _all(sources):
        if name in found:
            raise UsageError(f"{name} is given twice")
        found[_checked(name)] = _usable(name, value)
    if not found:
        raise UsageError("No secret was given", hint="Name one to be asked for its value: capsule secret create NAME")
    return found


def _all(sources: Sources) -> Iterable[tuple[str, str]]:
    yield from _given(sources.pairs, raw=sources.raw)
    for file in sources.env_files:
        yield from _of_env_file(file)
    for name in sources.from_env:
        yield name, _of_environment(name)
    if sources.from_json is not None:
        yield from _of_json(sources.from_json)


def _given(pairs: list[str], *, raw: bool) -> Iterable[tuple[str, str]]:
    if len(pairs) == 2 and pairs[1] == "-":
        return [(pairs[0], _of_stdin(_checked(pairs[0]), raw=raw))]
    if len(pairs) == 1 and "=" not in pairs[0]:
        return [(pairs[0], _asked(_checked(pairs[0])))]
    found = [_pair(number, pair, raw=raw) for number, pair in enumerate(pairs, start=1)]
    if any("=@" not in pair for pair in pairs):
        output.whisper("Note: values given as arguments stay in your shell's history and are seen by `ps`.")
    return found


def _pair(number: int, pair: str, *, raw: bool) -> tuple[str, str]:
    name, equals, value = pair.partition("=")
    if not equals:
        # What stands there may be a value: it is not repeated.
        raise UsageError(f"Argument {number} is not NAME=VALUE", hint="Quote values that contain blanks.")
    name = _checked(name.strip())
    if value.startswith("@@"):
        return name, value[1:]
    return name, _of_file(name, value[1:], raw=raw) if value.startswith("@") else value


def _checked(name: str) -> str:
    from cpsl.wire.names import check_secret_name

    return check_secret_name(name)


def _usable(name: str, value: str) -> str:
    if not value:
        raise UsageError(f"The value of {name} is empty; nothing was stored", code="empty_secret")
    if "\0" in value:
        raise UsageError(f"The value of {name} contains a NUL byte, which no environment variable can hold")
    return value


def _asked(name: str) -> str:
    ask.need_terminal(f"Asking for the value of {name}", _WAYS.format(name=name))
    try:
        return ask.hidden(f"Value of {name} (hidden): ")
    except EOFError:
        raise UsageError("No value was given; nothing was stored") from None


def _of_stdin(name: str, *, raw: bool) -> str:
    return _text(name, _stdin(), raw=raw)


def _stdin() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("stdin is a terminal", hint="Leave out the '-' to be asked, or pipe the value in.")
    return sys.stdin.buffer.read()


def _of_file(name: str, file: str, *, raw: bool) -> str:
    try:
        return _text(name, Path(file).expanduser().read_bytes(), raw=raw)
    except (OSError, ValueError):
        # The rest of the argument is a value, if the @ was meant to be one: it is not repeated.
        raise UsageError(
            f"The file that {name}=@… names cannot be read", hint=f"A value that begins with @ is written {name}=@@…"
        ) from None


def _text(name: str, content: bytes, *, raw: bool) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise UsageError(f"The value of {name} is not UTF-8 text") from None
    if raw:
        return text
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def _of_env_file(file: str) -> list[tuple[str, str]]:
    from io import StringIO

    from dotenv import dotenv_values

    content = _stdin() if file == "-" else Path(file).expanduser().read_bytes()
    try:
        found = dotenv_values(stream=StringIO(content.decode()), interpolate=False)
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8 text") from None
    if without := [name for name, value in found.items() if value is None]:
        raise UsageError(f"A line of {file} is not NAME=VALUE (the {len(without)} without '=')")
    return [(name, value) for name, value in found.items() if value is not None]


def _of_environment(name: str) -> str:
    if name not in os.environ:
        raise UsageError(f"There is no environment variable {_checked(name)}")
    return os.environ[name]


def _of_json(file: str) -> list[tuple[str, str]]:
    import json

    content = _stdin() if file == "-" else Path(file).expanduser().read_bytes()
    try:
        found = json.loads(content)
    except ValueError:
        raise UsageError(f"{file} is not JSON") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise UsageError(f"{file} is no object of strings", hint='Like {"NAME": "value"}')
    return list(found.items())
