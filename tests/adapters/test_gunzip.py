from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from bundler.adapters.gunzip import gunzip
from bundler.errors import IntegrityError


def written(folder: Path, content: bytes) -> Path:
    path = folder / "x.gz"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("content", [b"", b"engine", bytes(5 << 20)])
def test_the_bytes_inside_come_out(content: bytes, tmp_path: Path) -> None:
    assert b"".join(gunzip(written(tmp_path, gzip.compress(content)), "x", 5 << 20)) == content


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, gzip.compress(bytes(3 << 20)))
    with pytest.raises(IntegrityError, match="engine: unpacks to more than 3145727 bytes"):
        list(gunzip(path, "engine", (3 << 20) - 1))


WHOLE = gzip.compress(b"engine" * 1000, mtime=0)


@pytest.mark.parametrize(
    "content", [b"", b"plain", WHOLE[:-1], WHOLE[:20], WHOLE[:-5] + b"\0" + WHOLE[-4:], WHOLE + b"x", WHOLE * 2]
)
def test_what_is_no_whole_gzip_file_is_refused(content: bytes, tmp_path: Path) -> None:
    if not content:
        assert list(gunzip(written(tmp_path, content), "engine", 1)) == []
        return
    with pytest.raises(IntegrityError, match="engine: not a whole gzip file"):
        list(gunzip(written(tmp_path, content), "engine", 1 << 20))
