"""Calling the app's functions: async ones on the loop, the others in threads, where they block nobody."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import Any

from cpsl.app.handlers import Handler
from cpsl.runtime.forks import end_if_forked

MAX_THREADS = 64
_pool = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="handler")


async def call(handler: Handler, *offered: Any) -> Any:
    """Call ``handler`` with as many of the ``offered`` arguments as it takes."""
    return await run(handler.is_async, partial(handler.function, *offered[: handler.takes]))


async def run(is_async: bool, function: Callable[[], Any]) -> Any:
    """The result of ``function``, awaited if it has to be. Context variables reach its thread."""
    if not is_async:
        function = partial(copy_context().run, _thread, function)
        result = await asyncio.get_running_loop().run_in_executor(_pool, function)
        return await result if inspect.isawaitable(result) else result
    with _ending_forks():
        result = function()
        return await result if inspect.isawaitable(result) else result


def _thread(function: Callable[[], Any]) -> Any:
    try:
        with _ending_forks():
            return function()
    except StopIteration as error:  # a future cannot hold it
        raise RuntimeError("the handler raised StopIteration") from error


@contextmanager
def _ending_forks() -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        end_if_forked(error)
        raise
    end_if_forked()
