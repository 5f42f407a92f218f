"""Which platforms a program is for."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.platforms import HEAD, NAMES, programs

ELF64 = b"\x7fELF\x02\x01\x01" + bytes(9)
INTEL, APPLE, POWERPC = 0x01000007, 0x0100000C, 0x01000012


def macho(cpu: int, kind: int) -> bytes:
    """The header of a Mach-O file (mach_header_64)."""
    return struct.pack("<IIIIIIII", 0xFEEDFACF, cpu, 0, kind, 17, 1640, 0x00200085, 0)


def universal(*cpus: int, number: int | None = None) -> bytes:
    """The header of a universal file (fat_header, fat_arch), as far as anybody looks."""
    slices = b"".join(struct.pack(">IIIII", cpu, 3, 16384, 50000, 14) for cpu in cpus)
    return (struct.pack(">II", 0xCAFEBABE, len(cpus) if number is None else number) + slices)[:HEAD]


@pytest.mark.parametrize(
    ("head", "names"),
    [
        (ELF64 + struct.pack("<HH", 2, 62), ["linux-amd64"]),
        (ELF64 + struct.pack("<HH", 3, 183), ["linux-arm64"]),
        (b"\x7fELF\x02\x01\x01\x03" + bytes(8) + struct.pack("<HH", 2, 62), ["linux-amd64"]),
        (b"\x7fELF\x02\x01\x01\x09" + bytes(8) + struct.pack("<HH", 2, 62), []),  # FreeBSD
        (ELF64 + struct.pack("<HH", 1, 62), []),
        (ELF64 + struct.pack("<HH", 4, 62), []),
        (ELF64 + struct.pack("<HH", 3, 40), []),
        (ELF64 + struct.pack("<HB", 3, 183), []),
        (b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack("<HH", 2, 62), []),
        (b"\x7fELF\x02\x02\x01" + bytes(9) + struct.pack(">HH", 2, 62), []),
        (b"\x7fELF\x02\x01", []),
        (macho(APPLE, 2), ["darwin-arm64"]),
        (macho(INTEL, 2), ["darwin-amd64"]),
        (macho(APPLE, 6), ["darwin-arm64"]),
        (macho(APPLE, 8), ["darwin-arm64"]),
        (macho(APPLE, 1), []),
        (macho(APPLE, 10), []),
        (macho(POWERPC, 2), []),
        (macho(APPLE, 2)[:15], []),
        (struct.pack(">IIII", 0xFEEDFACF, APPLE, 0, 2), []),
        (struct.pack("<IIII", 0xFEEDFACE, APPLE, 0, 2), []),
        (universal(INTEL, APPLE), ["darwin-amd64", "darwin-arm64"]),
        (universal(APPLE), ["darwin-arm64"]),
        (universal(POWERPC, INTEL), ["darwin-amd64"]),
        (universal(POWERPC, INTEL, APPLE), ["darwin-amd64", "darwin-arm64"]),
        (universal(INTEL, APPLE, number=1), ["darwin-amd64"]),
        (universal(INTEL, APPLE)[:31], ["darwin-amd64"]),
        (universal(), []),
        (b"\xca\xfe\xba\xbe\x00\x00", []),
        (universal(INTEL, APPLE, number=61), []),  # a class of Java 17
        (b"#!/usr/bin/env node\n", []),
        (b"MZ", []),
        (b"", []),
    ],
)
def test_heads(head: bytes, names: list[str]) -> None:
    assert list(programs(head)) == names


def test_this_very_python() -> None:
    assert programs(Path(sys.executable).resolve().read_bytes()[:HEAD]) in (("linux-amd64",), ("linux-arm64",))


@given(st.binary(max_size=HEAD), st.sampled_from([b"", ELF64, macho(APPLE, 2)[:4], universal()[:7]]))
def test_any_bytes_have_an_answer(head: bytes, start: bytes) -> None:
    assert set(programs((start + head)[:HEAD])) <= set(NAMES)
