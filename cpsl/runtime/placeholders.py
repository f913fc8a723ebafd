"""Stand-ins for packages that are not here yet, so that an app can say what it declares before its image is built.

A deploy has to know the app's image before it can import the app in it. While it only looks, ``import numpy`` gives a
module whose every name is a ``Placeholder``; nothing that it does is real, and no handler runs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class Placeholder:
    """Whatever is done with it gives another one; as a decorator it gives the function back."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Placeholder(f"{self.__name__}.{name}")

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if len(arguments) == 1 and not named and callable(arguments[0]) and not isinstance(arguments[0], Placeholder):
            return arguments[0]
        return Placeholder(f"{self.__name__}()")

    def __getitem__(self, key: Any) -> Any:
        return Placeholder(f"{self.__name__}[]")

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def __or__(self, other: Any) -> Any:
        return self

    __ror__ = __or__

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return ()

    def __repr__(self) -> str:
        return f"<placeholder {self.__name__}>"


class _Module(ModuleType):
    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Placeholder(f"{self.__name__}.{name}")


class _Finder(MetaPathFinder, Loader):
    """Asked last, after everything that could really find a module."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parent = fullname.rpartition(".")[0]
        if parent and not isinstance(sys.modules.get(parent), _Module):
            return None  # a part that a real package does not have is a mistake
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        return None


def install() -> None:
    """From now on, what cannot be found is a placeholder."""
    sys.meta_path.append(_Finder())
