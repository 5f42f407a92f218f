"""Values of the SSH protocol (RFC 4251, 5), written, and taken from bytes that somebody else wrote."""

from __future__ import annotations

ED25519 = b"ssh-ed25519"
_NUMBER = 4


def string(value: bytes) -> bytes:
    """A string: its length in four bytes, and itself."""
    return len(value).to_bytes(_NUMBER, "big") + value


class Fields:
    """What a value consists of, taken from its start. Every method raises ValueError if it is not there."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    def take(self, size: int) -> bytes:
        """So many bytes."""
        if len(self._value) < size:
            raise ValueError("it is cut short")
        taken, self._value = self._value[:size], self._value[size:]
        return taken

    def number(self) -> int:
        """A number of four bytes."""
        return int.from_bytes(self.take(_NUMBER), "big")

    def string(self) -> bytes:
        """A string, which comes after its length."""
        return self.take(self.number())

    def end(self) -> None:
        """Nothing more."""
        if self._value:
            raise ValueError("it has more in it than it should")


def of_ed25519(value: bytes, size: int) -> bytes:
    """The key or the signature of so many bytes in a value that begins with its type. Raises ValueError for others."""
    fields = Fields(value)
    if fields.string() != ED25519:
        raise ValueError("not made with an ssh-ed25519 key; no other kind is used here")
    raw = fields.string()
    fields.end()
    if len(raw) != size:
        raise ValueError(f"a key or a signature in it has {len(raw)} bytes, not {size}")
    return raw
