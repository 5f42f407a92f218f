"""What a set is made of: the runs of an archive, and the large members of the wheels in them.

The payload of a run (a wheel's compressed part, a whole file) is the same in whichever archive it stands. Where a run
is seen that is none, only the cuts are others.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from bundler.transfer.layout import View, cuts

_CHUNK = 1 << 20
ZIP, _LOCAL = b"PK\x03\x04", struct.Struct("<26xHH")
# Smaller members are not worth an instruction each.
_LARGE = 2048


@dataclass(frozen=True)
class Run:
    """A part of a view, from `start` on: `size` bytes as they are or, if `stored`, so many in stored blocks."""

    start: int
    size: int
    stored: bool


def runs(view: View) -> Iterator[Run]:
    """Cut a view into runs, none of which is empty. Raises RefusedError if it becomes shorter meanwhile."""
    start = 0
    for at, end, size in cuts(view):
        if size:
            if start < at:
                yield Run(start, at - start, stored=False)
            yield Run(at, size, stored=True)
            start = end
    if start < view.size:
        yield Run(start, view.size - start, stored=False)


def members(view: View) -> Iterator[Run]:
    """Cut a wheel's compressed part where the data of large members begins and ends.

    Wheels of one version for several hosts have the same members, under headers of other times. Headers are found by
    their magic (APPNOTE.TXT 4.3.7), since not every one tells how much data follows. What stands between large members
    is one run; where a header is seen that is none, only the cuts are others.
    """
    start = data = 0
    for header in chain(_headers(view), (view.size,)):
        if header - data >= _LARGE:
            if data > start:
                yield Run(start, data - start, stored=False)
            yield Run(data, header - data, stored=False)
            start = header
        if header + _LOCAL.size <= view.size:
            name, extra = _LOCAL.unpack(view.read(header, _LOCAL.size))
            data = min(header + _LOCAL.size + name + extra, view.size)
    if start < view.size:
        yield Run(start, view.size - start, stored=False)


def _headers(view: View) -> Iterator[int]:
    """Where local headers begin."""
    at = 0
    while view.size - at >= len(ZIP):
        data, found = view.read(at, min(_CHUNK, view.size - at)), -1
        while (found := data.find(ZIP, found + 1)) >= 0:
            yield at + found
        at += len(data) - len(ZIP) + 1
