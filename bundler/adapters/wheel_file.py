"""Wheels (PEP 427, the binary distribution format) written so that their bytes depend on what is in them alone.

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
from pathlib import Path
from typing import BinaryIO

from zlib_ng import zlib_ng

from bundler.errors import IntegrityError, LockError
from bundler.model.zip_file import ZipReader
from bundler.platforms import HEAD, programs

# What is built from source is no larger.
_LARGEST = 256 << 20
_LEVEL = 6
# Version needed 2.0, flag: names are UTF-8, deflated, 1980-01-01 00:00:00 as MS-DOS writes it.
_COMMON = struct.pack("<HHHHH", 20, 0x0800, 8, 0, 0x21)
# "Version made by" 2.0 on Unix, which says that the attributes hold a mode.
_MADE_BY = struct.pack("<H", 20 | 3 << 8)


class WheelWriter:
    """A wheel in the making: files are put into it in the order that they shall have, then it is closed.

    One file is held in memory at a time.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._offset = out, 0
        self._listed: list[bytes] = []
        self._rows: list[tuple[str, str, int | str]] = []

    def put(self, path: str, content: bytes | memoryview, *, executable: bool = False) -> None:
        """Write a file."""
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        self._rows.append((path, f"sha256={digest}", len(content)))
        self._write(path, content, executable=executable)

    def close(self, info: str) -> None:
        """Write RECORD, which lists every file and itself, into the folder `info`, and the wheel's end."""
        record = f"{info}/RECORD"
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([*self._rows, (record, "", "")])
        self._write(record, text.getvalue().encode(), executable=False)
        central = b"".join(self._listed)
        count = len(self._listed)
        # 4.3.16: end of the list.
        end = struct.pack("<HHHHIIH", 0, 0, count, count, len(central), self._offset, 0)
        self._out.write(central + b"PK\x05\x06" + end)

    def _write(self, path: str, content: bytes | memoryview, *, executable: bool) -> None:
        name = path.encode()
        deflate = zlib_ng.compressobj(_LEVEL, zlib_ng.DEFLATED, -zlib_ng.MAX_WBITS, zlib_ng.DEF_MEM_LEVEL)
        data = deflate.compress(content) + deflate.flush()
        sizes = struct.pack("<III", zlib_ng.crc32(content), len(data), len(content))
        # 4.3.7: local file header.
        header = b"PK\x03\x04" + _COMMON + sizes + struct.pack("<HH", len(name), 0) + name
        mode = stat.S_IFREG | (0o755 if executable else 0o644)
        # 4.3.12: the same once more, with what is only in the list.
        rest = struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, mode << 16, self._offset)
        self._listed.append(b"PK\x01\x02" + _MADE_BY + _COMMON + sizes + rest + name)
        self._out.write(header)
        self._out.write(data)
        self._offset += len(header) + len(data)


def rewrite_wheel(made: Path, name: str, out: BinaryIO) -> None:
    """Write the wheel at `made` anew to `out`; `name` is what errors call it.

    Raises IntegrityError if it is no wheel, holds unsafe paths, or more than 256 MiB; LockError if it holds a program.
    """
    with made.open("rb") as file:
        archive = ZipReader(file, name)
        members = {member.path: member for member in archive.members if member.kind == "file"}
        if sum(member.size for member in members.values()) > _LARGEST:
            raise IntegrityError(f"{name}: unpacks to more than {_LARGEST >> 20} MiB")
        records = [path for path in members if path.count("/") == 1 and path.endswith(".dist-info/RECORD")]
        if len(records) != 1:
            raise IntegrityError(f"{name}: has {len(records)} RECORD files, not one")
        info = records[0].removesuffix("/RECORD")
        del members[records[0]]
        writer = WheelWriter(out)
        for path in sorted(members, key=lambda path: (path.startswith(f"{info}/"), path)):
            content = archive.read(members[path], _LARGEST)
            if platforms := " and ".join(programs(content[:HEAD])):
                raise LockError(
                    f"{name}: holds {path}, a program for {platforms}; one wheel has to serve all targets",
                    "what is compiled cannot be built here for other hosts; take it from the index",
                )
            writer.put(path, content, executable=members[path].executable)
        writer.close(info)
