"""The one file that is read of an npm package, whatever made its tar."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from bundler.adapters.npm_package import read_package_json
from bundler.errors import IntegrityError


def made(*members: tuple[str, bytes], format: int = tarfile.USTAR_FORMAT, kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.size = kind, len(content) if kind == tarfile.REGTYPE else 0
            member.linkname = "/etc/passwd" if kind == tarfile.SYMTYPE else ""
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def read(folder: Path, tar: bytes, limit: int = 100) -> bytes | None:
    path = folder / "package.tgz"
    path.write_bytes(gzip.compress(tar))
    return read_package_json(path, "demo", limit)


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_it_is_found_below_any_top_folder_in_any_format(format: int, tmp_path: Path) -> None:
    long = "package/" + "deep/" * 40 + "package.json"
    tar = made((long, b"no"), ("node/sub/package.json", b"no"), ("node/package.json", b"yes"), format=format)
    assert read(tmp_path, tar) == b"yes"


def test_a_header_with_times_where_others_have_a_prefix_is_read(tmp_path: Path) -> None:
    """As star writes it, and publishers of many packages do."""
    tar = bytearray(made(("node/package.json", b"yes")))
    tar[476:500] = b"15103356047 15103356047 "
    assert read(tmp_path, bytes(tar)) == b"yes"


def test_there_may_be_none(tmp_path: Path) -> None:
    assert read(tmp_path, made(("package/a", b"x"))) is None


@pytest.mark.parametrize(
    "tar",
    [
        made(("package/package.json", b"x" * 101)),
        made(("package/package.json", b""), kind=tarfile.SYMTYPE),
        made(("package/a", b"x"))[:600],
        b"x" * 1024,
        made(("package/a", b"x"))[:124] + b"9" * 12 + bytes(1024),
        b"a".ljust(124, b"\0") + b"\x80" + b"\x7f" * 11 + bytes(1024),
    ],
)
def test_what_cannot_be_read_is_refused(tar: bytes, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="demo"):
        read(tmp_path, tar)


def test_a_header_of_an_endless_name_is_refused(tmp_path: Path) -> None:
    header = bytearray(made(("package/a", b"x" * 70_000)))
    header[156:157] = b"x"
    with pytest.raises(IntegrityError, match="70000 bytes"):
        read(tmp_path, bytes(header))
