"""A turn's events as parts: whoever watches, reloads or comes back at any point ends up with the same conversation."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from cpsl.gateway.web.markdown import TURNING
from cpsl.gateway.web.parts import Fold
from cpsl.wire.events import Block, Chunk, Done, Error, Event, Prompt, PromptClosed, PromptField, Reply, Started, Status

TURN = "trn_1"
TEXTS = [
    "Hello ",
    "**bo",
    "ld**\n\n",
    "```py\nx = 1\n",
    "\n\ny = 2\n```\n\n",
    "- a\n\n",
    "- b\n\nend",
    "|a|\n|-|\n",
    "\n",
]
BODIES: list[Event] = [
    *(Chunk(text) for text in TEXTS),
    Chunk("\n\n", separator=True),
    Reply(1),
    Status("Working", "hard"),
    Block("blk_1", "task", {"title": "First"}),
    Block("blk_1", "task", {"title": "First, done"}),
    Block("blk_2", "integration_prompt", {"type": "github", "reason": "It helps"}),
    Prompt("prm_1", "form", "", 2e9, integration="aws", fields=[PromptField("region", "Region", secret=False)]),
    PromptClosed("prm_1", "answered"),
    Prompt("prm_2", "file", "A file, please", 2e9, accept=".csv", max_bytes=1000),
    PromptClosed("prm_2", "declined"),
]
ENDS: list[Event] = [Done(TURN, "ses_1"), Error("cancelled", "The turn was cancelled.", TURN), Error("x", "Oh.", TURN)]
logs = st.tuples(st.lists(st.sampled_from(BODIES), max_size=25), st.sampled_from(ENDS)).map(
    lambda drawn: [Started(TURN, "ses_1", 1), *drawn[0], drawn[1]]
)


def folded(events: list[Event]) -> Fold:
    fold = Fold(TURN, "/a/app")
    fold.take(events)
    return fold


def parts(events: list[Event]) -> dict[str, str]:
    """The parts of the transcript, in order."""
    return {part.id: part.html() for part in folded(events).fresh()}


@settings(max_examples=150)
@given(logs, st.data())
def test_a_page_that_comes_back_at_any_point_shows_what_the_transcript_shows(
    events: list[Event], data: st.DataObject
) -> None:
    loaded, *reads = sorted(data.draw(st.lists(st.integers(0, len(events)), min_size=1, max_size=6)))
    page, known = parts(events[:loaded]), loaded
    for read in [*reads, len(events)]:
        fold = folded(events[:known])  # a connection of its own, as after each loss of one
        fold.fresh()
        fold.take(events[known:read])
        page |= {part.id: part.html() for part in fold.fresh()}
        known = read
    assert page == parts(events)
    assert list(page) == list(parts(events))


@settings(max_examples=100)
@given(logs)
def test_one_that_watches_all_along_gets_each_finished_part_once(events: list[Event]) -> None:
    fold, page, sent = Fold(TURN, "/a/app"), {}, []
    for event in events:
        fold.take([event])
        for part in fold.fresh():
            page[part.id] = part.html()
            sent.append(part.id)
    assert page == parts(events)
    assert list(page) == list(parts(events))
    assert len(set(re.findall(r' id="([^"]+)"', "".join(page.values())))) >= len(page)


def test_states_follow_the_events() -> None:
    fold = Fold(TURN, "")
    seen = [fold.state]
    events: list[Event] = [
        Started(TURN, "ses_1", 1),
        Status("Waiting for the message before this one to be answered"),
        Status("The message before this one is answered"),
        Chunk("hi"),
        Prompt("prm_1", "integration", "Why", 2e9, integration="github", scopes=["repo"]),
        Chunk("more"),
        PromptClosed("prm_1", "expired"),
        Done(TURN, "ses_1"),
    ]
    for event in events:
        fold.take([event])
        seen.append(fold.state)
    assert seen == ["queued", "answering", "queued", *["answering"] * 2, *["waiting"] * 2, "answering", "done"]


def test_a_card_stands_where_it_came_between_the_words_around_it() -> None:
    shown = parts([Chunk("before"), Block("blk_1", "image", {"url": "https://x.example/a.png"}), Chunk("after")])
    assert list(shown) == ["trn_1-1", "trn_1-2", "trn_1-3"]
    assert ["before" in html for html in shown.values()] == [True, False, False]
    assert "https://x.example/a.png" in shown["trn_1-2"]
    assert "<img" not in shown["trn_1-2"]


def test_a_prompt_that_is_closed_offers_nothing_any_more() -> None:
    asked = Prompt("prm_1", "form", "", 2e9, integration="aws", fields=[PromptField("secret_access_key", "Secret")])
    (waiting,) = parts([asked]).values()
    assert 'type="password"' in waiting
    assert "data-skip" in waiting
    assert 'class="card waiting"' in waiting
    (closed,) = parts([asked, PromptClosed("prm_1", "answered")]).values()
    assert "<input" not in closed
    assert "<button" not in closed
    assert "Connected" in closed


def test_a_card_that_nobody_has_to_answer_leads_to_the_apps_own_page() -> None:
    (card,) = parts([Block("b", "integration_prompt", {"type": "github", "link": "https://evil.example"})]).values()
    assert 'href="/a/app/connect/github"' in card
    assert 'class="card optional"' in card
    assert "evil" not in card


@settings(max_examples=100)
@given(
    st.sampled_from(["image", "integration_prompt", "checkout", "task", "<b>", "x" * 1000]),
    st.dictionaries(
        st.sampled_from(["url", "link", "type", "title", "alt", "width", "reason", "x", "<script>"]),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(),
            st.text(max_size=20),
            st.lists(st.text(max_size=3)),
            st.sampled_from(
                [
                    "javascript:alert(1)",
                    "data:image/svg+xml,<svg>",
                    '"><script>',
                    "https://[x",
                    "//evil",
                    "a\u202eb\u2066",
                ]
            ),
        ),
    ),
)
def test_no_payload_breaks_a_card_or_out_of_it(kind: str, payload: dict[str, object]) -> None:
    (html,) = parts([Block("b", kind, payload)]).values()
    assert "<script" not in html
    assert not TURNING.search(html)
    assert not re.search(
        r'(?:href|src)="(?!https?://|/a/app/connect/|#icon-|data:image/(?:png|jpeg|gif|webp|avif);)', html
    )
