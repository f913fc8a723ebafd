"""The collections of an app under test, in memory."""

from __future__ import annotations

from typing import Any

from cpsl.errors import Conflict, InvalidRequest
from cpsl.wire import filters, frames
from cpsl.wire.ids import new_id

Document = dict[str, Any]
Question = frames.Insert | frames.Find | frames.Update | frames.Delete | frames.Count


class Documents:
    """Documents by collection, for those of scope ``session`` by session, and of ``user`` by user.

    ``scopes``: of each collection.
    """

    def __init__(self, scopes: dict[str, str]) -> None:
        self._scopes = scopes
        self._shelves: dict[tuple[str, str], list[Document]] = {}

    def shelf(self, collection: str, session_id: str = "", user: str = "") -> list[Document]:
        """The documents of a collection, as they are kept. Raises InvalidRequest for one that is not declared."""
        if collection not in self._scopes:
            raise InvalidRequest(f"the app does not declare a collection {collection!r}", code="unknown_collection")
        key = {"session": session_id, "user": user}.get(self._scopes[collection], "")
        return self._shelves.setdefault((collection, key), [])

    def answer(self, question: Question, user: str) -> Any:
        """Raises InvalidRequest for a filter that is none, Conflict (``document_exists``)."""
        shelf = self.shelf(question.collection, question.session_id, user)
        if isinstance(question, frames.Insert):
            return [dict(_added(shelf, document)) for document in question.documents]
        filters.check(question.filter)
        found = [document for document in shelf if filters.fits(document, question.filter)]
        match question:
            case frames.Find():
                end = question.skip + question.limit if question.limit else None
                return [dict(each) for each in filters.ordered(found, question.sort)[question.skip : end]]
            case frames.Update():
                return _updated(shelf, found[:1], question.set)
            case frames.Delete():
                for document in found[:1]:
                    shelf.remove(document)
                return {"deleted": len(found[:1])}
        return len(found)


def _added(shelf: list[Document], document: Document) -> Document:
    kept = {**document, "_id": document.get("_id") or new_id("doc")}
    if any(each["_id"] == kept["_id"] for each in shelf):
        raise Conflict(
            f"there is a document {kept['_id']!r} already",
            code="document_exists",
            hint="Update it, or insert it without an _id: it then gets one of its own.",
        )
    shelf.append(kept)
    return kept


def _updated(shelf: list[Document], found: list[Document], values: Document) -> dict[str, int]:
    modified = 0
    for document in found:
        changed = {**filters.with_values(document, values), "_id": document["_id"]}
        modified += changed != document
        shelf[shelf.index(document)] = changed
    return {"matched": len(found), "modified": modified}
