"""The event streams of the API, as flows: turns, app logs, deploys."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import msgspec

from cpsl import errors
from cpsl.client import calls
from cpsl.client.attaching import Attachable, sent
from cpsl.client.flows import Gateway, Subject, follow
from cpsl.client.operations import Answer, Call, Flow, Readable, Received, Request
from cpsl.client.timeouts import Timeout, whole
from cpsl.client.types import StreamChunk
from cpsl.wire import apps
from cpsl.wire.problem import error_for_event
from cpsl.wire.turns import ChatRequest

EVENT_STREAM = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
FINAL_STATES = frozenset({"done", "failed", "cancelled"})

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_decode_line = msgspec.json.Decoder(apps.LogLine).decode
_decode_deploy = msgspec.json.Decoder(apps.DeployEvent).decode


class _Turn:
    """What is known of a turn while its log is read: its id, and the answer so far for errors to carry."""

    def __init__(self, request_id: str | None = None) -> None:
        self.request_id = request_id
        self._pieces: list[str] = []

    def opened(self, head: Answer) -> None:
        self.request_id = self.request_id or head.headers.get("x-turn-id")

    def read(self, received: Received, number: int) -> StreamChunk:
        chunk = StreamChunk(received.event or "message", _decode_object(received.data), number)
        if chunk.event == "started":
            self.request_id = chunk.data.get("request_id") or self.request_id
        if chunk.text:
            self._pieces.append(chunk.text)
        return chunk

    def ending(self, chunk: StreamChunk) -> bool:
        if chunk.event == "error":
            raise self._error(chunk.data)
        return chunk.done

    def _error(self, data: dict[str, Any]) -> errors.CapsuleError:
        error = error_for_event(
            str(data.get("code") or "app_error"),
            str(data.get("message") or "The app failed"),
            data.get("hint"),
            str(data.get("request_id") or self.request_id or ""),
        )
        if isinstance(error, errors.AppError):
            error.partial = "".join(self._pieces)
        return error


def new_turn(
    gateway: Gateway,
    app: str,
    text: str,
    session_id: str | None,
    idempotency_key: str | None,
    timeout: float | Timeout | None = None,
    attachments: Iterable[Attachable] = (),
) -> Flow[None]:
    """Sends a message; emits its turn's StreamChunks. The key makes sending it again safe: it is the same turn."""
    headers = {**EVENT_STREAM, **calls.JSON, "Idempotency-Key": idempotency_key or f"cpsl-{uuid.uuid4().hex}"}
    message = ChatRequest(text, session_id)
    path, plain = f"/app/{calls.segment(app)}/stream", calls.body(message)
    first = Request("POST", path, content=plain, headers=headers, repeatable=True)
    files, limits = list(attachments), whole(timeout)

    def flow() -> Flow[None]:
        request, left = first, limits
        if files:
            begun = gateway.clock()
            message.attachments = yield from sent(gateway.limited(limits), app, files)
            request = replace(first, content=calls.body(message))
            left = limits.after(gateway.clock() - begun)
        yield from _followed(gateway, request, left)

    return flow()


def _followed(gateway: Gateway, first: Request, timeout: Timeout) -> Flow[None]:
    turn = _Turn()

    def resume(number: int) -> Request:
        return _events_after(turn.request_id, number) if turn.request_id else first

    subject = Subject(first, resume, turn.read, turn.ending, opened=turn.opened, timeout=timeout)
    subject.request_id = lambda: turn.request_id
    yield from follow(gateway, subject)


def turn_events(gateway: Gateway, request_id: str, after: int, timeout: float | Timeout | None = None) -> Flow[None]:
    """Emits the StreamChunks of a turn that exists, from number ``after + 1``."""
    turn = _Turn(request_id)
    wanted = calls.turn(request_id)
    subject = Subject(
        first=_events_after(request_id, after),
        resume=lambda number: _events_after(request_id, number),
        read=turn.read,
        ending=turn.ending,
        last=after,
        request_id=lambda: request_id,
        settled=Call(wanted.request, lambda answer: wanted.read(answer).state in FINAL_STATES),
        timeout=whole(timeout),
    )
    return follow(gateway, subject)


def _events_after(request_id: str | None, number: int) -> Request:
    headers = {**EVENT_STREAM, "Last-Event-ID": str(number)}
    path = f"/turns/{calls.segment(request_id or '')}/events"
    return Request("GET", path, {"after": str(number)}, headers=headers, repeatable=True)


def app_log(gateway: Gateway, app: str, limit: int, wanted: apps.LogFilter, after: int) -> Flow[None]:
    """Emits the last ``limit`` wanted LogLines of an app (those after line ``after``), then those that come."""
    path = f"/apps/{calls.segment(app)}/logs"
    chosen = calls.log_query(wanted)

    def request(query: dict[str, str]) -> Request:
        return Request("GET", path, {"follow": "true", **chosen, **query}, headers=EVENT_STREAM, repeatable=True)

    def read(received: Received, number: int) -> apps.LogLine:
        return _decode_line(received.data)

    subject = Subject(
        first=request({"limit": str(limit)}),
        resume=lambda number: request({"after": str(number)}),
        read=read,
        ending=lambda line: False,
        last=after,
    )
    return follow(gateway, subject)


def deploy(
    gateway: Gateway,
    archive: Any,
    entry: str,
    app: str,
    secrets: Iterable[str],
    development: apps.Development | None,
    idempotency_key: str | None = None,
) -> Flow[apps.DeployDone]:
    """Sends an archive; emits the DeployEvents, returns the last. Raises what a DeployError stands for.

    The key makes sending it again safe: it is the same deploy. An archive that can be read only once is sent once.
    """
    headers = {
        **EVENT_STREAM,
        "Content-Type": "application/gzip",
        "Idempotency-Key": idempotency_key or calls.new_key(),
    }
    query = {"entry": entry, "app": app, "secret_names": ",".join(secrets)}
    if development is not None:
        query |= {"dev": "true", "channel_names": ",".join(development.channels)}
        query |= {"take_channels": "true"} if development.take_channels else {}
    gateway, again = gateway.limited(), _is_rereadable(archive)
    silence = gateway.timeout.read  # as on any request: what the stream may be silent counts once it is known
    first = Request("POST", "/deploys", query, archive, headers, repeatable=again, silence=silence)
    return _deployed(gateway, first, "", 0)


def deploy_events(gateway: Gateway, deployment_id: str, after: int) -> Flow[apps.DeployDone]:
    """Emits the DeployEvents of a deploy from number ``after + 1``, of an old one only the last; as ``deploy``."""
    return _deployed(gateway, _deploy_events_after(deployment_id, after), deployment_id, after)


def _is_rereadable(archive: Any) -> bool:
    return isinstance(archive, Iterable) and not isinstance(archive, Iterator | Readable)


def _deployed(gateway: Gateway, first: Request, deployment_id: str, after: int) -> Flow[apps.DeployDone]:
    known, seen = [deployment_id], list[apps.DeployEvent]()

    def opened(head: Answer) -> None:
        if id := head.headers.get("x-deployment-id"):
            known[0] = id
            subject.first = _deploy_events_after(id, after)  # all was received: it need not be sent again

    def ending(event: apps.DeployEvent) -> bool:
        seen[:] = [event]
        return _deploy_ended(event)

    subject = Subject(
        first=first,
        resume=lambda number: _deploy_events_after(known[0], number),
        read=lambda received, number: _decode_deploy(received.data),
        ending=ending,
        last=after,
        opened=opened,
        later=lambda: f"See what became of it: client.deploys.get({known[0]!r})" if known[0] else "Deploy again.",
    )
    yield from follow(gateway, subject)
    done = seen[-1]
    assert isinstance(done, apps.DeployDone)
    return done


def _deploy_events_after(deployment_id: str, number: int) -> Request:
    path = f"/deploys/{calls.segment(deployment_id)}/events"
    return Request("GET", path, {"after": str(number)}, headers=EVENT_STREAM, repeatable=True)


def _deploy_ended(event: apps.DeployEvent) -> bool:
    if isinstance(event, apps.DeployError):
        raise _deploy_failure(event)
    return isinstance(event, apps.DeployDone)


def _deploy_failure(event: apps.DeployError) -> errors.CapsuleError:
    if event.status == errors.Conflict.default_status:
        return errors.Conflict(event.message, code=event.code, hint=event.hint)
    if event.missing:
        return errors.NotFound(event.message, code=event.code, hint=event.hint)
    return errors.DeployFailed(event.message, code=event.code, hint=event.hint, traceback=event.traceback)
