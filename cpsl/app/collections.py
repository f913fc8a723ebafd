"""Collections: documents that the app keeps, each scope kept apart by the gateway."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from cpsl.app import host
from cpsl.app.invalid import invalid
from cpsl.app.plain import plain
from cpsl.errors import InvalidRequest
from cpsl.wire.apps import CollectionSpec
from cpsl.wire.frames import Count, Delete, Find, Insert, Question, Update
from cpsl.wire.names import check_resource_name

SCOPES = ("app", "user", "owner", "session")
COMPARISONS = frozenset({"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin"})
COLUMN_TYPES = (
    "text", "number", "currency", "date", "link", "file", "email", "status", "tags", "boolean", "score",
)  # fmt: skip

session_id: ContextVar[str] = ContextVar("capsule_session_id", default="")
"""The session that a handler works for: where documents of scope ``session`` belong."""

Document = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """How a field of a collection is shown. Raises InvalidRequest (a ValueError) for an unknown ``type``."""

    key: str
    type: str = "text"
    label: str | None = None
    format: str | None = None

    def __post_init__(self) -> None:
        if self.type not in COLUMN_TYPES:
            raise _invalid(f"A column cannot have the type {self.type!r}", f"Use one of {', '.join(COLUMN_TYPES)}.")


class CollectionRef:
    """A collection, declared with ``app.collection(name, scope=…)``. Works in handlers and hooks, boot included.

    Filters are like MongoDB's: ``{"state": "open", "age": {"$gte": 3}}`` with ``$eq $ne $gt $gte $lt $lte $in $nin``.
    A scope is put on by the gateway: no filter and no document can widen it. Raises InvalidRequest (a ValueError) for
    filters and documents that cannot be right.
    """

    def __init__(self, name: str, scope: str = "app", columns: Iterable[Column] | None = None) -> None:
        self.name = check_resource_name(name, "collection")
        if scope not in SCOPES:
            raise _invalid(f"A collection cannot have the scope {scope!r}", f"Use one of {', '.join(SCOPES)}.")
        self.scope = scope
        self.columns = list(columns or [])

    async def insert_one(self, document: Mapping[str, Any]) -> Document:
        """Add a document; returns it with its ``_id`` (also as ``id``)."""
        return (await self.insert_many([document]))[0]

    async def insert_many(self, documents: Iterable[Mapping[str, Any]]) -> list[Document]:
        """Add documents, all or none; returns them with their ``_id``."""
        rows = [_document(document) for document in documents]
        if not rows:
            return []
        return _rows(await self._ask(Insert(self.name, rows, session_id=self._session())))

    async def find(
        self,
        filter: Mapping[str, Any] | None = None,
        limit: int = 0,
        skip: int = 0,
        sort: Mapping[str, int] | None = None,
    ) -> list[Document]:
        """The documents that fit, at most ``limit`` (0 for all) after ``skip``; ``sort`` is like ``{"age": -1}``."""
        question = Find(
            self.name, _filter(filter), _sort(sort), _natural(limit, "limit"), _natural(skip, "skip"), self._session()
        )
        return _rows(await self._ask(question))

    async def find_one(self, filter: Mapping[str, Any] | None = None) -> Document | None:
        """The first document that fits, or None."""
        found = await self.find(filter, limit=1)
        return found[0] if found else None

    async def update_one(self, filter: Mapping[str, Any], update: Mapping[str, Any]) -> dict[str, int]:
        """Set fields of the first document that fits: ``{"state": "done"}`` or ``{"$set": {…}}``.

        Returns ``{"matched": 0 or 1, "modified": 0 or 1}``.
        """
        question = Update(self.name, _filter(filter), _changes(update), self._session())
        return dict(await self._ask(question))

    async def delete_one(self, filter: Mapping[str, Any]) -> dict[str, int]:
        """Remove the first document that fits. Returns ``{"deleted": 0 or 1}``."""
        return dict(await self._ask(Delete(self.name, _filter(filter), self._session())))

    async def count(self, filter: Mapping[str, Any] | None = None) -> int:
        """How many documents fit."""
        return int(await self._ask(Count(self.name, _filter(filter), self._session())))

    def spec(self) -> CollectionSpec:
        """The collection as it travels."""
        return CollectionSpec(self.name, self.scope)

    async def _ask(self, question: Question) -> Any:
        return await host.current(f"The collection {self.name!r}").ask(question)

    def _session(self) -> str:
        current = session_id.get()
        if self.scope == "session" and not current:
            raise invalid(
                f"The collection {self.name!r} belongs to a session, and there is none here",
                "Use it in a message handler, or declare it with another scope.",
                "no_session",
            )
        return current

    def __repr__(self) -> str:
        return f"CollectionRef({self.name!r}, scope={self.scope!r})"


class Collections(Mapping[str, CollectionRef]):
    """The collections of an app, as ``session.db.notes`` or ``session.collections["notes"]``."""

    def __init__(self, declared: Mapping[str, CollectionRef]) -> None:
        self._declared = declared

    def __getitem__(self, name: str) -> CollectionRef:
        return self._declared[name]

    def __getattr__(self, name: str) -> CollectionRef:
        if name in self._declared:
            return self._declared[name]
        raise AttributeError(f'no collection {name!r}; declare it with app.collection("{name}")')

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)


def _rows(answer: Any) -> list[Document]:
    return [{**row, "id": row.get("_id")} for row in answer]


def _document(document: Mapping[str, Any]) -> Document:
    if not isinstance(document, Mapping):
        raise _invalid(f"A document is a dict, not {type(document).__name__}", 'Write it like {"name": "Ada"}.')
    values = _plain_dict(document, "The document")
    if "id" in values:
        values.setdefault("_id", values["id"])
        del values["id"]
    return values


def _filter(filter: Mapping[str, Any] | None) -> Document:
    if filter is None:
        return {}
    if not isinstance(filter, Mapping):
        raise _invalid(f"A filter is a dict, not {type(filter).__name__}", 'Write it like {"state": "open"}.')
    values = _plain_dict(filter, "The filter")
    if "id" in values:
        values["_id"] = values.pop("id")
    for field, wanted in values.items():
        _check_condition(field, wanted)
    return values


def _check_condition(field: str, wanted: Any) -> None:
    known = ", ".join(sorted(COMPARISONS))
    if field.startswith("$"):
        raise _invalid(f"A filter cannot begin with {field}", f"Name fields, and compare them with {known}.")
    operators = [key for key in wanted if key.startswith("$")] if isinstance(wanted, dict) else []
    if operators and len(operators) < len(wanted):
        raise _invalid(f"The filter of {field!r} mixes operators and fields", f"Use only {known}.")
    for operator in operators:
        if operator not in COMPARISONS:
            raise _invalid(f"The filter of {field!r} has the unknown operator {operator}", f"Use {known}.")
        if operator in ("$in", "$nin") and not isinstance(wanted[operator], list):
            raise _invalid(f"{operator} of {field!r} needs a list", f'Write it like {{"{operator}": [1, 2]}}.')


def _changes(update: Mapping[str, Any]) -> Document:
    operators = [key for key in update if str(key).startswith("$")]
    if not update or (operators and operators != list(update)):
        raise _invalid("An update needs fields to set, or $set alone", 'Write it like {"state": "done"}.')
    if operators and (operators != ["$set"] or not update["$set"]):
        raise _invalid(f"An update cannot have {', '.join(operators)}", 'Write it like {"$set": {"state": "done"}}.')
    changes = _plain_dict(update["$set"] if operators else update, "The update")
    if {"_id", "id"} & changes.keys():
        raise _invalid("An update cannot change the id of a document", "Leave out id and _id.")
    return changes


def _sort(sort: Mapping[str, int] | None) -> dict[str, int]:
    order = dict(sort or {})
    if all(direction in (1, -1) for direction in order.values()):
        return {("_id" if field == "id" else field): direction for field, direction in order.items()}
    raise _invalid("A sort takes 1 (rising) or -1 (falling) for each field", 'Write it like {"age": -1}.')


def _natural(value: int, parameter: str) -> int:
    if isinstance(value, int) and value >= 0:
        return value
    raise _invalid(f"{parameter} cannot be {value!r}", "Use a whole number from 0.")


def _plain_dict(value: Mapping[str, Any], what: str) -> Document:
    values: Document = plain(dict(value), what)
    return values


def _invalid(message: str, hint: str) -> InvalidRequest:
    return invalid(message, hint, "invalid_collection_use")
