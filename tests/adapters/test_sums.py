from __future__ import annotations

import os
from pathlib import Path

import pytest

from bundler.adapters.sums import read_sums
from bundler.errors import IntegrityError, UsageError

LINE = f"{'0' * 64}  a.tar.gz\n"


def test_the_sums_are_read(tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").write_text(LINE)
    assert read_sums(tmp_path / "SHA256SUMS") == {"a.tar.gz": "0" * 64}


def test_what_cannot_be_the_sums_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "SHA256SUMS"
    path.write_bytes(b"\xff\n")
    with pytest.raises(IntegrityError):
        read_sums(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UsageError, match="not a regular file"):
        read_sums(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="not a regular file"):
        read_sums(path)
    path.unlink()
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UsageError, match="larger than"):
        read_sums(path)
