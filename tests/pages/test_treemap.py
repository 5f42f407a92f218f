from __future__ import annotations

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.pages.treemap import Box, squarified
from tests.model.samples import PROPERTY

WEIGHTS = st.lists(st.integers(1, 10**10), min_size=1, max_size=14).map(lambda found: sorted(found, reverse=True))
SIDE = st.floats(1, 1000)


@PROPERTY
@given(WEIGHTS, SIDE, SIDE)
def test_areas_are_in_proportion_inside_and_apart(weights: list[int], width: float, height: float) -> None:
    boxes = squarified(weights, Box(3, 5, width, height))
    assert len(boxes) == len(weights)
    near = 1e-6 * max(width, height)
    for weight, box in zip(weights, boxes, strict=True):
        assert math.isclose(
            box.width * box.height, width * height * weight / sum(weights), rel_tol=1e-6, abs_tol=near * near
        )
        assert box.x >= 3 - near
        assert box.y >= 5 - near
        assert box.x + box.width <= 3 + width + near
        assert box.y + box.height <= 5 + height + near
    for one, other in combinations(boxes, 2):
        across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
        down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
        assert across <= near or down <= near


def test_the_example_of_the_paper() -> None:
    """Weights 6, 6, 4, 3, 2, 2, 1 in a rectangle of 6 by 4: no side is longer than three times the other."""
    boxes = squarified([6, 6, 4, 3, 2, 2, 1], Box(0, 0, 6, 4))
    assert boxes[:2] == [Box(0, 0, 3, 2), Box(0, 2, 3, 2)]
    assert max(max(box.width / box.height, box.height / box.width) for box in boxes) < 3


def test_no_weight_no_box() -> None:
    assert squarified([], Box(0, 0, 1, 1)) == []
    with pytest.raises(ValueError, match="above 0"):
        squarified([1, 0], Box(0, 0, 1, 1))
