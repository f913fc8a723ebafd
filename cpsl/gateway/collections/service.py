"""Answers the questions that apps ask of their collections.

The scope comes from who asks, never from the question: a document of another user is out of reach, because it is
not among those that are looked at.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select, update

from cpsl.engine.protocol import Place
from cpsl.errors import Conflict, InvalidRequest, TooLarge
from cpsl.gateway.db.database import Database
from cpsl.gateway.db.schema import documents, sessions
from cpsl.wire import filters, frames
from cpsl.wire.apps import AppSpec
from cpsl.wire.ids import new_id

MAX_DOCUMENT_BYTES = 1024 * 1024
_MAX_ID_CHARACTERS = 200
CollectionQuestion = frames.Insert | frames.Find | frames.Update | frames.Delete | frames.Count


class Collections:
    """The documents of all apps."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def answer(self, place: Place, spec: AppSpec, question: CollectionQuestion) -> Any:
        """Raises InvalidRequest for a collection the app does not declare, or a filter that is none."""
        scope = next((each.scope for each in spec.collections if each.name == question.collection), None)
        if scope is None:
            raise InvalidRequest(
                f"the app does not declare a collection {question.collection!r}",
                code="unknown_collection",
                hint=f"Add app.collection({question.collection!r}) to the app.",
            )

        def work(connection: Connection) -> Any:
            shelf = _Shelf(
                connection, place.app_id, question.collection, _scope_key(connection, place, scope, question)
            )
            return shelf.answer(question)

        reads = isinstance(question, frames.Find | frames.Count)
        return await (self._db.read(work) if reads else self._db.write(work))


class _Shelf:
    """The documents of one collection in one scope, inside one transaction."""

    def __init__(self, connection: Connection, app_id: str, collection: str, scope_key: str) -> None:
        self._connection = connection
        self._keys = {"app_id": app_id, "collection": collection, "scope_key": scope_key}
        self._here = [documents.c[name] == value for name, value in self._keys.items()]

    def answer(self, question: CollectionQuestion) -> Any:
        match question:
            case frames.Insert():
                return [self._insert(document) for document in question.documents]
            case frames.Find():
                found = filters.ordered(self._fitting(question.filter), question.sort)
                end = question.skip + question.limit if question.limit else None
                return found[question.skip : end]
            case frames.Update():
                return self._update(question)
            case frames.Delete():
                return self._delete(question)
            case frames.Count():
                return len(self._fitting(question.filter))

    def _insert(self, document: dict[str, Any]) -> dict[str, Any]:
        given = document.get("_id")
        document_id = new_id("doc") if given is None else _checked_id(given)
        kept = {**document, "_id": document_id}
        _check_size(kept)
        if given is not None and self._has(document_id):
            raise Conflict(
                f"there is a document {document_id!r} already",
                code="document_exists",
                hint="Update it, or insert it without an _id: it then gets one of its own.",
            )
        self._connection.execute(documents.insert().values({"id": document_id, "data": kept, **self._keys}))
        return kept

    def _has(self, document_id: str) -> bool:
        query = select(documents.c.id).where(*self._here, documents.c.id == document_id)
        return self._connection.execute(query).first() is not None

    def _update(self, question: frames.Update) -> dict[str, int]:
        found = self._fitting(question.filter)[:1]
        modified = 0
        for document in found:
            changed = {**filters.with_values(document, question.set), "_id": document["_id"]}
            _check_size(changed)
            if changed != document:
                query = update(documents).where(*self._here, documents.c.id == document["_id"])
                self._connection.execute(query.values(data=changed))
                modified += 1
        return {"matched": len(found), "modified": modified}

    def _delete(self, question: frames.Delete) -> dict[str, int]:
        found = self._fitting(question.filter)[:1]
        for document in found:
            self._connection.execute(delete(documents).where(*self._here, documents.c.id == document["_id"]))
        return {"deleted": len(found)}

    def _fitting(self, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        filters.check(wanted)
        query = select(documents.c.data).where(*self._here).order_by(documents.c.position)
        if isinstance(wanted.get("_id"), str):
            query = query.where(documents.c.id == wanted["_id"])
        return [data for data in self._connection.execute(query).scalars() if filters.fits(data, wanted)]


def _scope_key(connection: Connection, place: Place, scope: str, question: CollectionQuestion) -> str:
    if scope == "app":
        return ""
    if scope in ("user", "owner"):
        return f"{scope}/{place.user_id}"
    query = select(sessions.c.id).where(sessions.c.id == question.session_id, sessions.c.app_user_id == place.user_id)
    if connection.execute(query).first() is None:
        raise InvalidRequest(
            f"collection {question.collection!r} belongs to a session",
            code="no_session",
            hint="Use it inside a handler of that session.",
        )
    return f"session/{question.session_id}"


def _checked_id(given: Any) -> str:
    if isinstance(given, str) and 1 <= len(given) <= _MAX_ID_CHARACTERS:
        return given
    raise InvalidRequest(
        f"the _id of a document is text of 1 to {_MAX_ID_CHARACTERS} characters",
        code="invalid_document_id",
        hint="Leave it out to get a new one.",
    )


def _check_size(document: dict[str, Any]) -> None:
    if len(msgspec.json.encode(document)) > MAX_DOCUMENT_BYTES:
        raise TooLarge(f"a document is over {MAX_DOCUMENT_BYTES // 1024**2} MiB", code="document_too_large")
