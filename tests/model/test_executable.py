"""Which platform a program is for."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.model.executable import HEAD, platform_of

ELF64 = b"\x7fELF\x02\x01\x01" + bytes(9)


@pytest.mark.parametrize(
    ("head", "platform"),
    [
        (ELF64 + struct.pack("<HH", 2, 62), "linux-amd64"),
        (ELF64 + struct.pack("<HH", 3, 183), "linux-arm64"),
        (ELF64 + struct.pack("<HH", 3, 40), "unknown"),
        (b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack("<HH", 2, 62), "unknown"),
        (b"\x7fELF\x02\x01", "unknown"),
        (struct.pack("<II", 0xFEEDFACF, 0x0100000C), "darwin-arm64"),
        (struct.pack("<II", 0xFEEDFACF, 0x01000007), "darwin-amd64"),
        (b"#!/usr/bin/env node\n", "script"),
        (b"MZ", "unknown"),
        (b"", "unknown"),
    ],
)
def test_heads(head: bytes, platform: str) -> None:
    assert platform_of(head) == platform


def test_this_very_python() -> None:
    assert platform_of(Path(sys.executable).resolve().read_bytes()[:HEAD]) in ("linux-amd64", "linux-arm64")


@given(st.binary(max_size=HEAD))
def test_any_bytes_have_an_answer(head: bytes) -> None:
    platform_of(head)
