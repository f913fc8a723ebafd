"""What a runtime sent, as a frame: it may hold anything, for an app can write to its link by itself."""

from __future__ import annotations

import gc
from typing import Any

import msgspec

from cpsl.wire import frames
from cpsl.wire.events import AppEvent, Block

_SMALL_BYTES = 64 * 1024


class _FileCall(msgspec.Struct, tag="call", tag_field="t"):
    """A ``Call`` that may be large, for what it holds has a fixed shape."""

    call_id: int
    question: frames.StoreFile


_loose: msgspec.msgpack.Decoder[frames.ToGateway] = msgspec.msgpack.Decoder(frames.ToGateway)
_large: msgspec.msgpack.Decoder[_FileCall | frames.DataResponse]
_large = msgspec.msgpack.Decoder(_FileCall | frames.DataResponse)


def received(body: bytes) -> frames.ToGateway:
    """A frame with nothing in it that is not JSON. Raises ValueError for what is none."""
    try:
        return _plain(_decoded(body))
    except (RecursionError, TypeError) as error:
        raise ValueError(f"a frame holds what is no JSON: {error}") from error


def _decoded(body: bytes) -> frames.ToGateway:
    if len(body) <= _SMALL_BYTES:
        return _loose.decode(body)
    gc.disable()  # to look for garbage among a million new values takes longer than to make them
    try:
        if len(body) <= frames.MAX_LOOSE_BYTES:
            return _loose.decode(body)
        frame = _large.decode(body)
        return frames.Call(frame.call_id, frame.question) if isinstance(frame, _FileCall) else frame
    finally:
        gc.enable()


def _plain(frame: frames.ToGateway) -> frames.ToGateway:
    """The frame without what msgpack can say and JSON cannot: times, bytes, NaN, keys that are no text."""
    match frame:
        case frames.TurnEnded(data=dict()):
            frame.data = _as_json(frame.data)
        case frames.TurnEvents():
            frame.events = [_plain_event(event) for event in frame.events]
    return frame


def _plain_event(event: AppEvent) -> AppEvent:
    if not isinstance(event, Block):
        return event
    return Block(event.id, event.block_type, _as_json(event.payload))


def _as_json(value: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return plain
