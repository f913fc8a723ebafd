"""Values of the app as plain JSON values: what is stored and sent is what JSON can say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cpsl.errors import InvalidRequest


def plain(value: Any, what: str = "this value") -> Any:
    """``value`` as dicts, lists, text, numbers, booleans and None.

    Dates become ISO 8601, enums their value, bytes base64, dataclasses, structs and pydantic models dicts, sets and
    tuples lists, keys text, NaN and infinity None. Raises InvalidRequest (code ``not_storable``), naming ``what``, for
    anything else.
    """
    return msgspec.json.decode(to_json(value, what))


def to_json(value: Any, what: str) -> bytes:
    """``value`` as JSON, by the rules of ``plain``."""
    try:
        return msgspec.json.encode(value, enc_hook=_convert)
    except (TypeError, ValueError, RecursionError) as error:
        raise _not_storable(what, error) from error


def _convert(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json")
    raise TypeError(f"it holds {type(value).__name__}, which has no form in JSON")


def _not_storable(what: str, error: Exception) -> InvalidRequest:
    reason = "it contains itself" if isinstance(error, RecursionError) else str(error)
    return InvalidRequest(
        f"{what} cannot be stored: {reason}",
        code="not_storable",
        hint="Use dicts, lists, text, numbers, booleans and None.",
    )
