"""Programs, written: what `machine` runs, in numbers (docs/delta.md)."""

from __future__ import annotations

from bundler.transfer import machine


class Program:
    """Instructions in the making. Addresses are as `machine` counts them: the old file first, then each source.

    What is inside of a frame, or deflated, are the instructions that follow, until they have made its length.
    """

    def __init__(self) -> None:
        self._code, self._cursor = bytearray(), 0

    def copy(self, address: int, length: int) -> None:
        """Copy from the old file or a source."""
        self._put(machine.COPY, _unsigned(address - self._cursor), length)
        self._cursor = address + length

    def differ(self, address: int, length: int) -> None:
        """Copy, with the next of the differences added to each byte."""
        self._put(machine.DIFFER, _unsigned(address - self._cursor), length)
        self._cursor = address + length

    def stored(self, length: int) -> None:
        """Take the next stored bytes."""
        self._put(machine.STORED, length)

    def again(self, back: int, length: int) -> None:
        """Take stored bytes once more, that were taken before; they begin `back` bytes before the next ones."""
        self._put(machine.AGAIN, back, length)

    def text(self, length: int) -> None:
        """Take the next of the text."""
        self._put(machine.TEXT, length)

    def frame(self, length: int) -> None:
        """What follows goes into stored blocks."""
        self._put(machine.FRAME, length)

    def deflate(self, level: int, memory: int, length: int, packed: int) -> None:
        """What follows is deflated by zlib."""
        self._put(machine.DEFLATE, level, memory, length, packed)

    def unframe(self, address: int, length: int) -> None:
        """Make a source of what is in stored blocks."""
        self._put(machine.UNFRAME, address, length)

    def inflate(self, address: int, packed: int, length: int) -> None:
        """Make a source of what is deflated."""
        self._put(machine.INFLATE, address, packed, length)

    def end(self) -> bytes:
        """Return the whole program."""
        self._put(machine.END)
        return bytes(self._code)

    def _put(self, *numbers: int) -> None:
        for number in numbers:
            while number > 127:
                self._code.append(number & 127 | 128)
                number >>= 7
            self._code.append(number)


def _unsigned(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1
