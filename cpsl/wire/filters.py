"""Which documents fit a filter, and in which order: the small part of MongoDB's language that apps use."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from cpsl.errors import InvalidRequest

Document = dict[str, Any]
_MISSING = object()
_WITH_ORDER = ("boolean", "number", "str")


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    # Values of different types have no order, nor have objects, lists and nothing: such a comparison does not fit.
    def fits(value: Any, wanted: Any) -> bool:
        return _kind(value) == _kind(wanted) in _WITH_ORDER and compare(value, wanted)

    return fits


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def _equal(value: Any, wanted: Any) -> bool:
    if value is _MISSING:
        return wanted is None
    if isinstance(value, list) and not isinstance(wanted, list):
        return any(_same(each, wanted) for each in value)
    return _same(value, wanted)


def _same(value: Any, wanted: Any) -> bool:
    return bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)


def _among(value: Any, wanted: Any) -> bool:
    return any(_equal(value, each) for each in wanted)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": _equal,
    "$ne": lambda value, wanted: not _equal(value, wanted),
    "$gt": _ordered(operator.gt),
    "$gte": _ordered(operator.ge),
    "$lt": _ordered(operator.lt),
    "$lte": _ordered(operator.le),
    "$in": _among,
    "$nin": lambda value, wanted: not _among(value, wanted),
}


def fits(document: Document, wanted: dict[str, Any]) -> bool:
    """Whether a document fits every condition of a filter that was checked."""
    return all(_fits_condition(_value(document, path), condition) for path, condition in wanted.items())


def check(wanted: dict[str, Any]) -> None:
    """Refuse a filter that cannot be evaluated, whatever documents there are. Raises InvalidRequest."""
    for path, condition in wanted.items():
        if path.startswith("$"):
            raise _invalid(f"{path} is not supported at the top of a filter")
        if _is_operators(condition):
            _check_operators(condition)


def _check_operators(condition: dict[str, Any]) -> None:
    for name, wanted in condition.items():
        if name not in _OPERATORS:
            raise _invalid(f"{name!r} is not an operator; there are {', '.join(_OPERATORS)}")
        if name in ("$in", "$nin") and not isinstance(wanted, list):
            raise _invalid(f"{name} takes a list")


def ordered(documents: list[Document], sort: dict[str, int]) -> list[Document]:
    """The documents sorted by the fields of ``sort`` (1 up, -1 down), first field first."""
    for path, direction in reversed(sort.items()):
        if direction not in (1, -1):
            raise _invalid(f"sort {path!r} by 1 (up) or -1 (down)")
        documents = sorted(documents, key=lambda each: _rank(_value(each, path)), reverse=direction < 0)
    return documents


def _fits_condition(value: Any, condition: Any) -> bool:
    if not _is_operators(condition):
        return _equal(value, condition)
    return all(_OPERATORS[name](value, wanted) for name, wanted in condition.items())


def _is_operators(condition: Any) -> bool:
    return isinstance(condition, dict) and any(str(name).startswith("$") for name in condition)


def with_values(document: Document, values: dict[str, Any]) -> Document:
    """A copy of ``document`` with ``values`` set; ``"address.city"`` names a field of a field, as in filters."""
    changed = dict(document)
    for path, value in values.items():
        first, dot, rest = path.partition(".")
        if not dot or path in document:
            changed[path] = value
        else:
            inner = changed.get(first)
            changed[first] = with_values(inner if isinstance(inner, dict) else {}, {rest: value})
    return changed


def _value(document: Any, path: str) -> Any:
    if isinstance(document, dict) and path in document:
        return document[path]
    for name in path.split("."):
        if not isinstance(document, dict) or name not in document:
            return _MISSING
        document = document[name]
    return document


def _rank(value: Any) -> tuple[int, Any]:
    # MongoDB's order of types: nothing, numbers, text, the rest.
    if value is _MISSING or value is None:
        return 0, 0
    if isinstance(value, int | float):
        return 1, value
    return (2, value) if isinstance(value, str) else (3, str(value))


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="invalid_filter")
