"""What zlib deflated, told by trying: with which settings it deflates the same content to the same bytes.

Hosts deflate with the zlib that their Python has, so it has to be zlib and not one of its successors, which give other
bytes. Every zlib from 1.2.5.1 (2011) on deflates alike.
"""

from __future__ import annotations

import hashlib
import zlib
from functools import cache
from typing import NamedTuple

_PREFIX = 1 << 17
# How often a ZIP's members may fail before no more of them are tried.
_PATIENCE = 16
# Not of any content's own, yet neither too even nor too odd for matches of all kinds.
_KNOWN = b"".join(hashlib.shake_128(bytes([number])).digest(3 + number % 61) * (number % 5) for number in range(256))
_ANSWER = "273dd1cc3ab4d97bf6dfc685da7552a739abc02f61a97ce28e48c07c1efd8d0e"


class Settings(NamedTuple):
    """What zlib was told: its level and memLevel."""

    level: int
    memory: int


_ALL = tuple(Settings(level, memory) for level in (6, 9, 8, 7, 5, 4, 3, 2, 1) for memory in (8, 9))


def deflate(settings: Settings, content: bytes) -> bytes:
    """Deflate as hosts do."""
    deflated = zlib.compressobj(settings.level, zlib.DEFLATED, -zlib.MAX_WBITS, settings.memory)
    return deflated.compress(content) + deflated.flush()


def inflated(packed: bytes, size: int) -> bytes | None:
    """What deflated data holds; None if that is not of this size, or it is not deflated."""
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflate.decompress(packed, size + 1)
    except zlib.error:
        return None
    return content if len(content) == size and inflate.eof and not inflate.unused_data else None


@cache
def is_zlib() -> bool:
    """Whether this Python's zlib gives the bytes that hosts give."""
    digest = hashlib.sha256(b"".join(deflate(settings, _KNOWN) for settings in _ALL))
    return digest.hexdigest() == _ANSWER


class Tried:
    """Settings for the members of one ZIP, which tend to have the same; none once too many had none."""

    def __init__(self) -> None:
        self._last, self._failed, self._found = _ALL[0], 0, False

    def settings(self, packed: bytes, content: bytes) -> Settings | None:
        """The settings that deflate `content` to `packed`, or None."""
        if not self._found and self._failed >= _PATIENCE:
            return None
        for settings in (self._last, *_ALL):
            if _begins(settings, packed, content) and deflate(settings, content) == packed:
                self._last, self._found = settings, True
                return settings
        self._failed += 1
        return None


def _begins(settings: Settings, packed: bytes, content: bytes) -> bool:
    """Whether the beginning is the same: large content is not deflated whole for settings that do not fit."""
    if len(content) <= _PREFIX:
        return True
    deflated = zlib.compressobj(settings.level, zlib.DEFLATED, -zlib.MAX_WBITS, settings.memory)
    return packed.startswith(deflated.compress(content[:_PREFIX]))
