"""Requirements files as pip defines them, read where the app is, made fit to be installed on another machine.

What comes out are lines of one requirements file that names no other file: ``-r`` is read in place, and each line of a
``-c`` file becomes a line ``--constraint REQUIREMENT``.
(https://pip.pypa.io/en/stable/reference/requirements-file-format/)
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from cpsl.app.invalid import invalid
from cpsl.errors import InvalidRequest

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_REQUIREMENT = re.compile(rf"{_NAME}\s*(?:\[[^\]]*\])?\s*(?:$|;|@|\(|[<>=!~])")
_DIRECT = re.compile(r"(?:[a-z]+\+)?(?:https?|ssh|git)://", re.IGNORECASE)
_LOCAL = re.compile(r"[^@;]*(?:[/\\]|file:)|[^;]*\.(?:whl|zip|tar\.gz|tar\.bz2)\s*(?:;|$)")
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
_COMMENT = re.compile(r"(?:^|\s+)#.*$")
_PARTS = re.compile(r"\s+(?=--?[a-z])")
_LONG = {"-r": "--requirement", "-c": "--constraint", "-e": "--editable", "-i": "--index-url", "-f": "--find-links"}
_FILES = ("--requirement", "--constraint")
_ADDRESSES = ("--index-url", "--extra-index-url", "--find-links")
_VALUES = ("--no-binary", "--only-binary", "--trusted-host")
_SWITCHES = ("--no-index", "--pre", "--require-hashes")
_WITHOUT_EFFECT = ("--prefer-binary",)


def read(path: Path) -> list[str]:
    """The lines of a requirements file and of those that it names.

    Raises FileNotFoundError for a file that is not there, InvalidRequest (a ValueError, code ``invalid_image``) for a
    line that could not be installed on the gateway's machine.
    """
    return list(_file(path, ()))


def check(items: Iterable[str]) -> list[str]:
    """The same for lines that stand in the app's code. Raises InvalidRequest as ``read`` does."""
    return [line for item in items for line in _line(item, None, ())]


def _file(path: Path, above: tuple[Path, ...]) -> Iterator[str]:
    if path.resolve() in above:
        chain = " -> ".join(step.name for step in (*above, path))
        raise _wrong(f"The requirements file {path.name} leads to itself: {chain}", "Remove one of the -r lines")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _wrong(f"The requirements file {path.name} is not text", "Save it as UTF-8") from None
    for line in _logical_lines(text):
        yield from _line(line, path, (*above, path.resolve()))


def _logical_lines(text: str) -> Iterator[str]:
    """Without comments and blank lines, with continued lines as one. A comment ends a continued line."""
    parts: list[str] = []
    for line in text.splitlines():
        comment = _COMMENT.match(line) is not None
        parts.append(line.removesuffix("\\") if not comment else f" {line}")
        if comment or not line.endswith("\\"):
            yield from _without_comment("".join(parts))
            parts = []
    yield from _without_comment("".join(parts))


def _without_comment(line: str) -> Iterator[str]:
    if left := _COMMENT.sub("", line).strip():
        yield left


def _line(line: str, file: Path | None, above: tuple[Path, ...]) -> Iterator[str]:
    if _VARIABLE.search(line):
        raise _wrong(f"{line!r} names an environment variable", "Write it out, or set up the index at the gateway")
    if line.startswith("-"):
        yield from _option(line, file, above)
    else:
        yield _requirement(line)


def _option(line: str, file: Path | None, above: tuple[Path, ...]) -> Iterator[str]:
    name, value = _name_and_value(line)
    if name in _FILES and value:
        yield from _named_file(name, value, file, above)
    elif (name in _ADDRESSES and _DIRECT.match(value)) or (name in _VALUES and value):
        yield f"{name} {value}"
    elif name in _SWITCHES and not value:
        yield name
    elif name not in _WITHOUT_EFFECT:
        raise _wrong(*_why_not(line, name, value))


def _name_and_value(line: str) -> tuple[str, str]:
    try:
        first, *rest = shlex.split(line)
    except ValueError:
        raise _wrong(f"{line!r} has a quotation mark too few", "Add it") from None
    if first.startswith("--"):
        name, _, value = first.partition("=")
    else:
        name, value = first[:2], first[2:].removeprefix("=")
    return _LONG.get(name, name), " ".join([value, *rest] if value else rest)


def _why_not(line: str, name: str, value: str) -> tuple[str, str]:
    if name == "--editable":
        return (
            f"{line!r} cannot be installed on another machine",
            "Publish the package, or deploy its files with the app",
        )
    if name in _ADDRESSES and value:
        return f"{line!r} names a place on this machine", "Give an address that the gateway can reach"
    return f"{line!r} is not understood", "Leave it out of what the image installs"


def _named_file(name: str, value: str, file: Path | None, above: tuple[Path, ...]) -> Iterator[str]:
    if _DIRECT.match(value):
        raise _wrong(f"{name} {value} is not read from the network", "Save the file beside the app")
    if file is None:
        raise _wrong(f"{name} {value} must stand in a requirements file", f'Write python_packages="{value}"')
    for line in _file(file.parent / value, above):
        if name == "--constraint" and not line.startswith("-"):
            yield f"--constraint {line}"
        else:
            yield line


def _requirement(line: str) -> str:
    requirement, *options = _PARTS.split(line)
    for option in options:
        if not option.startswith("--hash="):
            raise _wrong(f"{option!r} of {requirement!r} is not understood", "Leave it out")
    named = _REQUIREMENT.match(requirement)
    address = requirement[named.end() :].strip() if named and named[0].endswith("@") else ""
    if not _DIRECT.match(address or requirement):
        if address or _LOCAL.match(requirement):
            raise _wrong(
                f"{requirement!r} is a place on this machine", "Publish the package, or deploy it with the app"
            )
        if not named:
            raise _wrong(f"{requirement!r} is no requirement", 'Write it like "openai>=1"')
    return " ".join([requirement, *options])


def _wrong(problem: str, advice: str) -> InvalidRequest:
    return invalid(problem, advice, "invalid_image")
