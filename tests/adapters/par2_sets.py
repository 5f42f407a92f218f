"""PAR2 packets, well formed or not, without a program: sets that describe files, with zeros for recovery data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

KINDS = {
    name: f"PAR 2.0\0{name:\0<8}".encode() for name in ("Main", "FileDesc", "IFSC", "RecvSlic", "Creator", "UniFileN")
}


def md5(content: bytes) -> bytes:
    return hashlib.md5(content).digest()


def packet(identity: bytes, kind: str, body: bytes, *, length: int | None = None) -> bytes:
    hashed = identity + KINDS[kind] + body
    return b"PAR2\0PKT" + (len(hashed) + 32 if length is None else length).to_bytes(8, "little") + md5(hashed) + hashed


def description(name: bytes, content: bytes, size: int | None = None) -> bytes:
    first, size = md5(content[: 1 << 14]), len(content) if size is None else size
    number = size.to_bytes(8, "little")
    return md5(first + number + name) + md5(content) + first + number + name + bytes(-len(name) % 4)


def main(block: int, ids: list[bytes], number: int | None = None) -> bytes:
    count = len(ids) if number is None else number
    return block.to_bytes(8, "little") + count.to_bytes(4, "little") + b"".join(ids)


def recovery_file(
    contents: Mapping[bytes, bytes], block: int = 4, data: int = 1, sizes: Mapping[bytes, int] | None = None
) -> bytes:
    """A recovery file that describes files, and has `data` blocks of zeros."""
    told = [description(name, content, (sizes or {}).get(name)) for name, content in contents.items()]
    body = main(block, [one[:16] for one in told])
    identity = md5(body)
    packets = [packet(identity, "Main", body), *(packet(identity, "FileDesc", one) for one in told)]
    blocks = [packet(identity, "RecvSlic", number.to_bytes(4, "little") + bytes(block)) for number in range(data)]
    return b"".join([*packets, *blocks, packet(identity, "Creator", b"none")])
