"""A treemap's geometry: one rectangle a weight, its area in proportion, and as near to a square as it can be.

Squarified (Bruls, Huizing and van Wijk, "Squarified Treemaps", 2000): rows are laid along the shorter side, and a row
takes another weight as long as its worst rectangle does not become longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A rectangle, in the same unit as the one that it stands in."""

    x: float
    y: float
    width: float
    height: float


def squarified(weights: Sequence[float], within: Box) -> list[Box]:
    """Return one box a weight, in their order: give the largest first. Raises ValueError for a weight of 0 or less."""
    if any(weight <= 0 for weight in weights):
        raise ValueError("a weight is above 0")
    left, place = sum(weights), within
    boxes: list[Box] = []
    start = 0
    while start < len(weights):
        scale = place.width * place.height / left
        end = _row(weights, start, scale, min(place.width, place.height))
        row = weights[start:end]
        last = end == len(weights)
        place, laid = _laid(row, sum(row) / left, place, last=last)
        boxes += laid
        left, start = left - sum(row), end
    return boxes


def _row(weights: Sequence[float], start: int, scale: float, side: float) -> int:
    """Where the row that begins at `start` ends."""
    total = most = least = weights[start] * scale
    worst = _worst(total, most, least, side)
    for end in range(start + 1, len(weights)):
        area = weights[end] * scale
        total, most, least = total + area, max(most, area), min(least, area)
        longer = _worst(total, most, least, side)
        if longer > worst:
            return end
        worst = longer
    return len(weights)


def _worst(total: float, most: float, least: float, side: float) -> float:
    """The longest of a row's rectangles: how many times its shorter side its longer one is."""
    return max(side * side * most / (total * total), total * total / (side * side * least))


def _laid(row: Sequence[float], share: float, place: Box, *, last: bool) -> tuple[Box, list[Box]]:
    """A row along the shorter side of a place, of which it takes a share; and what of the place it leaves."""
    upright = place.width >= place.height
    depth = (place.width if upright else place.height) * (1 if last else share)
    length, total, boxes = place.height if upright else place.width, sum(row), []
    at = 0.0
    for weight in row:
        size = length * weight / total
        boxes.append(Box(place.x, place.y + at, depth, size) if upright else Box(place.x + at, place.y, size, depth))
        at += size
    if upright:
        return Box(place.x + depth, place.y, place.width - depth, place.height), boxes
    return Box(place.x, place.y + depth, place.width, place.height - depth), boxes
