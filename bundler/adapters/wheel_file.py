"""Wheels (PEP 427, the binary distribution format) rewritten so that their bytes depend on what is in them alone.

A ZIP (APPNOTE.TXT) of sorted members, the `.dist-info` folder last and RECORD at its very end, with one time, two modes
and no comments, deflated by the implementation whose exact version is pinned (docs/determinism.md).
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from zlib_ng import zlib_ng

from bundler.errors import IntegrityError, LockError
from bundler.model.zip_file import ZipReader
from bundler.platforms import HEAD, programs

# All of it is held in memory.
_LARGEST = 256 << 20
_LEVEL = 6
# Version needed 2.0, flag: names are UTF-8, deflated, 1980-01-01 00:00:00 as MS-DOS writes it.
_COMMON = struct.pack("<HHHHH", 20, 0x0800, 8, 0, 0x21)
# "Version made by" 2.0 on Unix, which says that the attributes hold a mode.
_MADE_BY = struct.pack("<H", 20 | 3 << 8)


@dataclass(frozen=True)
class _Member:
    content: bytes
    executable: bool


def rewrite_wheel(made: Path, name: str, out: BinaryIO) -> None:
    """Write the wheel at `made` anew to `out`; `name` is what errors call it.

    Raises IntegrityError if it is no wheel, holds unsafe paths, or more than 256 MiB; LockError if it holds a program.
    """
    members = dict(_members(made, name))
    records = [path for path in members if path.count("/") == 1 and path.endswith(".dist-info/RECORD")]
    if len(records) != 1:
        raise IntegrityError(f"{name}: has {len(records)} RECORD files, not one")
    (record,) = records
    info = record.removesuffix("RECORD")
    del members[record]
    ordered = sorted(members, key=lambda path: (path.startswith(info), path))
    content = {path: members[path] for path in ordered}
    content[record] = _Member(_record(content, record), executable=False)
    _write(content, out)


def _members(made: Path, name: str) -> Iterator[tuple[str, _Member]]:
    with made.open("rb") as file:
        archive = ZipReader(file, name)
        files = [member for member in archive.members if member.kind == "file"]
        if sum(member.size for member in files) > _LARGEST:
            raise IntegrityError(f"{name}: unpacks to more than {_LARGEST >> 20} MiB")
        for member in files:
            content = archive.read(member, _LARGEST)
            if platforms := " and ".join(programs(content[:HEAD])):
                raise LockError(
                    f"{name}: holds {member.path}, a program for {platforms}; one wheel has to serve all targets",
                    "what is compiled cannot be built here for other hosts; take it from the index",
                )
            yield member.path, _Member(content, member.executable)


def _record(members: Mapping[str, _Member], record: str) -> bytes:
    """RECORD's bytes: every file with its digest and size, and itself."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for path, member in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(member.content).digest()).rstrip(b"=").decode()
        rows.writerow((path, f"sha256={digest}", len(member.content)))
    rows.writerow((record, "", ""))
    return text.getvalue().encode()


def _write(members: Mapping[str, _Member], out: BinaryIO) -> None:
    listed, offset = [], 0
    for path, member in members.items():
        name = path.encode()
        deflate = zlib_ng.compressobj(_LEVEL, zlib_ng.DEFLATED, -zlib_ng.MAX_WBITS, zlib_ng.DEF_MEM_LEVEL)
        data = deflate.compress(member.content) + deflate.flush()
        sizes = struct.pack("<III", zlib_ng.crc32(member.content), len(data), len(member.content))
        # 4.3.7: local file header.
        header = b"PK\x03\x04" + _COMMON + sizes + struct.pack("<HH", len(name), 0) + name
        mode = stat.S_IFREG | (0o755 if member.executable else 0o644)
        # 4.3.12: the same once more, with what is only in the list.
        rest = struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, mode << 16, offset)
        listed.append(b"PK\x01\x02" + _MADE_BY + _COMMON + sizes + rest + name)
        out.write(header + data)
        offset += len(header) + len(data)
    central = b"".join(listed)
    # 4.3.16: end of the list.
    end = struct.pack("<HHHHIIH", 0, 0, len(listed), len(listed), len(central), offset, 0)
    out.write(central + b"PK\x05\x06" + end)
