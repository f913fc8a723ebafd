"""Requests and responses of a gateway in memory, and which function answers which."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec


@dataclass
class Ask:
    """A request. ``names`` are the parts of its path that the route leaves open."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    names: tuple[str, ...] = ()


@dataclass
class Reply:
    """A response; a stream of events if its ``body`` comes in pieces."""

    body: bytes | AsyncIterator[bytes] = b""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Any, Ask], Awaitable[Reply]]
H = TypeVar("H", bound=Handler)


class Routes:
    """The methods of a class that answer requests: ``@routes("GET", "/apps/{app}")``."""

    def __init__(self) -> None:
        self._all: list[tuple[str, re.Pattern[str], Handler]] = []

    def __call__(self, method: str, path: str) -> Callable[[H], H]:
        pattern = re.compile(re.sub(r"{\w+}", "([^/]+)", path) + r"\Z")

        def add(handler: H) -> H:
            self._all.append((method, pattern, handler))
            return handler

        return add

    def find(self, ask: Ask) -> Handler | None:
        """What answers ``ask``, which then has its ``names``."""
        for method, pattern, handler in self._all:
            if method == ask.method and (found := pattern.match(ask.path)):
                ask.names = tuple(unquote(name) for name in found.groups())
                return handler
        return None


def json(value: Any, status: int = 200) -> Reply:
    """A response that holds ``value``."""
    return Reply(msgspec.json.encode(value), status)
