"""How a line of an app's log looks in a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from capsule_cli import output

if TYPE_CHECKING:
    from cpsl.wire.apps import LogLine


class Style(NamedTuple):
    """Whether a line shows when it came, and whether that is in UTC or local."""

    timestamps: bool = True
    utc: bool = False


USUAL = Style()
"""With local times."""


def shown(line: LogLine, style: Style = USUAL) -> str:
    """A line of an app's log, for people."""
    time = f"{_time(line.timestamp, utc=style.utc)} " if style.timestamps else ""
    version = f"v{line.version}" if line.version else "-"
    return f"{time}{version:<4} {line.level.upper():<7} {output.clean(line.message.rstrip())}"


def _time(seconds: float, *, utc: bool) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%SZ") if utc else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
