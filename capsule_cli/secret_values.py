"""Where the values of ``capsule secret create`` come from. No value is ever repeated, in no error either."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from capsule_cli import ask, hidden, output
from capsule_cli.errors import UsageError

Value = Callable[[], str]
_WAYS = 'Pipe it: printf %s "$VALUE" | capsule secret create {name} -   or give {name}=@FILE.'


class Sources(NamedTuple):
    """What the command line says about values. ``raw`` keeps the newline at the end of a file or of stdin."""

    words: Sequence[str] = ()
    env_file: Path | None = None
    from_env: Sequence[str] = ()
    from_json: Path | None = None
    raw: bool = False
    allow_empty: bool = False


def gathered(sources: Sources) -> dict[str, str]:
    """The secrets to store, by name.

    Raises UsageError for a name that comes twice, an empty value (code ``empty_secret``), a NUL byte, a file that
    cannot be read, and where somebody would have to be asked who is not there (code ``no_terminal``).
    """
    found: dict[str, str] = {}
    for name, value in _all(sources):
        if name in found:
            raise UsageError(f"{name} is given twice; nothing was stored")
        found[name] = _usable(name, value, allow_empty=sources.allow_empty)
    if not found:
        raise UsageError("No secret was given", hint="capsule secret create NAME")
    return found


def _all(sources: Sources) -> Iterator[tuple[str, str]]:
    yield from _from_words(list(sources.words), raw=sources.raw)
    if sources.env_file is not None:
        yield from _from_env_file(sources.env_file)
    for name in sources.from_env:
        yield _checked(name), _from_environment(name)
    if sources.from_json is not None:
        yield from _from_json(sources.from_json)


def _from_words(words: list[str], *, raw: bool) -> Iterator[tuple[str, str]]:
    if len(words) == 2 and words[1] == "-":
        yield _checked(words[0]), _without_newline(_stdin(), raw=raw)
    elif len(words) == 1 and "=" not in words[0]:
        yield _checked(words[0]), _asked(words[0])
    else:
        yield from _from_pairs(words, raw=raw)


def _from_pairs(words: list[str], *, raw: bool) -> Iterator[tuple[str, str]]:
    shown = False
    for number, word in enumerate(words, start=1):
        name, equals, value = word.partition("=")
        if not equals:
            # What stands there may be a value: it is not repeated.
            raise UsageError(f"Argument {number} is not NAME=VALUE", hint="Quote values that contain blanks.")
        name = _checked(name.strip())
        if value.startswith("@@"):
            value = value[1:]
        elif value.startswith("@"):
            yield name, _without_newline(_file(Path(value[1:]), f"for {name}"), raw=raw)
            continue
        shown = shown or bool(value)
        yield name, value
    if shown:
        output.whisper("Note: values given as arguments stay in your shell's history and are seen by `ps`.")


def _from_env_file(path: Path) -> Iterator[tuple[str, str]]:
    import io

    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    text = _text(path, "--env-file")
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key is not None and binding.value is None):
            raise UsageError(f"Line {binding.original.line} of the --env-file is not NAME=VALUE; nothing was stored")
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    for name, value in values.items():
        yield _checked(name), value or ""


def _from_environment(name: str) -> str:
    if name not in os.environ:
        raise UsageError(f"There is no variable {name} in the environment; nothing was stored")
    return os.environ[name]


def _from_json(path: Path) -> Iterator[tuple[str, str]]:
    import msgspec

    try:
        found = msgspec.json.decode(_text(path, "--from-json"), type=dict[str, str])
    except msgspec.DecodeError:
        # What the decoder says may quote a value.
        raise UsageError('--from-json takes an object of texts, like {"NAME": "VALUE"}; nothing was stored') from None
    for name, value in found.items():
        yield _checked(name), value


def _text(path: Path, what: str) -> str:
    return _decoded(_stdin() if str(path) == "-" else _file(path, what))


def _file(path: Path, what: str) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        # The path itself may be a value that began with an @.
        raise UsageError(
            f"The file {what} cannot be read ({error.strerror}); nothing was stored",
            code="file_not_found",
            hint="A value that begins with @ is written with two: NAME=@@VALUE",
        ) from None


def _stdin() -> bytes:
    if sys.stdin.isatty():
        raise UsageError("stdin is a terminal", hint="Leave out the '-' to be asked, or pipe the value in.")
    return sys.stdin.buffer.read()


def _without_newline(content: bytes, *, raw: bool) -> str:
    """Text without one newline at its end, which editors and ``echo`` put there."""
    text = _decoded(content)
    if raw:
        return text
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise UsageError("The value is not UTF-8 text; nothing was stored") from None


def _asked(name: str) -> str:
    ask.need_terminal(f"Asking for the value of {name}", _WAYS.format(name=name))
    try:
        return hidden.line(f"Value of {name} (hidden): ", f"From a file: capsule secret create {name}=@FILE")
    except EOFError:
        raise UsageError("No value was given; nothing was stored") from None


def _checked(name: str) -> str:
    from cpsl.wire.names import check_secret_name

    return check_secret_name(name)


def _usable(name: str, value: str, *, allow_empty: bool) -> str:
    if not value and not allow_empty:
        raise UsageError(
            f"The value of {name} is empty; nothing was stored",
            code="empty_secret",
            hint="If it is meant to be empty: --allow-empty",
        )
    if "\0" in value:
        raise UsageError(f"The value of {name} contains a NUL byte, which no environment variable can hold")
    return value
