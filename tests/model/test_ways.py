"""The way with the fewest bytes, and what a delta's name says."""

from __future__ import annotations

import hashlib
import time
from itertools import pairwise, permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.model.ways import MOST_STEPS, DeltaName, Step, cheapest
from tests.model.samples import examples

DIGESTS = [hashlib.sha256(bytes([number])).hexdigest() for number in range(5)]
A, B, C, D, E = DIGESTS


def delta(old: str, new: str, size: int) -> Step:
    return Step("t", f"{old[:4]}-{new[:4]}", size, old[:12], new)


def whole(new: str, size: int) -> Step:
    return Step("t", "whole", size, "", new)


def test_one_delta_is_taken_where_it_is_the_smallest() -> None:
    direct = delta(A, C, 5)
    assert cheapest([whole(C, 100), delta(A, B, 3), delta(B, C, 3), direct], A, C) == (direct,)


def test_several_are_taken_where_they_are_smaller_together() -> None:
    first, second = delta(A, B, 3), delta(B, C, 3)
    assert cheapest([whole(C, 100), first, second, delta(A, C, 7)], A, C) == (first, second)


def test_of_as_many_bytes_the_fewest_steps_are_taken() -> None:
    direct = delta(A, C, 6)
    assert cheapest([delta(A, B, 3), delta(B, C, 3), direct], A, C) == (direct,)


def test_the_archive_itself_is_taken_where_no_delta_fits_or_they_are_larger() -> None:
    itself = whole(C, 10)
    assert cheapest([itself, delta(B, C, 1)], A, C) == (itself,)
    assert cheapest([itself, delta(A, C, 11)], A, C) == (itself,)


def test_a_way_has_only_so_many_steps() -> None:
    """Each writes the archive once more: a release with thousands of tiny deltas in a row must not have that done."""
    at = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(MOST_STEPS + 2)]
    row = [delta(old, new, 1) for old, new in pairwise(at)]
    itself = whole(at[-1], 1000)
    assert cheapest([*row, itself], at[1], at[-1]) == tuple(row[1:])
    assert cheapest([*row, itself], at[0], at[-1]) == (itself,)
    short = delta(at[0], at[2], 9)
    assert cheapest([*row, itself, short], at[0], at[-1]) == (short, *row[2:]), "not by the fewest bytes to each"


def test_many_deltas_are_gone_through_at_once() -> None:
    at = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(20_000)]
    steps = [*(delta(old, new, 1) for old, new in pairwise(at)), whole(at[-1], 1000)]
    begun = time.process_time()
    assert cheapest(steps, at[0], at[-1]) == (steps[-1],)
    assert time.process_time() - begun < 1


def test_there_is_no_way_to_what_nothing_makes_and_none_is_needed_to_what_is_there() -> None:
    assert cheapest([delta(A, B, 1)], A, C) is None
    assert cheapest([], A, A) == ()


@st.composite
def graphs(draw: st.DrawFn) -> list[Step]:
    pairs = draw(st.lists(st.sampled_from(list(permutations(DIGESTS, 2))), unique=True, max_size=9))
    sizes = st.integers(0, 20)
    return [delta(old, new, draw(sizes)) for old, new in pairs] + draw(
        st.lists(st.builds(whole, st.just(E), sizes), max_size=1)
    )


@given(graphs())
@settings(max_examples=examples(100), deadline=None)
def test_no_other_way_is_smaller(steps: list[Step]) -> None:
    def every(at: str, seen: frozenset[str]) -> list[int]:
        if at == E:
            return [0]
        return [
            step.size + rest
            for step in steps
            if at.startswith(step.old) and step.new not in seen
            for rest in every(step.new, seen | {step.new})
        ]

    found, sizes = cheapest(steps, A, E), every(A, frozenset({A}))
    assert (found is None) == (not sizes)
    if found is not None:
        assert sum(step.size for step in found) == min(sizes)
        at = A
        for step in found:
            assert at.startswith(step.old)
            at = step.new
        assert at == E


def test_a_deltas_name_tells_what_it_makes_and_of_what() -> None:
    assert DeltaName.parse("a-b.tar.gz.from-0123456789ab.delta") == DeltaName("a-b.tar.gz", "0123456789ab")
    for name in (
        "a.tar.gz",
        "a.from-0123456789ab.delta",
        "a.tar.gz.from-0123.delta",
        "../a.tar.gz.from-0123456789ab.delta",
    ):
        assert DeltaName.parse(name) is None
