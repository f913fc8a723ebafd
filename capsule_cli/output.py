"""The one output sink. Data goes to stdout, talk to stderr; for people or as JSON, declared side by side.

Colour is decided per stream: a terminal, without ``NO_COLOR``, that is not ``TERM=dumb``. For whom it is, ``mode()``
says: coding agents get rows with tabs between and no colour.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

from capsule_cli import fields

MODES = ("human", "agent", "json")
AGENTS = ("CLAUDECODE", "CODEX_SANDBOX", "CURSOR_AGENT", "GEMINI_CLI", "AI_AGENT", "AGENT")
"""Environment variables by which coding agents tell that it is they who run a command."""

_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def clean(text: str) -> str:
    """``text`` without control characters: what others wrote must not steer this terminal."""
    return text.translate(_CONTROLS)


def mode() -> str:
    """For whom to print: ``human``, ``agent`` or ``json``, by ``CAPSULE_OUTPUT``; agents are known by their variables.

    Raises ConfigError (code ``invalid_setting``) for another value.
    """
    wanted = _wanted()
    if wanted not in MODES:
        from cpsl.errors import ConfigError

        raise ConfigError(
            f"CAPSULE_OUTPUT is {wanted!r}", code="invalid_setting", hint=f"Use one of: {', '.join(MODES)}"
        )
    return wanted


def _wanted() -> str:
    chosen = os.environ.get("CAPSULE_OUTPUT", "").strip().lower()
    return chosen or ("agent" if any(os.environ.get(name) for name in AGENTS) else "human")


def coloured(stream: TextIO) -> bool:
    """Whether ``stream`` shows colour."""
    asked = os.environ
    if asked.get("NO_COLOR") or asked.get("TERM") == "dumb" or asked.get("CLICOLOR") == "0":
        return False
    if asked.get("CLICOLOR_FORCE", "0") != "0" or asked.get("FORCE_COLOR", "0") != "0":
        return True
    return stream.isatty() and _wanted() == "human"


def animated(stream: TextIO) -> bool:
    """Whether something may move on ``stream``: a terminal that can, with a person before it, and no CI."""
    still = _hushed or os.environ.get("TERM") == "dumb" or os.environ.get("CI") or mode() != "human"
    return stream.isatty() and not still


def _paint(text: str, code: str, stream: TextIO) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if coloured(stream) else text


def dim(text: str) -> str:
    """``text`` for stderr, less loud."""
    return _paint(text, "2", sys.stderr)


def bold_red(text: str) -> str:
    """``text`` for stderr, as an error begins."""
    return _paint(text, "1;31", sys.stderr)


def green(text: str) -> str:
    """``text`` for stderr, as a success begins."""
    return _paint(text, "32", sys.stderr)


def end_with_reader() -> None:
    """From now on, end quietly as soon as nobody reads stdout any more, also while there is nothing to print.

    Without it ``capsule logs -f | head -1`` would wait for a line that is never written.
    """
    import select
    import stat
    import threading

    if not hasattr(select, "poll"):  # not on Windows
        return
    number = sys.stdout.fileno()
    if not any(kind(os.fstat(number).st_mode) for kind in (stat.S_ISFIFO, stat.S_ISSOCK)):
        return  # a file has no reader that could go
    poll = select.poll()
    poll.register(number, 0)  # a broken pipe is always told

    def wait() -> None:
        poll.poll()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


_hushed = False


@contextmanager
def hush(wanted: bool) -> Iterator[None]:
    """While the block runs nothing is said, if that is ``wanted`` (``-q``). Warnings and errors come all the same."""
    global _hushed
    before, _hushed = _hushed, wanted
    try:
        yield
    finally:
        _hushed = before


def say(message: str = "") -> None:
    """Talk: one line on stderr."""
    if not _hushed:
        warn(message)


def warn(message: str) -> None:
    """What has to be said whatever happens: one line on stderr."""
    print(clean(message), file=sys.stderr, flush=True)


def whisper(message: str) -> None:
    """Talk that may be passed over: one dim line on stderr."""
    if not _hushed:
        print(dim(clean(message)), file=sys.stderr, flush=True)


def done(message: str) -> None:
    """Say that something was done."""
    if not _hushed:
        print(f"{green('✓')} {clean(message)}", file=sys.stderr, flush=True)


def is_unicode(stream: TextIO) -> bool:
    """Whether ``stream`` can show every character."""
    return (stream.encoding or "").lower().replace("-", "").startswith("utf")


def warn_of_isolation(isolation: str) -> None:
    """Say it, every time, when a gateway keeps apps apart by nothing."""
    from cpsl.wire.accounts import NO_ISOLATION

    if isolation == "none":
        warn(f"Warning: {NO_ISOLATION}")


def data(text: str) -> None:
    """Data: one line on stdout."""
    print(text, flush=True)


def when(seconds: float) -> str:
    """A time for people: local, to the minute. ``seconds`` since the epoch."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def size(count: float) -> str:
    """A number of bytes for people, like ``1.4 MiB``."""
    for unit in ("B", "KiB", "MiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


class Output:
    """What one command prints.

    With ``json`` (``fields.ALL``, or names of fields) the same things as JSON; with ``quiet`` only the first column, or
    what was made.
    """

    def __init__(self, *, json: str | None = None, quiet: bool = False) -> None:
        self.json = json
        self.quiet = quiet

    def rows(self, found: Sequence[Any], columns: Mapping[str, Any], *, empty: str) -> None:
        """A list: ``columns`` maps each heading to a function of one item. Nothing is ever cut off.

        As JSON: an array of the items. ``empty`` is said, on stderr, when there is nothing to list.
        """
        if self.json:
            print_json(found, self.json)
        elif not found:
            say(empty)
        elif self.quiet:
            name = next(iter(columns.values()))
            print("\n".join(_one_line(str(name(item))) for item in found), flush=True)
        else:
            print("\n".join(table(list(columns), _cells(found, columns))), flush=True)

    def item(self, found: Any, lines: Mapping[str, Any]) -> None:
        """One thing: ``lines`` maps labels to values; those that are empty are left out. As JSON: the thing itself."""
        if self.json:
            print_json(found, self.json)
        else:
            shown = [[f"{label}:", str(value)] for label, value in lines.items() if value not in ("", None)]
            print("\n".join(align(shown)), flush=True)

    def made(self, message: str, found: Any, name: str, next: str = "") -> None:
        """Something was made: as ``done``, then the ``next`` step; with ``quiet`` nothing but its name, on stdout."""
        if self.quiet and not self.json:
            return data(name)
        self.done(message, found)
        if next and not self.json:
            whisper(f"  {next}")

    def done(self, message: str, found: Any) -> None:
        """Something was done: a line for people, on stderr; or the thing as JSON, on stdout."""
        if self.json:
            print_json(found, self.json)
        else:
            done(message)


def _cells(found: Sequence[Any], columns: Mapping[str, Any]) -> list[list[str]]:
    return [[str(cell(item)) for cell in columns.values()] for item in found]


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table: in columns, but in blocks where a terminal is too narrow, and with tabs for agents.

    Nothing is ever cut off.
    """
    if mode() == "agent":
        return ["\t".join(_one_line(cell) for cell in line) for line in (headings, *rows)]
    lines = align([headings, *rows])
    if not sys.stdout.isatty() or _keeps_rows() or max(map(width, lines)) <= shutil.get_terminal_size().columns:
        return lines
    blocks = [align((f"{name}:", cell) for name, cell in zip(headings, row, strict=True)) for row in rows]
    return [line for block in blocks for line in ("", *block)][1:]


def _keeps_rows() -> bool:
    return os.environ.get("CAPSULE_NO_TRUNCATE", "0") not in ("", "0")


def align(lines: Iterable[Sequence[str]]) -> list[str]:
    """Columns under each other, two blanks apart."""
    cleaned = [[_one_line(cell) for cell in line] for line in lines]
    widths = [max(map(width, column)) for column in zip(*cleaned, strict=True)]
    return [
        "  ".join(_padded(cell, wide) for cell, wide in zip(line, widths, strict=True)).rstrip() for line in cleaned
    ]


def _one_line(cell: str) -> str:
    if cell.isascii():
        return clean(cell).replace("\n", " ").replace("\t", " ")
    from capsule_cli.talk.safe import safe

    return safe(cell).replace("\n", " ").replace("\t", " ")


def _padded(cell: str, columns: int) -> str:
    return cell + " " * (columns - width(cell))


def width(text: str) -> int:
    """How many columns of a terminal ``text`` takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def print_json(value: Any, chosen: str = fields.ALL) -> None:
    """``value`` (structs, mappings, lists) as one line of JSON on stdout; times as ISO 8601 in UTC.

    ``chosen``: which fields, as ``--json`` gave them.
    """
    import json

    # In ASCII JSON has escapes for the rest; a ``?`` in its place would be another value.
    print(json.dumps(fields.pick(_plain(value), chosen), ensure_ascii=not is_unicode(sys.stdout)), flush=True)


def _plain(value: Any) -> Any:
    import msgspec

    return _with_iso_times(msgspec.to_builtins(_whole(value)))


def _whole(value: Any) -> Any:
    """Structs with all their fields, also those that are left out on the wire: who picks one must find it."""
    if hasattr(value, "__struct_fields__"):
        return {name: _whole(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    return value


def _with_iso_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _iso(item) if _is_time(name, item) else _with_iso_times(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_iso_times(item) for item in value]
    return value


def _is_time(name: str, value: Any) -> bool:
    return (name == "timestamp" or name.endswith("_at")) and isinstance(value, int | float)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
