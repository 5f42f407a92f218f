"""Classic BPF, as the kernel runs it over system calls (seccomp(2)) and over packets (socket(7), SO_ATTACH_FILTER).

A program is a row of instructions with jumps forwards only; here an answer is nested in its condition, so that nobody
counts steps. linux/filter.h, linux/bpf_common.h.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterable, Sequence
from typing import TypeAlias

# struct sock_filter: code, steps to skip if true, if false, and a constant.
Instruction: TypeAlias = tuple[int, int, int, int]

IF_EQUAL, IF_GREATER, IF_ANY_BIT = 0x15, 0x25, 0x45
_LOAD = {4: 0x20, 2: 0x28, 1: 0x30}
_AND, _RETURN = 0x54, 0x06


class Program:
    """Instructions in memory that stays as long as this object; `header` (struct sock_fprog) points there."""

    def __init__(self, instructions: Iterable[Instruction]) -> None:
        code = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
        self._code = ctypes.create_string_buffer(code, len(code))
        self.header = struct.pack("@HP", len(code) // 8, ctypes.addressof(self._code))


def load(offset: int, size: int = 4) -> Instruction:
    """Load 4, 2 or 1 bytes; what is not there ends the program with 0."""
    return (_LOAD[size], 0, 0, offset)


def keep(bits: int) -> Instruction:
    """Keep these bits of what was loaded."""
    return (_AND, 0, 0, bits)


def answer(value: int) -> tuple[Instruction, ...]:
    """End with `value`."""
    return ((_RETURN, 0, 0, value),)


def when(test: int, value: int, then: Sequence[Instruction]) -> tuple[Instruction, ...]:
    """Go through `then`, which ends the program, if the test of what was loaded holds."""
    return ((test, 0, len(then), value), *then)


def unless(value: int, then: Sequence[Instruction]) -> tuple[Instruction, ...]:
    """Go through `then`, which ends the program, if what was loaded is not `value`."""
    return ((IF_EQUAL, len(then), 0, value), *then)


def equal(value: int, then: Sequence[Instruction]) -> tuple[Instruction, ...]:
    """Go through `then`, which ends the program, if `value` was loaded."""
    return when(IF_EQUAL, value, then)
