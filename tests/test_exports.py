"""``import cpsl`` shows one flat, sorted list of names, each of which exists, has a docstring and a type."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import cpsl

SOURCE = ast.parse(Path(cpsl.__file__).read_text())


def test_the_list_is_sorted_and_equal_to_the_table() -> None:
    assert cpsl.__all__ == sorted(["__version__", *cpsl._HOME])


def test_type_checkers_see_the_same_names() -> None:
    block = next(node for node in SOURCE.body if isinstance(node, ast.If))
    typed = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed == cpsl._HOME


@pytest.mark.parametrize("name", cpsl.__all__)
def test_each_name_exists_and_says_what_it_is_for(name: str) -> None:
    value = getattr(cpsl, name)
    assert name == "__version__" or inspect.getdoc(value)


@pytest.mark.parametrize("kind", ["Client", "AsyncClient", "App", "Session", "ChatResponse", "FileUpload"])
def test_every_public_method_has_a_docstring(kind: str) -> None:
    undocumented = [
        name
        for name, member in inspect.getmembers(getattr(cpsl, kind))
        if not name.startswith("_") and callable(member) and not inspect.getdoc(member)
    ]
    assert undocumented == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Clinet'"):
        cpsl.Clinet  # noqa: B018


def test_version() -> None:
    assert cpsl.__version__.count(".") == 2
