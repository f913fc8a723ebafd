"""The API of one app under test for one of its users: messages, turns, prompts, sessions, files, data."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator

import msgspec

from cpsl import errors
from cpsl.testing.host import Host
from cpsl.testing.http import Ask, Reply, Routes, json
from cpsl.testing.turns import Talk, Turn
from cpsl.wire import events, frames, turns
from cpsl.wire.ids import new_id
from cpsl.wire.integrations import Credentials


class Traffic:
    """Answers requests on the loop of ``host``."""

    routes = Routes()

    def __init__(self, host: Host) -> None:
        self._host, self._store = host, host.store

    # --- messages -------------------------------------------------------------------------------------------------

    @routes("POST", "/app/{app}/stream")
    async def stream(self, ask: Ask) -> Reply:
        """Send a message and follow its turn."""
        return self._followed(self._begin(ask), 0)

    @routes("GET", "/turns/{id}/events")
    async def events(self, ask: Ask) -> Reply:
        """Follow a turn."""
        return self._followed(self._store.turn(ask.names[0]), int(ask.query.get("after", "0")))

    def _begin(self, ask: Ask) -> Turn:
        request = msgspec.json.decode(ask.body, type=turns.ChatRequest)
        if not request.text.strip() and not request.attachments:
            raise errors.InvalidRequest("the message is empty", code="empty_message", hint="Say something.")
        attached = [self._attachment(file_id) for file_id in request.attachments]
        told = (request.text, request.session_id, [self._store.file(each.id).content for each in attached])
        key = ask.headers.get("idempotency-key") or new_id("key")
        if key in self._store.keys:
            return self._again(key, told)
        talk = self._store.talk(request.session_id) if request.session_id else self._new_talk(request.text)
        turn = Turn(talk, request.text, attached)
        self._store.keys[key] = told, turn
        self._host.start(turn)
        return turn

    def _again(self, key: str, told: object) -> Turn:
        known, turn = self._store.keys[key]
        if known != told:
            raise errors.InvalidRequest(
                "this Idempotency-Key was used for another message", code="idempotency_key_reused"
            )
        return turn

    def _new_talk(self, text: str) -> Talk:
        talk = Talk(title=text.strip().partition("\n")[0][:80])
        self._store.talks[talk.id] = talk
        return talk

    def _attachment(self, file_id: str) -> turns.Attachment:
        file = self._store.file(file_id)
        url = self._host.file_url(file.id)
        return turns.Attachment(file.id, file.name, file.content_type, len(file.content), url)

    def _followed(self, turn: Turn, after: int) -> Reply:
        return Reply(_sse(turn, after), content_type="text/event-stream", headers={"x-turn-id": turn.id})

    # --- turns and their prompts ----------------------------------------------------------------------------------

    @routes("GET", "/turns/{id}")
    async def turn(self, ask: Ask) -> Reply:
        """How a turn stands."""
        return json(self._store.turn(ask.names[0]).shown(self._host.app.name))

    @routes("POST", "/turns/{id}/cancel")
    async def cancel(self, ask: Ask) -> Reply:
        """End a turn."""
        turn = self._store.turn(ask.names[0])
        if turn.state == "running":
            self._host.tell(frames.CancelTurn(turn.id))
            async for _ in turn.watch(len(turn.log)):
                pass
        return json(turn.shown(self._host.app.name))

    @routes("POST", "/turns/{id}/prompts/{prompt}")
    async def prompt(self, ask: Ask) -> Reply:
        """Fill in a form, or decline."""
        answer = msgspec.json.decode(ask.body, type=turns.PromptAnswer)
        filled = Credentials(token_type="fields", fields=answer.fields)
        result = frames.PromptResult("declined") if answer.declined else frames.PromptResult("answered", filled)
        return self._resolved(ask, result, None if answer.declined else "form")

    @routes("POST", "/turns/{id}/prompts/{prompt}/file")
    async def prompt_file(self, ask: Ask) -> Reply:
        """Give the file that is asked for."""
        kept = self._kept(ask)
        stored = frames.StoredFile(kept.id, kept.name, kept.content_type, kept.size)
        return self._resolved(ask, frames.PromptResult("answered", file=stored), "file")

    def _resolved(self, ask: Ask, result: frames.PromptResult, kind: str | None) -> Reply:
        turn, prompt_id = self._store.turn(ask.names[0]), ask.names[1]
        if prompt_id not in turn.prompts:
            raise errors.Conflict("this prompt was closed already", code="prompt_closed")
        prompt, _ = turn.prompts[prompt_id]
        missing = [each.name for each in prompt.fields if each.required and kind == "form"]
        if result.credentials is not None:
            missing = [name for name in missing if not result.credentials.fields.get(name, "").strip()]
        if kind not in (None, prompt.kind) or missing:
            raise errors.InvalidRequest(
                f"{', '.join(missing)} is missing" if missing else f"this prompt waits for: {prompt.kind}",
                code="invalid_prompt_answer",
            )
        self._host.resolve(turn, prompt_id, result)
        return json(turns.PromptState(prompt_id, result.outcome))

    # --- conversations, files, data -------------------------------------------------------------------------------

    @routes("GET", "/app/{app}/sessions")
    async def sessions(self, ask: Ask) -> Reply:
        """The conversations, newest first."""
        shown = [each.shown(self._host.app.name) for each in reversed(self._store.talks.values())]
        return json(turns.SessionList(shown))

    @routes("GET", "/app/{app}/sessions/{id}")
    async def session(self, ask: Ask) -> Reply:
        """One conversation with its messages."""
        return json(self._store.talk(ask.names[1]).shown(self._host.app.name, whole=True))

    @routes("DELETE", "/app/{app}/sessions/{id}")
    async def delete_session(self, ask: Ask) -> Reply:
        """End a conversation; its exit hook runs."""
        await self._host.end_talk(ask.names[1])
        del self._store.talks[ask.names[1]]
        return Reply(status=204)

    @routes("POST", "/app/{app}/files")
    async def upload(self, ask: Ask) -> Reply:
        """Give a file for a message."""
        return json(self._kept(ask), 201)

    @routes("GET", "/app/{app}/files/{id}")
    async def file(self, ask: Ask) -> Reply:
        """A file that was given, or is shown."""
        return Reply(self._store.file(ask.names[1]).content, content_type="application/octet-stream")

    def _kept(self, ask: Ask) -> turns.Attachment:
        declared = ask.headers.get("content-type", "").partition(";")[0].strip()
        if declared in ("", "application/octet-stream"):
            declared = mimetypes.guess_type(ask.query["name"])[0] or "application/octet-stream"
        return self._host.keep(ask.query["name"], declared, ask.body)

    @routes("GET", "/app/{app}/data/{name}")
    async def data(self, ask: Ask) -> Reply:
        """What a data handler returns."""
        if ask.names[1] not in self._host.app.handlers.data:
            raise errors.NotFound(f"no data handler {ask.names[1]!r}", code="unknown_data_handler")
        response = await self._host.data(ask.names[1], dict(ask.query))
        if (failure := response.failure) is not None:
            if failure.traceback:
                self._host.error(failure.message, failure.traceback)
            kind = errors.AppError if failure.code == "app_error" else errors.InvalidRequest
            raise kind(failure.message, code=failure.code, hint=failure.hint)
        return Reply(response.json)


async def _sse(turn: Turn, after: int) -> AsyncIterator[bytes]:
    async for number, event in turn.watch(after):
        head = f"id: {number}\nevent: {events.type_of(event)}\ndata: "
        yield head.encode() + events.encode(event) + b"\n\n"
