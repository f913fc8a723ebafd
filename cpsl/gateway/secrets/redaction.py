"""Keeps the values of secrets out of logs: whatever an app prints, also encoded, becomes ``[secure]``.

It guards against accidents (a debug line, a traceback, a logged request), not against an app that wants its own secrets
to be seen. Values of fewer than 4 characters are left alone: masking them would make logs unreadable.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "[secure]"
SHORTEST = 4
"""Fewest characters that are masked."""

_MOST_FORMS = 4_000
_MOST_VALUES = 1_000
_LITERAL = 64  # of a longer form the first characters are compared, and as many as it has are masked
_PERCENT = re.compile("%[0-9A-F]{2}")


class Redactor:
    """Masks ``values``. One compiled pattern, made when it is first needed; it is never shown, and its size is bounded.

    Of each value it knows the value, its lines, the strings in it if it is JSON, and the usual encodings of all these.
    Over 4,000 forms, whole values come before their parts, and plain ones before encoded ones.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: dict[str, None] = {}
        self._pattern: re.Pattern[str] | None = None
        self.add(values)

    def __repr__(self) -> str:
        return f"Redactor({len(self._values)} values)"

    def add(self, values: Iterable[str]) -> None:
        """Mask these too. Of more than 1,000 values the oldest are forgotten."""
        new = [value for value in values if value not in self._values]
        if not new:
            return
        self._values.update(dict.fromkeys(new))
        for oldest in list(self._values)[:-_MOST_VALUES]:
            del self._values[oldest]
        self._pattern = None

    def clean(self, text: str) -> str:
        """``text`` with every value masked."""
        if not self._values:
            return text
        if self._pattern is None:
            self._pattern = _compiled(self._values)
        return self._pattern.sub(MASK, text)


class Redactions:
    """What is known of each version, by its id: every value that was ever opened for it."""

    def __init__(self) -> None:
        self._of: dict[str, Redactor] = defaultdict(Redactor)

    def of(self, version_id: str) -> Redactor:
        """What masks the secrets of this version."""
        return self._of[version_id]

    def clean(self, version_id: str, text: str) -> str:
        """``text`` of a version, without its secrets."""
        known = self._of.get(version_id)
        return text if known is None else known.clean(text)

    def forget(self, version_ids: Iterable[str]) -> None:
        """These versions are gone."""
        for version_id in version_ids:
            self._of.pop(version_id, None)


def _compiled(values: Iterable[str]) -> re.Pattern[str]:
    """One branch for each first character: a position in the text is given up after one comparison."""
    branches: defaultdict[str, list[str]] = defaultdict(list)
    for form in sorted(_forms(values), key=len, reverse=True):
        branches[form[0]].append(_literal(form[1:]))
    alternatives = [f"{re.escape(first)}(?:{'|'.join(rest)})" for first, rest in branches.items()]
    return re.compile("|".join(alternatives) or r"(?!)", re.DOTALL)


def _literal(form: str) -> str:
    more = len(form) - _LITERAL
    return re.escape(form[:_LITERAL]) + (f".{{0,{more}}}" if more > 0 else "")


def _forms(values: Iterable[str]) -> set[str]:
    whole = list(values)
    parts = [part for value in whole for part in _parts(value)]
    found: set[str] = set()
    for form in _in_order(whole, parts):
        if len(form) >= SHORTEST and not form.isspace():
            found.add(form)
        if len(found) >= _MOST_FORMS:
            break
    return found


def _in_order(whole: list[str], parts: list[str]) -> Iterator[str]:
    yield from whole
    yield from parts
    for part in (*whole, *parts):
        if len(part) >= SHORTEST:
            yield from _encoded(part)


def _parts(value: str) -> Iterator[str]:
    """The lines of a value, and the strings in it if it is JSON."""
    yield from _lines(value)
    if value.lstrip()[:1] in ("{", "[", '"'):
        try:
            document = json.loads(value)
        except (ValueError, RecursionError):
            return
        for leaf in _leaves(document):
            yield leaf
            yield from _lines(leaf)


def _lines(text: str) -> Iterator[str]:
    yield from (line.strip() for line in text.splitlines())


def _leaves(document: Any) -> Iterator[str]:
    waiting = [document]
    while waiting:
        match waiting.pop():
            case str() as leaf:
                yield leaf
            case dict() as members:
                waiting += members.values()
            case list() as items:
                waiting += items


def _encoded(text: str) -> Iterator[str]:
    raw = text.encode("utf-8", "surrogatepass")
    yield from _base64(raw)
    yield from (raw.hex(), raw.hex().upper())
    for quoted in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield from (quoted, _PERCENT.sub(lambda code: code[0].lower(), quoted))
    as_json = json.dumps(text)[1:-1]
    yield from (as_json, as_json.replace("/", "\\/"), json.dumps(text, ensure_ascii=False)[1:-1])
    yield from (repr(text)[1:-1], repr(raw)[2:-1], html.escape(text))


def _base64(raw: bytes) -> Iterator[str]:
    """Alone, with and without padding; and inside of something longer, at each of the three places it may begin."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(raw).decode()
        yield from (whole, whole.rstrip("="))
        for before in range(3):
            # The characters at both ends hold bits of the neighbours too.
            shifted = encode(bytes(before) + raw).decode().rstrip("=")
            end = len(shifted) - (1 if (before + len(raw)) % 3 else 0)
            yield shifted[(0, 2, 3)[before] : end]
