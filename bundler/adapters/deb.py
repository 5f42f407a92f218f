"""Debian packages (deb(5)), of which the control file is read; nothing in them is believed."""

from __future__ import annotations

import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bundler.adapters.decompress import gunzipped, unzstd
from bundler.adapters.regular import open_regular
from bundler.errors import IntegrityError, UsageError

_MAGIC = b"!<arch>\n"
_HEADER = 60
_END = b"`\n"
_VERSION = "debian-binary"
# Packages of many files have some MiB of checksums beside their control file.
_LARGEST_MEMBER = 32 << 20
_LARGEST_TAR = 64 << 20
_LARGEST_CONTROL = 1 << 20
_XZ_MEMORY = 128 << 20
_CHUNK = 1 << 16


def read_control(path: Path, name: str) -> str:
    """Return the text of a package's control file; `name` is what errors call the package.

    Raises IntegrityError if the file is no package of format 2, or its control member is damaged or far too large.
    """
    try:
        with open_regular(path) as file:
            member, content = _control_member(file, name)
        unpacked = _joined(_pieces(member, content, name), name)
        return _control_file(unpacked, name)
    except UsageError as error:
        raise IntegrityError(f"{name}: {error.message}") from error


def _control_member(file: BinaryIO, name: str) -> tuple[str, bytes]:
    """The name and bytes of the first member but the format's version, whose names may not begin with `_`."""
    if file.read(len(_MAGIC)) != _MAGIC:
        raise IntegrityError(f"{name}: not a Debian package: it is no ar archive")
    first = True
    while header := file.read(_HEADER):
        member = header[:16].decode("ascii", "replace").rstrip(" ").removesuffix("/")
        digits = header[48:58].rstrip(b" ")
        if len(header) != _HEADER or header[58:] != _END or not digits.isdigit():
            break
        size = int(digits)
        if first and (member != _VERSION or size > _CHUNK or not file.read(size + size % 2).startswith(b"2.")):
            break
        if not first and member.startswith("control.tar"):
            if size > _LARGEST_MEMBER:
                raise IntegrityError(f"{name}: its control member is larger than {_LARGEST_MEMBER} bytes")
            content = file.read(size)
            if len(content) == size:
                return member, content
            break
        if not first:
            if not member.startswith("_"):
                break
            file.seek(size + size % 2, io.SEEK_CUR)
        first = False
    raise IntegrityError(f"{name}: not a whole Debian package of format 2 (deb(5))")


def _pieces(member: str, content: bytes, name: str) -> Iterator[bytes]:
    if member == "control.tar":
        return iter((content,))
    if member == "control.tar.gz":
        return gunzipped(io.BytesIO(content), name)
    if member == "control.tar.zst":
        return unzstd(io.BytesIO(content), name)
    if member == "control.tar.xz":
        return _unxz(content, name)
    raise IntegrityError(f"{name}: its control member is {member!r}, which nobody can read")


def _unxz(content: bytes, name: str) -> Iterator[bytes]:
    try:
        decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        data = content
        while not decoder.eof:
            piece = decoder.decompress(data, _CHUNK)
            data = b""
            if not piece and decoder.needs_input:
                raise IntegrityError(f"{name}: its control member is cut short")
            yield piece
    except (lzma.LZMAError, MemoryError) as error:
        raise IntegrityError(f"{name}: its control member is damaged: {error}") from error


def _joined(pieces: Iterator[bytes], name: str) -> bytes:
    whole = bytearray()
    for piece in pieces:
        whole += piece
        if len(whole) > _LARGEST_TAR:
            raise IntegrityError(f"{name}: its control member unpacks to more than {_LARGEST_TAR} bytes")
    return bytes(whole)


def _control_file(unpacked: bytes, name: str) -> str:
    try:
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as tar:
            found = [member for member in tar if member.name in ("control", "./control")]
            if len(found) != 1 or not found[0].isreg() or found[0].size > _LARGEST_CONTROL:
                raise IntegrityError(f"{name}: it has no control file, or an odd one")
            extracted = tar.extractfile(found[0])
            content = extracted.read() if extracted else b""
        return content.decode("utf-8")
    except (tarfile.TarError, UnicodeDecodeError, ValueError, OverflowError, EOFError, zlib.error) as error:
        raise IntegrityError(f"{name}: its control member makes no sense: {error}") from error
