"""JSON bodies, read strictly: what two programs could understand differently is refused (RFC 8259 §4, §8)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from litestar import Request

from cpsl.errors import InvalidRequest


class StrictRequest(Request[Any, Any, Any]):
    """A request whose ``json`` is read by ``read_json``."""

    async def json(self) -> Any:
        """The body as plain Python values. Raises InvalidRequest."""
        return read_json(await self.body())


def read_json(body: bytes) -> Any:
    """Parse a body: UTF-8 without a mark, no NaN, no name twice in an object, not too deep.

    Raises InvalidRequest (code ``invalid_json``, status 400), which quotes nothing of the body.
    """
    try:
        value = msgspec.json.decode(body)
        _strict.decode(body.decode())  # the fast parser takes the last of two equal names
    except RecursionError:
        raise _invalid("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise _invalid("it is not UTF-8") from None
    except msgspec.DecodeError as error:
        raise _invalid(str(error)) from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise _invalid("an object has the same name twice")


def _invalid(why: str) -> InvalidRequest:
    return InvalidRequest(f"the request's body cannot be read: {why}", code="invalid_json", status=400)


_strict = json.JSONDecoder(object_pairs_hook=_once)
