"""What a delta consists of, as its instructions say: they are read, and not run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.regular import open_regular
from bundler.errors import IntegrityError
from bundler.transfer import machine
from bundler.transfer.applied import header_in
from bundler.transfer.form import Delta, RefusedError, Source
from bundler.transfer.plain import PlainHeader, records

# The numbers that follow each instruction's own; the last is how many bytes it gives, as far as it gives some.
_NUMBERS: Mapping[int, int] = {
    machine.COPY: 2,
    machine.STORED: 1,
    machine.TEXT: 1,
    machine.DIFFER: 2,
    machine.FRAME: 1,
    machine.DEFLATE: 4,
    machine.UNFRAME: 2,
    machine.INFLATE: 3,
    machine.AGAIN: 2,
}


@dataclass(frozen=True)
class Contents:
    """A delta: its size, what its header says, and where the bytes come from that it makes a file of.

    `copied` are of the old file, or of stored ones before; `differing` are too, with differences added; `stored` and
    `text` are carried. What is deflated anew counts as it is before that: `deflated` members are. Sizes are in bytes.
    """

    size: int
    header: Delta | PlainHeader
    copied: int
    differing: int
    stored: int
    text: int
    deflated: int

    @property
    def plain(self) -> bool:
        """Whether a host without Python can apply it."""
        return isinstance(self.header, PlainHeader)


def contents(path: Path, name: str) -> Contents:
    """Read a delta, which is called `name`. Raises IntegrityError if it is none, or damaged; OSError."""
    with open_regular(path) as file:
        source = Source([file.fileno()])
        try:
            header = header_in(source, name)
            return _packed(source, header) if isinstance(header, Delta) else _plain(source, header)
        except RefusedError as error:
            raise IntegrityError(f"{name}: {error}") from error


def _packed(source: Source, header: Delta) -> Contents:
    code, at = machine.code_of(source, header.new.program), 0
    given, deflated = dict.fromkeys(_NUMBERS, 0), 0
    while True:
        instruction, at = machine.number(code, at)
        if instruction == machine.END:
            break
        if instruction not in _NUMBERS:
            raise RefusedError("its program has an instruction that does not exist")
        for _ in range(_NUMBERS[instruction]):
            length, at = machine.number(code, at)
        given[instruction] += length
        deflated += instruction == machine.DEFLATE
    copied = given[machine.COPY] + given[machine.AGAIN]
    carried = given[machine.STORED], given[machine.TEXT]
    return Contents(source.size, header, copied, given[machine.DIFFER], *carried, deflated)


def _plain(source: Source, header: PlainHeader) -> Contents:
    copied = stored = 0
    for _, length, carried in records(source, header):
        stored += length if carried else 0
        copied += 0 if carried else length
    return Contents(source.size, header, copied, 0, stored, 0, 0)
