"""Reading anywhere in bytes that only come one after another: what a compressed file gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator


class ForwardReader:
    """Reads at any offset; going back begins anew, and nothing but the last piece is held in memory.

    `begin` yields all bytes from the first on, in pieces, as often as it is asked to.
    """

    def __init__(self, begin: Callable[[], Iterator[bytes]]) -> None:
        self._begin = begin
        self._pieces, self._piece, self._at = begin(), b"", 0

    def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` on, fewer if they end before."""
        if offset < self._at:
            self._pieces, self._piece, self._at = self._begin(), b"", 0
        found: list[bytes] = []
        while size > 0:
            inner = offset - self._at
            if inner < len(self._piece):
                part = self._piece[inner : inner + size]
                found.append(part)
                offset, size = offset + len(part), size - len(part)
                continue
            following = next(self._pieces, None)
            if following is None:
                break
            self._at += len(self._piece)
            self._piece = following
        return b"".join(found)
