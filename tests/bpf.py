"""Classic BPF run as the kernel does it (linux/filter.h); it holds that a program only jumps forwards and ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

_SIZES = {0x20: 4, 0x28: 2, 0x30: 1}


def run(program: Sequence[tuple[int, int, int, int]], data: bytes, order: Literal["little", "big"]) -> int:
    """Return the program's answer about `data`, whose numbers are in this byte order."""
    at = accumulator = 0
    while True:
        code, yes, no, constant = program[at]
        assert 0 <= yes < 256 and 0 <= no < 256 and 0 <= constant < 1 << 32
        at += 1
        if code in _SIZES:
            if constant + _SIZES[code] > len(data):
                return 0
            accumulator = int.from_bytes(data[constant : constant + _SIZES[code]], order)
        elif code == 0x54:
            accumulator &= constant
        elif code == 0x06:
            return constant
        else:
            tests = {0x15: accumulator == constant, 0x25: accumulator > constant, 0x45: bool(accumulator & constant)}
            at += yes if tests[code] else no
