"""What an app wrote, made safe for a terminal: nothing in it steers the screen or turns the text around."""

from __future__ import annotations

from capsule_cli import output

_TURNING = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SHOWN = {code: f"\\u{code:04x}" for code in _TURNING}


def safe(text: str) -> str:
    """``text`` without control characters; those that change the direction of writing are shown as escapes."""
    return output.clean(text).translate(_SHOWN)
