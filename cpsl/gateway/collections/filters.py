"""Which documents fit a filter, and in which order: the small part of MongoDB's language that apps use."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from cpsl.errors import InvalidRequest

Document = dict[str, Any]
_MISSING = object()


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    # Values of different types have no order; as in MongoDB, such a comparison just does not fit.
    def fits(value: Any, wanted: Any) -> bool:
        return _kind(value) == _kind(wanted) and compare(value, wanted)

    return fits


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def _equal(value: Any, wanted: Any) -> bool:
    if value is _MISSING:
        return wanted is None
    if isinstance(value, list) and not isinstance(wanted, list):
        return wanted in value
    return bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)


def _among(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, list):
        raise _invalid("$in and $nin take a list")
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
    """Whether a document fits every condition of a filter. Raises InvalidRequest for an operator that is not known."""
    return all(_fits_condition(_value(document, path), condition) for path, condition in wanted.items())


def check(wanted: dict[str, Any]) -> None:
    """Refuse a filter that cannot be evaluated, whatever documents there are. Raises InvalidRequest."""
    fits({}, wanted)
    for path in wanted:
        if path.startswith("$"):
            raise _invalid(f"{path} is not supported at the top of a filter")


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
    if not isinstance(condition, dict) or not any(str(name).startswith("$") for name in condition):
        return False
    for name in condition:
        if name not in _OPERATORS:
            raise _invalid(f"{name!r} is not an operator; there are {', '.join(_OPERATORS)}")
    return True


def _value(document: Any, path: str) -> Any:
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
