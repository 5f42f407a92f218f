"""A public Ed25519 key (RFC 8032), as minisign and OpenSSH write it.

minisign (https://jedisct1.github.io/minisign/): base64 of `Ed`, a key id of 8 bytes, and the key. OpenSSH (RFC 4253,
6.6, and RFC 8709): `ssh-ed25519`, and base64 of that word and the key, each after its length.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from bundler.model.ssh_wire import ED25519, string

SIZE = 32
_ID_SIZE = 8
_MINISIGN = b"Ed"
_LONGEST = 1000


@dataclass(frozen=True)
class PublicKey:
    """The key's 32 bytes, and the 8 bytes by which minisign tells keys apart: its own, else derived from the key."""

    raw: bytes
    key_id: bytes

    @classmethod
    def of(cls, raw: bytes) -> PublicKey:
        """The key that is these bytes, with the id that follows from them: the same wherever it is read."""
        return cls(raw, hashlib.sha256(raw).digest()[:_ID_SIZE])

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Parse what minisign or OpenSSH writes of a key, in one line. Raises ValueError."""
        words = text.split()
        if len(text) > _LONGEST or not words:
            raise ValueError("not a public key: a line as in minisign.pub, or one that begins with ssh-ed25519")
        return _openssh(words) if len(words) > 1 else _minisign(words[0])

    @property
    def minisign(self) -> str:
        """The line that minisign reads (`-P`, and the second line of a .pub file)."""
        return base64.b64encode(_MINISIGN + self.key_id + self.raw).decode()

    @property
    def openssh(self) -> str:
        """The two words that OpenSSH reads."""
        return f"{ED25519.decode()} {base64.b64encode(self.blob).decode()}"

    @property
    def blob(self) -> bytes:
        """The key as OpenSSH puts it into signatures and asks agents for it."""
        return string(ED25519) + string(self.raw)

    @property
    def fingerprint(self) -> str:
        """What ssh-keygen -l shows of it."""
        return f"SHA256:{base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip('=')}"


def decoded(text: str) -> bytes:
    """Canonical base64 (RFC 4648, 3.5): whatever else reads as the same bytes is refused. Raises ValueError."""
    try:
        value = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64") from error
    if base64.b64encode(value).decode() != text:
        raise ValueError("not canonical base64")
    return value


def _minisign(word: str) -> PublicKey:
    value = decoded(word)
    if len(value) != len(_MINISIGN) + _ID_SIZE + SIZE or not value.startswith(_MINISIGN):
        raise ValueError("not a public key of minisign")
    return PublicKey(value[-SIZE:], value[len(_MINISIGN) : -SIZE])


def _openssh(words: list[str]) -> PublicKey:
    if words[0] != ED25519.decode():
        raise ValueError("not an ssh-ed25519 key; no other kind is used here")
    blob = decoded(words[1])
    key = PublicKey.of(blob[-SIZE:])
    if blob != key.blob:
        raise ValueError("not a public key of OpenSSH")
    return key
