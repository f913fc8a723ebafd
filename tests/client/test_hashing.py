"""The SHA-256 that is made in a thread is that of all that was given, in its order."""

from __future__ import annotations

import hashlib
import threading
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpsl.client.hashing import Hasher


@given(st.lists(st.tuples(st.sampled_from([0, 1, 1000, 65536, 1 << 20, (2 << 20) + 1]), st.binary(max_size=3))))
def test_it_is_the_digest_of_all_pieces(pieces: list[tuple[int, bytes]]) -> None:
    plain = hashlib.sha256()
    with closing(Hasher()) as hasher:
        for times, letters in pieces:
            piece = (letters * times)[:times]
            hasher.update(piece)
            plain.update(piece)
        assert hasher.hexdigest() == plain.hexdigest()


@pytest.mark.parametrize(("size", "threads"), [(1000, 0), (3 << 20, 1)])
def test_only_what_is_long_has_a_thread_and_it_ends(size: int, threads: int) -> None:
    before = threading.active_count()
    with closing(Hasher()) as hasher:
        hasher.update(bytes(size))
        assert threading.active_count() == before + threads
    assert threading.active_count() == before
