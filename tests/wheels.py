"""Wheels and ZIPs made by hand, good ones and bad ones."""

from __future__ import annotations

import base64
import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

NAME = "some_app-1.0-py3-none-any.whl"
INFO = "some_app-1.0.dist-info"
DATA = "some_app-1.0.data"
METADATA = (
    "Metadata-Version: 2.1\nName: some-app\nVersion: 1.0\nRequires-Dist: lib>=1\n"
    "Requires-Dist: more; extra == 'x'\nRequires-Python: >=3.9\n"
)
WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
Files = Mapping[str, str | bytes]


def encoded(files: Files) -> dict[str, bytes]:
    return {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}


def record_of(files: Files, record: str) -> str:
    """A RECORD of all files, and of itself."""
    lines = ""
    for path, content in encoded(files).items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines += f"{path},sha256={digest},{len(content)}\n" if not path.endswith("/") else ""
    return f"{lines}{record},,\n"


def whole(files: Files, info: str = INFO) -> dict[str, bytes]:
    """`files`, and what of METADATA, WHEEL and RECORD is missing among them."""
    parts = {**files}
    parts.setdefault(f"{info}/METADATA", METADATA)
    parts.setdefault(f"{info}/WHEEL", WHEEL)
    parts.setdefault(f"{info}/RECORD", record_of(parts, f"{info}/RECORD"))
    return encoded(parts)


def zipped(files: Files, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP as Python writes it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content, compression)
    return stream.getvalue()


def wheel(files: Files | None = None, info: str = INFO, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A good wheel that also holds `files`, which may spoil it."""
    return zipped(whole({"some_app/__init__.py": "x = 1\n", **(files or {})}, info), compression)


@dataclass
class Member:
    """A ZIP's member in every detail; what is None is as it should be. `listed` stands in the list instead."""

    name: bytes
    data: bytes = b""
    method: int = 0
    flags: int = 0
    needed: int = 20
    host: int = 3
    attributes: int = 0o100644 << 16
    extra: bytes = b""
    listed_extra: bytes = b""
    comment: bytes = b""
    crc: int | None = None
    size: int | None = None
    packed: int | None = None
    disk: int = 0
    before: bytes = b""
    after: bytes = b""
    listed: dict[str, bytes | int] = field(default_factory=dict)
    raw: bytes | None = None

    def parts(self, offset: int) -> tuple[bytes, bytes]:
        """The local part, and the list's entry, for a member that starts at `offset`."""
        raw = self.raw
        if raw is None:
            deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
            raw = deflate.compress(self.data) + deflate.flush() if self.method == 8 else self.data
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        size = len(self.data) if self.size is None else self.size
        packed = len(raw) if self.packed is None else self.packed
        sizes = (crc, packed, size)
        later = bool(self.flags & 8)
        told = struct.pack("<HHHHH", self.needed, self.flags, self.method, 0, 33)
        local = b"PK\x03\x04" + told + struct.pack("<III", *((0, 0, 0) if later else sizes))
        local += struct.pack("<HH", len(self.name), len(self.extra)) + self.name + self.extra + raw
        local += struct.pack("<4sIII", b"PK\x07\x08", *sizes) if later else b""
        say = {"name": self.name, "flags": self.flags, "method": self.method, "offset": offset + len(self.before)}
        say |= {"crc": crc, "packed": packed, "size": size, "needed": self.needed, **self.listed}
        name = say["name"]
        assert isinstance(name, bytes)
        entry = b"PK\x01\x02" + struct.pack(
            "<BBHHHHH", 20, self.host, say["needed"], say["flags"], say["method"], 0, 33
        )
        entry += struct.pack("<III", say["crc"], say["packed"], say["size"])
        entry += struct.pack("<HHHHH", len(name), len(self.listed_extra), len(self.comment), self.disk, 0)
        entry += struct.pack("<II", self.attributes, say["offset"]) + name + self.listed_extra + self.comment
        return self.before + local + self.after, entry


def handmade(
    members: Sequence[Member],
    *,
    before: bytes = b"",
    gap: bytes = b"",
    behind: bytes = b"",
    comment: bytes = b"",
    after: bytes = b"",
    count: int | None = None,
    start: int | None = None,
    size: int | None = None,
    reverse: bool = False,
) -> bytes:
    """A ZIP of such members, with bytes before, between its parts and after it."""
    body, entries = bytearray(before), []
    for member in members:
        local, entry = member.parts(len(body))
        body += local
        entries.append(entry)
    listed = b"".join(entries[::-1] if reverse else entries)
    body += gap
    number = len(members) if count is None else count
    end = struct.pack(
        "<4sHHHHIIH",
        b"PK\x05\x06",
        0,
        0,
        number,
        number,
        len(listed) if size is None else size,
        len(body) if start is None else start,
        len(comment),
    )
    return bytes(body) + listed + behind + end + comment + after
