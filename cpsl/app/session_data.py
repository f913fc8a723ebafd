"""``session.data``: a dict that lives as long as the session. Changes, nested ones too, are found by comparing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cpsl.app.plain import plain
from cpsl.errors import InvalidRequest

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class SessionData(dict[str, Any]):
    """What an app keeps about a session; saved when the handler ends, also when it raises."""

    def __init__(self, stored: Mapping[str, Any]) -> None:
        super().__init__(stored)
        self._saved = {key: _encode(value) for key, value in stored.items()}

    async def set(self, key: str, value: Any) -> None:
        """Set a key. Raises InvalidRequest (code ``not_storable``) at once for a value that cannot be stored."""
        self[key] = plain(value, f"session.data[{key!r}]")

    def changed(self) -> tuple[dict[str, Any] | None, InvalidRequest | None]:
        """All that is to be stored, or None if nothing changed; and what is wrong with a value that cannot be.

        Such a value does not take the others with it: its key keeps what was stored before.
        """
        values: dict[str, Any] = {}
        problem: InvalidRequest | None = None
        for key, value in self.items():
            try:
                values[str(key)] = plain(value, f"session.data[{key!r}]")
            except InvalidRequest as error:
                problem = error
                if key in self._saved:
                    values[key] = msgspec.msgpack.decode(self._saved[key])
        encoded = {key: _encode(value) for key, value in values.items()}
        return (values if encoded != self._saved else None), problem
