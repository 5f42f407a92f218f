"""What the files of a set share: the addresses that their programs copy from, without a byte being made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from bundler.errors import IntegrityError
from bundler.transfer.form import Packed, RefusedError, Set, Source, Stream
from bundler.transfer.machine import COPY, END, FRAME, signed

# Ours copy some hundreds of times for an archive, and once for each line of a text: all are kept, 300 bytes each.
_MOST_COPIES = 250_000


@dataclass(frozen=True)
class Shares:
    """How many bytes of a set's content each file alone has, by name, and how many several have."""

    own: Mapping[str, int]
    shared: int


def shares(source: Source, header: Set) -> Shares:
    """Tell what the files of a set share. Raises IntegrityError if a program is not as `bundle-set` writes them."""
    edges: list[tuple[int, int, str]] = []
    left = _MOST_COPIES
    try:
        for name, wanted in header.files.items():
            ranges = list(islice(_copies(source, wanted.program), left + 1))
            left -= len(ranges)
            if left < 0:
                raise RefusedError("its programs copy too often")
            for start, end in _merged(ranges):
                edges += [(start, 1, name), (end, -1, name)]
    except RefusedError as error:
        raise IntegrityError(f"what its files share cannot be told: {error}") from error
    own, shared = dict.fromkeys(header.files, 0), 0
    # Swept from one end to the other: who copies from the bytes before each edge.
    users: set[str] = set()
    last = 0
    for address, step, name in sorted(edges):
        if len(users) == 1:
            own[next(iter(users))] += address - last
        elif users:
            shared += address - last
        (users.add if step > 0 else users.discard)(name)
        last = address
    return Shares(own, shared)


def _copies(source: Source, program: Stream) -> Iterator[tuple[int, int]]:
    """Where a program copies from, as ranges of addresses."""
    numbers, cursor = _numbers(source, program), 0
    for code in numbers:
        if code == COPY:
            start = cursor + signed(next(numbers, 0))
            cursor = start + next(numbers, 0)
            yield start, cursor
        elif code == FRAME:
            next(numbers, None)
        elif code != END:
            raise RefusedError("a program does more than copy and frame")


def _merged(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same ranges without what two of them have in common."""
    start = end = 0
    for one, other in sorted(ranges):
        if one > end:
            if end > start:
                yield start, end
            start = one
        end = max(end, other)
    if end > start:
        yield start, end


def _numbers(source: Source, program: Stream) -> Iterator[int]:
    value = shift = 0
    for data in Packed(source, program, "program").take(program.size):
        for byte in data:
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                yield value
                value = shift = 0
            elif shift > 56:
                raise RefusedError("its program has a number that is too large")
