"""What the app of one process asks: answered side by side, but never more than a few at once."""

from __future__ import annotations

import asyncio
import logging

from cpsl.engine.local.link import Link
from cpsl.engine.protocol import Answer
from cpsl.errors import CapsuleError
from cpsl.wire import frames

log = logging.getLogger("cpsl.engine")
_AT_ONCE = 16
_MOST_PROMPTS = 100


class Questions:
    """Answers over ``link`` what ``answer`` knows. Who asks much has to wait, and so has all that it sends."""

    def __init__(self, link: Link, answer: Answer) -> None:
        self._link = link
        self._ask = answer
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._prompts = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, call: frames.Call) -> None:
        """Begin to answer; returns when another may come. A prompt, which waits for a person, keeps none waiting."""
        if isinstance(call.question, frames.OpenPrompt):
            return self._begin_prompt(call)
        await self._free.acquire()
        self._begin(call).add_done_callback(lambda _: self._free.release())
        return None

    def _begin_prompt(self, call: frames.Call) -> None:
        if self._prompts >= _MOST_PROMPTS:
            error = frames.CallError("too_many_prompts", f"the app waits for {_MOST_PROMPTS} prompts already")
            return self._link.send(frames.Result(call.call_id, error=error))
        self._prompts += 1
        return self._begin(call).add_done_callback(lambda _: self._prompt_ended())

    def _prompt_ended(self) -> None:
        self._prompts -= 1

    def _begin(self, call: frames.Call) -> asyncio.Task[None]:
        task = asyncio.create_task(self._answer(call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _answer(self, call: frames.Call) -> None:
        result = await self._result(call)
        try:
            self._link.send(result)
        except ValueError as error:
            message = f"the answer is too large: {error}"
            too_large = frames.CallError("answer_too_large", message, "Ask for less at once.")
            self._link.send(frames.Result(call.call_id, error=too_large))
        await self._link.drained()

    async def _result(self, call: frames.Call) -> frames.Result:
        try:
            return frames.Result(call.call_id, await self._ask(call.question))
        except CapsuleError as error:
            return frames.Result(call.call_id, error=frames.CallError(error.code, error.message, error.hint))
        except Exception:
            log.exception("a question of an app could not be answered")
            failure = frames.CallError("internal_error", "the gateway failed to answer the app")
            return frames.Result(call.call_id, error=failure)
