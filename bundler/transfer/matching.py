"""What of some bytes is in others: Colin Percival's BSDIFF, and windows that keep its memory small."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bsdiff4 import core

# BSDIFF takes 17 bytes for each byte of the old piece.
_OLD_WINDOW, _NEW_WINDOW = 2 << 20, 1 << 20
_CONTROL = struct.Struct("<QQQ")
_NEGATIVE = 1 << 63
# What an instruction takes in a program, about, and what a byte that differs takes more than one that is stored.
_INSTRUCTION, _DIFFERENT = 4, 1.25


class Step(NamedTuple):
    """Some bytes: those at a place of the old ones with differences added, then others."""

    at: int
    differences: bytes
    others: bytes


def steps(old: bytes, new: bytes) -> list[Step]:
    """Return how `new` is made of `old`, as BSDIFF finds it; the same on any host."""
    head = _same_head(old, new)
    tail = _same_tail(old[head:], new[head:])
    found = [Step(0, bytes(head), b"")] if head else []
    end = len(new) - tail
    for start in range(head, end, _NEW_WINDOW):
        piece = new[start : min(start + _NEW_WINDOW, end)]
        first = _window(len(old), start * len(old) // max(1, len(new)))
        found += (Step(at + first, *rest) for at, *rest in _bsdiff(old[first : first + _OLD_WINDOW], piece))
    if tail:
        found.append(Step(len(old) - tail, bytes(tail), b""))
    return found


def differences(old: bytes, new: bytes) -> bytes:
    """What has to be added to each byte of old ones, modulo 256, so that they are new ones of as many."""
    return bytes((one - other) & 255 for one, other in zip(new, old, strict=True))


def cost(found: list[Step]) -> float:
    """How many bytes a delta takes for it, about, if other bytes do not get smaller."""
    return sum(
        _INSTRUCTION + (len(step.differences) - step.differences.count(0)) * _DIFFERENT + len(step.others)
        for step in found
    )


def _window(size: int, middle: int) -> int:
    return max(0, min(middle - _OLD_WINDOW // 2, size - _OLD_WINDOW))


def _bsdiff(old: bytes, new: bytes) -> Iterator[Step]:
    control, differences, others = core.diff(old, new)
    place = mixed = other = 0
    for copied, added, seek in _CONTROL.iter_unpack(control):
        yield Step(place, differences[mixed : mixed + copied], others[other : other + added])
        mixed, other = mixed + copied, other + added
        place += copied + (_NEGATIVE - seek if seek & _NEGATIVE else seek)


def _same_head(one: bytes, other: bytes) -> int:
    return _same(lambda size: one[:size] == other[:size], min(len(one), len(other)))


def _same_tail(one: bytes, other: bytes) -> int:
    return _same(lambda size: one[len(one) - size :] == other[len(other) - size :], min(len(one), len(other)))


def _same(same: Callable[[int], bool], most: int) -> int:
    """The largest size at which they are the same, found by halving."""
    least = 0
    while least < most:
        size = (least + most + 1) // 2
        least, most = (size, most) if same(size) else (least, size - 1)
    return least
