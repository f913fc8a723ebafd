"""How a line of an app's log looks in a terminal."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from capsule_cli import output

if TYPE_CHECKING:
    from cpsl.wire.apps import LogLine


def shown(line: LogLine) -> str:
    """A line of an app's log, for people."""
    time = datetime.fromtimestamp(line.timestamp).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    version = f"v{line.version}" if line.version else "-"
    return f"{time} {version:<4} {line.level.upper():<7} {output.clean(line.message.rstrip())}"
