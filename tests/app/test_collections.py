from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

import cpsl
from cpsl.app import host
from cpsl.app.session import enter_session
from cpsl.wire import frames
from tests.app.recorder import Recorder, session


@pytest.fixture
def bridge() -> Iterator[Recorder]:
    recorder = Recorder(
        {
            frames.Insert: lambda question: [{**row, "_id": str(n)} for n, row in enumerate(question.documents)],
            frames.Find: [{"_id": "1", "state": "open"}],
            frames.Update: {"matched": 1, "modified": 1},
            frames.Delete: {"deleted": 1},
            frames.Count: 7,
        }
    )
    host.use(recorder)
    yield recorder
    host.use(None)


notes: Any = cpsl.App("demo").collection("notes")
run = asyncio.run


def test_questions_and_answers(bridge: Recorder) -> None:
    when = datetime(2026, 1, 2, tzinfo=UTC)
    assert run(notes.insert_one({"at": when, "id": "n1"})) == {"at": "2026-01-02T00:00:00Z", "_id": "0", "id": "0"}
    assert run(notes.insert_many([])) == []
    assert run(notes.find({"id": "1"}, limit=50, skip=1, sort={"state": -1})) == [
        {"_id": "1", "state": "open", "id": "1"}
    ]
    assert run(notes.find_one({"age": {"$gte": 3, "$lt": 9}})) is not None
    assert run(notes.update_one({"id": "1"}, {"state": "done"})) == {"matched": 1, "modified": 1}
    run(notes.update_one({}, {"$set": {"state": "done"}}))
    assert run(notes.delete_one({"state": {"$in": ["done"]}})) == {"deleted": 1}
    assert run(notes.count()) == 7
    assert bridge.questions == [
        frames.Insert("notes", [{"at": "2026-01-02T00:00:00Z", "_id": "n1"}]),
        frames.Find("notes", {"_id": "1"}, {"state": -1}, 50, 1),
        frames.Find("notes", {"age": {"$gte": 3, "$lt": 9}}, limit=1),
        frames.Update("notes", {"_id": "1"}, {"state": "done"}),
        frames.Update("notes", {}, {"state": "done"}),
        frames.Delete("notes", {"state": {"$in": ["done"]}}),
        frames.Count("notes"),
    ]


Use = Callable[[], Coroutine[Any, Any, Any]]
WRONG: list[Use] = [
    lambda: notes.find("open"),
    lambda: notes.find({"$where": "1"}),
    lambda: notes.find({"age": {"$regex": "x"}}),
    lambda: notes.find({"age": {"$gt": 1, "x": 2}}),
    lambda: notes.find({"age": {"$in": "abc"}}),
    lambda: notes.find(sort={"age": 2}),
    lambda: notes.find(limit=-1),
    lambda: notes.insert_one(["x"]),
    lambda: notes.insert_one({"x": object()}),
    lambda: notes.update_one({}, {}),
    lambda: notes.update_one({}, {"$inc": {"a": 1}}),
    lambda: notes.update_one({}, {"$set": {"a": 1}, "b": 2}),
    lambda: notes.update_one({}, {"id": "2"}),
]


@pytest.mark.parametrize("use", WRONG)
def test_what_cannot_be_right_is_not_even_asked(bridge: Recorder, use: Use) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        run(use())
    assert bridge.questions == []


def test_outside_of_a_runtime_it_says_so() -> None:
    with pytest.raises(cpsl.InvalidRequest, match="needs a running app"):
        run(notes.count())


def test_a_session_scope_needs_a_session(bridge: Recorder) -> None:
    app = cpsl.App("demo")
    mine = app.collection("mine", scope="session")
    with pytest.raises(ValueError, match="belongs to a session"):
        run(mine.count())
    current = session(bridge, app)

    async def inside() -> int:
        enter_session(current)
        return await current.db.mine.count() + await current.collections["mine"].count()

    assert run(inside()) == 14
    assert bridge.questions == [frames.Count("mine", {}, "ses_1")] * 2
    with pytest.raises(AttributeError, match="nope"):
        _ = current.db.nope
