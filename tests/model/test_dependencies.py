from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bundler.model.dependencies import Dependencies
from bundler.model.inventory import Inventory, Item
from tests.model.samples import PROPERTY

NAMES = "abcdefgh"


def inventory(needs: dict[str, str], roots: str = "a") -> Inventory:
    """Items of one byte each, called by one letter; `needs` are letters."""
    items = tuple(Item(name, "wheel", name, "1", size=1, needs=tuple(of)) for name, of in sorted(needs.items()))
    return Inventory("c", "1", "debian 12 amd64", roots=tuple(roots), items=items)


def names(way: tuple[Item, ...]) -> str:
    return "".join(item.name for item in way)


def test_the_way_is_a_shortest_one() -> None:
    graph = Dependencies(inventory({"a": "bc", "b": "d", "c": "ba", "d": "e", "e": "a", "x": "y", "y": ""}))
    assert names(graph.way_to("e")) == "abde"
    assert names(graph.way_to("a")) == "a"
    assert graph.way_to("y") == ()  # nothing that was asked for needs it
    assert graph.steps == {"a": 0, "b": 1, "c": 1, "d": 2, "e": 3}
    assert graph.needed_by["d"] == ("b",)


def test_what_is_not_there_is_needed_by_nothing() -> None:
    graph = Dependencies(inventory({"a": "bz", "b": ""}, roots="aq"))
    assert graph.needs == {"a": ("b",), "b": ()}
    assert graph.way_to("z") == graph.way_to("q") == ()


def test_what_two_need_is_brought_by_neither() -> None:
    graph = Dependencies(inventory({"a": "bc", "b": "dx", "c": "d", "d": "e", "e": "", "x": ""}))
    assert graph.brought == {"a": 6, "b": 2, "c": 1, "d": 2, "e": 1, "x": 1}


def reachable(needs: dict[str, str], roots: str, without: str) -> set[str]:
    seen = {root for root in roots if root != without and root in needs}
    queue = list(seen)
    for at in queue:
        for one in needs[at]:
            if one != without and one in needs and one not in seen:
                seen.add(one)
                queue.append(one)
    return seen


@PROPERTY
@given(
    needs=st.dictionaries(st.sampled_from(NAMES), st.text(NAMES, max_size=4), min_size=1),
    roots=st.text(NAMES, max_size=3),
)
def test_what_would_go_is_what_is_gone_when_it_is_taken_out(needs: dict[str, str], roots: str) -> None:
    graph = Dependencies(inventory(needs, roots))
    there = reachable(needs, roots, "")
    assert graph.steps.keys() == there
    for name in needs:
        gone = len(there - reachable(needs, roots, name)) if name in there else 1
        assert graph.brought[name] == gone, name
        way = graph.way_to(name)
        assert len(way) == graph.steps.get(name, -1) + 1
        assert all(after.name in before.needs for before, after in pairwise(way))
