"""The functions of an app. They are kept here and not on the ``App``: no name of theirs replaces a method of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cpsl.app.invalid import invalid
from cpsl.app.types import RequestContext
from cpsl.wire.apps import ACCESS, DataSpec
from cpsl.wire.names import check_resource_name


@dataclass(frozen=True)
class Handler:
    """A function and how many of the offered arguments it takes. ``is_async``: it belongs on the event loop."""

    function: Callable[..., Any]
    takes: int
    is_async: bool

    @classmethod
    def of(cls, decorator: str, function: Callable[..., Any], offered: tuple[str, ...]) -> Handler:
        """Check that ``function`` can be called with ``offered`` arguments or fewer. Raises InvalidRequest."""
        takes = _positional(decorator, function, offered)
        return cls(function, takes, is_async(function))


@dataclass(frozen=True)
class DataHandler:
    """A data handler: its parameters by name, which of them are required, and whether it wants the context."""

    name: str
    access: str
    function: Callable[..., Any]
    is_async: bool
    wants_context: bool
    parameters: frozenset[str]
    required: frozenset[str]
    takes_any: bool

    @classmethod
    def of(cls, name: str, access: str, function: Callable[..., Any]) -> DataHandler:
        """Read the signature of ``function``. Raises InvalidRequest for what cannot be called with text by name."""
        check_resource_name(name, "data_handler")
        if access not in ACCESS:
            raise _wrong(f"access cannot be {access!r}", f"Use one of {', '.join(ACCESS)}")
        parameters = list(_signature(f'@app.data("{name}")', function).parameters.values())
        wants_context = bool(parameters) and _is_context(parameters[0])
        by_name = parameters[1:] if wants_context else parameters
        for parameter in by_name:
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
                raise _wrong(
                    f"The data handler {name!r} takes {parameter} by position",
                    "Parameters of the query come by name: use plain parameters",
                )
        named = [parameter for parameter in by_name if parameter.kind is not parameter.VAR_KEYWORD]
        return cls(
            name=name,
            access=access,
            function=function,
            is_async=is_async(function),
            wants_context=wants_context,
            parameters=frozenset(parameter.name for parameter in named),
            required=frozenset(parameter.name for parameter in named if parameter.default is parameter.empty),
            takes_any=len(named) < len(by_name),
        )

    def spec(self) -> DataSpec:
        """The handler as it travels."""
        return DataSpec(self.name, self.access)


@dataclass
class Handlers:
    """All functions of an app, by what they are for."""

    message: Handler | None = None
    boot: Handler | None = None
    shutdown: Handler | None = None
    enter: Handler | None = None
    exit: Handler | None = None
    data: dict[str, DataHandler] = field(default_factory=dict)

    def add_data(self, handler: DataHandler) -> None:
        """Add a data handler. Raises InvalidRequest when another one has its name."""
        if handler.name in self.data:
            raise _wrong(f"There are two data handlers called {handler.name!r}", "Give each a name of its own")
        self.data[handler.name] = handler


def is_async(function: Callable[..., Any]) -> bool:
    """True when calling ``function`` gives something to await, or to iterate with ``async for``."""
    call = getattr(function, "__call__", None)  # noqa: B004
    kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    return any(kind(function) or kind(call) for kind in kinds)


def _positional(decorator: str, function: Callable[..., Any], offered: tuple[str, ...]) -> int:
    parameters = _signature(decorator, function).parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return len(offered)
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in plain if p.default is p.empty]
    keywords = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if len(needed) > len(offered) or keywords:
        shown = f"({', '.join(offered)})"
        raise _wrong(f"The function of {decorator} needs more than it gets", f"Let it take {shown}")
    return min(len(plain), len(offered))


def _signature(decorator: str, function: Callable[..., Any]) -> inspect.Signature:
    if not callable(function):
        raise _wrong(f"{decorator} stands above {type(function).__name__}", "Put it above a function")
    return inspect.signature(function)


def _is_context(parameter: inspect.Parameter) -> bool:
    annotation = parameter.annotation
    if isinstance(annotation, str):  # from __future__ import annotations
        return parameter.name == "ctx" or annotation.split(".")[-1] == RequestContext.__name__
    return parameter.name == "ctx" or annotation is RequestContext


def _wrong(problem: str, advice: str) -> ValueError:
    return invalid(problem, advice, "invalid_handler")
