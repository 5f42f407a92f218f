"""Keys and signatures to test with, and every way to change one byte."""

from __future__ import annotations

from collections.abc import Iterator

from bundler.model.ed25519 import Ed25519Signer

SIGNER = Ed25519Signer(bytes(range(32)))
OTHER = Ed25519Signer(bytes(range(1, 33)))
CONTENT = b"4fde6b01  one.tar.gz\n" * 3


def flipped(content: bytes) -> Iterator[bytes]:
    """A content with one bit of one byte flipped, for each byte and three of its bits."""
    for place in range(len(content)):
        for bit in (1, 32, 128):
            yield content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]


def cut(content: bytes) -> Iterator[bytes]:
    """A content that ends early, at each place; and one that goes on."""
    yield from (content[:place] for place in range(len(content)))
    yield from (content + more for more in (b"\n", b"x", b"\0", content))
