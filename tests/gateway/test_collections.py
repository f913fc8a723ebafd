"""Collections: whose documents they are, which of them fit, and what cannot be done to get at others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpsl.errors import InvalidRequest
from cpsl.wire import filters
from tests.support.bench import code_of, run
from tests.support.gateway import GatewayProcess

DOCUMENT: dict[str, Any] = {
    "name": "Ada",
    "age": 36,
    "tags": ["math", "code"],
    "address": {"city": "London", "zip": None},
    "active": True,
    "score": 1.5,
}


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({}, True),
        ({"name": "Ada"}, True),
        ({"name": "ada"}, False),
        ({"name": {"$eq": "Ada"}}, True),
        ({"name": "Ada", "age": 1}, False),
        ({"age": {"$gt": 35, "$lt": 37}}, True),
        ({"age": {"$gte": 36}}, True),
        ({"age": {"$lte": 35.5}}, False),
        ({"age": {"$gt": "35"}}, False),
        ({"age": {"$ne": 36}}, False),
        ({"age": {"$in": [1, 36]}}, True),
        ({"age": {"$in": []}}, False),
        ({"age": {"$nin": [1, 36]}}, False),
        ({"tags": "math"}, True),
        ({"tags": ["math", "code"]}, True),
        ({"tags": ["code"]}, False),
        ({"tags": {"$in": ["code"]}}, True),
        ({"address.city": "London"}, True),
        ({"address.city.street": "x"}, False),
        ({"address": {"city": "London", "zip": None}}, True),
        ({"address": {"$gt": {}}}, False),
        ({"address": {"$lt": {"city": "Paris"}}}, False),
        ({"address.zip": None}, True),
        ({"missing": None}, True),
        ({"missing": {"$ne": 1}}, True),
        ({"missing": {"$gt": 1}}, False),
        ({"address.zip": {"$gte": None}}, False),
        ({"active": True}, True),
        ({"active": 1}, False),
        ({"active": {"$gt": 0}}, False),
        ({"score": {"$gt": 1}}, True),
        ({"tags": {"$gt": [1]}}, False),
    ],
)
def test_filters(wanted: dict[str, Any], fits: bool) -> None:
    filters.check(wanted)
    assert filters.fits(DOCUMENT, wanted) is fits


@pytest.mark.parametrize(
    "wanted",
    [
        {"$or": [{"a": 1}]},
        {"$where": "1"},
        {"a": {"$regex": "x"}},
        {"a": {"$in": 5}},
        {"a": {"$eq": 1, "b": 2}},
        {"never": 1, "a": {"$regex": "x"}},
        {"a": {"$eq": 1, "$in": 5}},
    ],
)
def test_filters_that_are_none_are_refused_whatever_documents_there_are(wanted: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        filters.check(wanted)
    assert caught.value.code == "invalid_filter"


values = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "a", "b"]))
documents = st.lists(st.dictionaries(st.sampled_from("xyz"), values), max_size=6)
MODEL: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": lambda value, wanted: value > wanted,
    "$gte": lambda value, wanted: value >= wanted,
    "$lt": lambda value, wanted: value < wanted,
    "$lte": lambda value, wanted: value <= wanted,
}


def same(value: Any, wanted: Any) -> bool:
    return type(value) is type(wanted) and value == wanted


@given(documents, st.sampled_from("xyz"), values)
def test_every_document_is_on_one_side(stored: list[dict[str, Any]], field: str, wanted: Any) -> None:
    for document in stored:
        value = document.get(field)
        assert filters.fits(document, {field: wanted}) is same(value, wanted)
        assert filters.fits(document, {field: {"$ne": wanted}}) is not same(value, wanted)
        assert filters.fits(document, {field: {"$in": [wanted]}}) is same(value, wanted)
        for name, compare in MODEL.items():
            comparable = value is not None and type(value) is type(wanted)
            assert filters.fits(document, {field: {name: wanted}}) is bool(comparable and compare(value, wanted))


@given(documents, st.sampled_from([1, -1]))
def test_sorting_loses_nothing_and_is_stable(stored: list[dict[str, Any]], direction: int) -> None:
    rows = [{**document, "n": number} for number, document in enumerate(stored)]
    found = filters.ordered(rows, {"x": direction})
    assert sorted(row["n"] for row in found) == list(range(len(rows)))
    for kind in (int, str):
        column = [row["x"] for row in found if type(row.get("x")) is kind]
        assert column == sorted(column, reverse=direction < 0)


CYCLE = """
    a, b, c = await app.insert_many([{"n": n, "even": n % 2 == 0} for n in (1, 2, 3)])
    found = await app.find({"even": False}, sort={"n": -1})
    page = await app.find(sort={"n": 1}, limit=1, skip=1)
    changed = await app.update_one({"n": {"$gte": 2}, "even": False}, {"$set": {"n": 30}})
    same = await app.update_one({"n": 30}, {"n": 30})
    none = await app.update_one({"n": 99}, {"n": 1})
    deleted = [await app.delete_one({"_id": a["_id"]}) for _ in range(2)]
    left = sorted(row["n"] for row in await app.find())
    one = await app.find_one({"id": c["id"]})
    count = await app.count({"n": {"$in": [2, 30]}})
    for row in await app.find():
        await app.delete_one({"_id": row["_id"]})
    return [row["n"] for row in found], [row["n"] for row in page], changed, same, none, deleted, left, one["n"], count
"""


def test_the_whole_cycle(bench: GatewayProcess) -> None:
    with bench.client() as client:
        found, page, changed, same_again, none, deleted, left, one, count = run(client, CYCLE)
    assert (found, page, left, one, count) == ([3, 1], [2], [2, 30], 30, 2)
    assert changed == {"matched": 1, "modified": 1}
    assert same_again == {"matched": 1, "modified": 0}
    assert none == {"matched": 0, "modified": 0}
    assert deleted == [{"deleted": 1}, {"deleted": 0}]


def test_the_four_scopes_are_apart(bench: GatewayProcess) -> None:
    fill = """
        for name, shelf in dict(app=app, user=user, owner=owner, session=session.db.session_shelf).items():
            await shelf.insert_one({"_id": f"scopes-{name}", "from": MARK})
    """
    look = """
        shelves = dict(app=app, user=user, owner=owner, session=session.db.session_shelf)
        return {name: [row["from"] for row in await shelf.find({"from": {"$in": ["me", "them"]}})]
                for name, shelf in shelves.items()}
    """
    with bench.client() as mine, bench.client(bench.member("scopes@example.com")) as theirs:
        first = mine.chat("workbench", fill.replace("MARK", "'me'").strip().replace("\n        ", "\n")).session_id
        assert run(mine, look, first) == {"app": ["me"], "user": ["me"], "owner": ["me"], "session": ["me"]}
        assert run(mine, look) == {"app": ["me"], "user": ["me"], "owner": ["me"], "session": []}
        assert run(theirs, look) == {"app": ["me"], "user": [], "owner": [], "session": []}
        # The same ids again are no conflict, and tell nothing: they are other documents.
        code = """
            try:
                await app.insert_one({"_id": "scopes-app", "from": "them"})
            except cpsl.Conflict as error:
                await user.insert_one({"_id": "scopes-user", "from": "them"})
                await session.db.session_shelf.insert_one({"_id": "scopes-session", "from": "them"})
                return error.code
        """
        assert run(theirs, code) == "document_exists"
        assert run(theirs, look)["user"] == ["them"]
        assert run(mine, look, first)["user"] == ["me"]
        run(mine, "await app.delete_one({'_id': 'scopes-app'}); return 0")


ATTEMPTS = [
    "user.find({'scope': 'app'})",
    "user.find({'scope_key': {'$ne': 'x'}})",
    "user.find({'_id': {'$ne': ''}})",
    "user.find({'user_id': {'$gte': ''}})",
]


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_no_filter_widens_the_scope(bench: GatewayProcess, attempt: str) -> None:
    with bench.client() as mine, bench.client(bench.member(f"f{ATTEMPTS.index(attempt)}@example.com")) as theirs:
        run(mine, "await user.insert_one({'kept': 'private'}); return 0")
        assert run(theirs, f"return await {attempt}") == []


def test_no_document_moves_into_another_scope(bench: GatewayProcess) -> None:
    code = """
        await user.insert_one({"scope": "app", "scope_key": "", "app_id": "x", "collection": "app_shelf", "moved": 1})
        await user.update_one({"moved": 1}, {"scope_key": "", "collection": "app_shelf"})
        return await app.count({"moved": 1}), await user.count({"moved": 1})
    """
    with bench.client() as mine, bench.client(bench.member("moved@example.com")) as theirs:
        assert run(mine, code) == (0, 1)
        assert run(theirs, "return await user.count({'moved': 1})") == 0


def test_a_session_of_someone_else_cannot_be_named(bench: GatewayProcess) -> None:
    """Not even by an app that speaks with the gateway itself."""
    code = """
        from cpsl.app import host
        from cpsl.wire.frames import Find
        try:
            return await host.current("x").ask(Find("session_shelf", session_id=OTHER))
        except cpsl.CapsuleError as error:
            return error.code
    """
    with bench.client() as mine, bench.client(bench.member("named@example.com")) as theirs:
        session_id = mine.chat("workbench", "await session.db.session_shelf.insert_one({'x': 1}); return 0").session_id
        assert run(theirs, code.replace("OTHER", repr(session_id))) == "no_session"
        assert run(mine, code.replace("OTHER", repr(session_id)))[0]["x"] == 1


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("await cpsl.App('other').collection('nowhere').find()", "unknown_collection"),
        ("await app.insert_one({'big': 'x' * 2_000_000})", "document_too_large"),
        ("await app.insert_one({'_id': 5})", "invalid_document_id"),
        ("await app.insert_one({'_id': 'x' * 1000})", "invalid_document_id"),
        ("await app.insert_one({'_id': {'$ne': 1}})", "invalid_document_id"),
    ],
)
def test_what_is_refused(bench: GatewayProcess, call: str, code: str) -> None:
    with bench.client() as client:
        assert run(client, code_of(call))[1] == code


def test_many_at_once_are_all_or_none(bench: GatewayProcess) -> None:
    code = """
        try:
            await app.insert_many([{"_id": "batch", "batch": 1}, {"_id": "batch", "batch": 1}])
        except cpsl.CapsuleError as error:
            return error.code, await app.count({"batch": 1})
    """
    with bench.client() as client:
        assert run(client, code) == ("document_exists", 0)


def test_values_come_back_as_they_went(bench: GatewayProcess) -> None:
    code = """
        import datetime
        given = {"_id": "ключ/ü 1", "text": "ü\\u2028\\0", "int": 2**53 + 1, "float": 0.1, "none": None,
                 "list": [1, [True, {}]], "dotted.name": 1}
        await user.insert_one(given)
        found = await user.find_one({"_id": given["_id"]})
        await user.update_one({"_id": given["_id"]}, {"nested.inner": 5})
        again = await user.find_one({"nested.inner": 5})
        await user.delete_one({"_id": given["_id"]})
        return {**given, "id": given["_id"]} == found, again and again["nested"]
    """
    with bench.client() as client:
        assert run(client, code) == (True, {"inner": 5})


def test_documents_come_in_the_order_in_which_they_were_added(bench: GatewayProcess) -> None:
    with bench.client() as client:
        code = """
            for name in ("zebra", "ant", "mole"):
                await user.insert_one({"_id": name, "order": True})
            await user.insert_one({"last": True, "order": True})
            found = await user.find({"order": True})
            return [document["_id"] for document in found][:3]
        """
        assert run(client, code) == ["zebra", "ant", "mole"]
