"""The one output sink. Data goes to stdout, talk to stderr; for people or as JSON, declared side by side.

Colour is decided per stream: a terminal, without ``NO_COLOR``, that is not ``TERM=dumb``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def clean(text: str) -> str:
    """``text`` without control characters: what others wrote must not steer this terminal."""
    return text.translate(_CONTROLS)


def coloured(stream: TextIO) -> bool:
    """Whether ``stream`` shows colour."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


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
    import threading

    if not hasattr(select, "poll"):  # not on Windows
        return
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # a broken pipe is always told

    def wait() -> None:
        poll.poll()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def say(message: str = "") -> None:
    """Talk: one line on stderr."""
    print(clean(message), file=sys.stderr, flush=True)


def whisper(message: str) -> None:
    """Talk that may be passed over: one dim line on stderr."""
    print(dim(clean(message)), file=sys.stderr, flush=True)


def done(message: str) -> None:
    """Say that something was done."""
    print(f"{green(_mark())} {clean(message)}", file=sys.stderr, flush=True)


def _mark() -> str:
    return "✓" if is_unicode(sys.stderr) else "*"


def is_unicode(stream: TextIO) -> bool:
    """Whether ``stream`` can show every character."""
    return (stream.encoding or "").lower().replace("-", "").startswith("utf")


def warn_of_isolation(isolation: str) -> None:
    """Say it, every time, when a gateway keeps apps apart by nothing."""
    from cpsl.wire.accounts import NO_ISOLATION

    if isolation == "none":
        say(f"Warning: {NO_ISOLATION}")


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
    """What one command prints: ``Output(json=True)`` prints the same things as JSON."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json

    def rows(self, found: Sequence[Any], columns: Mapping[str, Any], *, empty: str) -> None:
        """A list: ``columns`` maps each heading to a function of one item. Nothing is ever cut off.

        As JSON: an array of the items. ``empty`` is said, on stderr, when there is nothing to list.
        """
        if self.json:
            print_json(found)
        elif not found:
            say(empty)
        else:
            lines = [
                list(columns),
                *([str(cell(item)) for cell in columns.values()] for item in found),
            ]
            print("\n".join(align(lines)), flush=True)

    def item(self, found: Any, lines: Mapping[str, Any]) -> None:
        """One thing: ``lines`` maps labels to values; those that are empty are left out. As JSON: the thing itself."""
        if self.json:
            print_json(found)
        else:
            shown = [[f"{label}:", str(value)] for label, value in lines.items() if value not in ("", None)]
            print("\n".join(align(shown)), flush=True)

    def done(self, message: str, found: Any) -> None:
        """Something was done: a line for people, on stderr; or the thing as JSON, on stdout."""
        if self.json:
            print_json(found)
        else:
            done(message)


def align(lines: Iterable[Sequence[str]]) -> list[str]:
    """Columns under each other, two blanks apart."""
    cleaned = [[clean(cell).replace("\n", " ") for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*cleaned, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cleaned]


def print_json(value: Any) -> None:
    """``value`` (structs, mappings, lists) as one line of JSON on stdout; times as ISO 8601 in UTC."""
    import json

    print(json.dumps(_plain(value), ensure_ascii=False), flush=True)


def _plain(value: Any) -> Any:
    import msgspec

    return _with_iso_times(msgspec.to_builtins(value))


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
