"""xz as it comes in; gzip and zstandard are tried where archives are read."""

from __future__ import annotations

import io
import lzma

import pytest

from bundler.adapters.decompress import unxz
from bundler.errors import IntegrityError

CONTENT = bytes(range(256)) * 9000


def unpacked(data: bytes) -> bytes:
    return b"".join(unxz(io.BytesIO(data), "demo.tar.xz"))


@pytest.mark.parametrize("check", [lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_CRC64, lzma.CHECK_SHA256])
def test_one_stream_is_unpacked_whatever_its_check(check: int) -> None:
    assert unpacked(lzma.compress(CONTENT, check=check)) == CONTENT
    assert unpacked(lzma.compress(b"", check=check)) == b""


@pytest.mark.slow
def test_pieces_are_small_however_much_they_come_of() -> None:
    pieces = list(map(len, unxz(io.BytesIO(lzma.compress(bytes(20 << 20))), "demo.tar.xz")))
    assert sum(pieces) == 20 << 20 and max(pieces) <= 1 << 20


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "cut short"),
        (lzma.compress(CONTENT)[:-1], "cut short"),
        (lzma.compress(CONTENT)[:40], "cut short"),
        (b"no xz at all", "not a whole archive"),
        (lzma.compress(CONTENT, format=lzma.FORMAT_ALONE), "not a whole archive"),
        (lzma.compress(CONTENT) + bytes(4), "data follows"),
        (lzma.compress(CONTENT) * 2, "data follows"),
        (lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 256 << 20}]), "not a whole archive"),
    ],
    ids=["empty", "one byte less", "a piece", "text", "lzma", "padding", "twice", "wants memory"],
)
def test_anything_else_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(IntegrityError, match=told):
        unpacked(data)


def test_a_changed_byte_is_noticed() -> None:
    data = bytearray(lzma.compress(CONTENT))
    data[len(data) // 2] ^= 1
    with pytest.raises(IntegrityError):
        unpacked(bytes(data))
