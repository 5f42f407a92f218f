"""What a failing medium does not give is zeros; all else is kept."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

import pytest

from bundler.adapters.salvage import salvage, salvaged

_MEMORY = Path("/proc/self/mem")  # reading what is not there fails with EIO, as a bad sector does


@pytest.mark.skipif(not _MEMORY.exists(), reason="needs a file that fails with EIO")
def test_pages_that_cannot_be_read_are_zeros() -> None:
    page, libc = mmap.PAGESIZE, ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    start = libc.mmap(None, ctypes.c_size_t(3 * page), 3, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, ctypes.c_long(0))
    ctypes.memset(start, ord("x"), 3 * page)
    _unmap(libc, start + page)
    try:
        with _MEMORY.open("rb", buffering=0) as file:
            with pytest.raises(OSError, match="Input/output error"):
                os.pread(file.fileno(), 10, start + page)
            got = salvaged(file.fileno(), start + 7, 3 * page - 7)
            from_within = salvaged(file.fileno(), start + page + 7, 2 * page - 7)
    finally:
        _unmap(libc, start)
        _unmap(libc, start + 2 * page)
    assert got == b"x" * (page - 7) + bytes(page) + b"x" * page
    assert from_within == bytes(page - 7) + b"x" * page


def _unmap(libc: ctypes.CDLL, address: int) -> None:
    assert libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE)) == 0


def test_a_file_is_salvaged_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(os.urandom(2_500_000))
    assert b"".join(salvage(path)) == path.read_bytes()
    assert list(salvage(tmp_path / "y")) == []
