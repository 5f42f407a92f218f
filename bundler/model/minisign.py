"""Signatures and public keys in files, as minisign writes them (https://jedisct1.github.io/minisign/).

A signature has four lines: an untrusted comment, which nothing protects; base64 of the algorithm, the key's id and the
signature of the content; a trusted comment; and base64 of the signature of both the signature and the trusted comment.
Only prehashed signatures (`ED`: of the content's BLAKE2b-512) are written and read; minisign makes no others by itself.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache

from bundler.errors import IntegrityError
from bundler.model.ed25519 import SIGNATURE_SIZE, is_weak, verifies
from bundler.model.public_key import PublicKey, decoded
from bundler.model.signing import Signer

# What minisign's own buffers hold of each line, its end among it.
_LONGEST_UNTRUSTED, _LONGEST_TRUSTED = 1023, 8191
LARGEST = 10_000
_HASHED, _LEGACY = b"ED", b"Ed"
_ID_SIZE = 8
_UNTRUSTED, _TRUSTED = "untrusted comment: ", "trusted comment: "


@dataclass(frozen=True)
class Minisig:
    """A signature: the id of its key, the signature of the content, the trusted comment, the signature of both."""

    key_id: bytes
    signature: bytes
    comment: str
    global_signature: bytes


@dataclass(frozen=True)
class PublicFile:
    """A `minisign.pub`: two lines, of which the first is a comment that names the key's id."""

    key: PublicKey

    def compose(self) -> bytes:
        """The file, as minisign writes it."""
        return f"{_UNTRUSTED}minisign public key {shown_id(self.key.key_id)}\n{self.key.minisign}\n".encode()

    @classmethod
    def parse(cls, content: bytes, where: str = "the public key") -> PublicFile:
        """Parse such a file, whatever its comment says. Raises IntegrityError."""
        comment, key = _lines(content, 2, where)
        _text_after(_UNTRUSTED, comment, _LONGEST_UNTRUSTED, where)
        try:
            parsed = PublicKey.parse(key)
        except ValueError as error:
            raise IntegrityError(f"{where}: {error}") from error
        if parsed.minisign != key:
            raise IntegrityError(f"{where}: not a public key of minisign")
        return cls(parsed)


def compose(signer: Signer, content: bytes, comment: str) -> bytes:
    """Sign a content, and with it a comment of one line. Raises ValueError for another comment, BundleError."""
    public = signer.public
    if not _is_line(comment) or len(f"{_TRUSTED}{comment}\n".encode()) > _LONGEST_TRUSTED:
        raise ValueError("a trusted comment is one line of text")
    signature = signer.sign(_hash(content))
    global_signature = signer.sign(signature + comment.encode())
    lines = (
        f"{_UNTRUSTED}signature from minisign secret key {shown_id(public.key_id)}",
        base64.b64encode(_HASHED + public.key_id + signature).decode(),
        f"{_TRUSTED}{comment}",
        base64.b64encode(global_signature).decode(),
    )
    return "".join(f"{line}\n" for line in lines).encode()


def parse(content: bytes, where: str = "the signature") -> Minisig:
    """Parse a signature of the one form that `compose` writes, whatever its comments say. Raises IntegrityError."""
    untrusted, first, trusted, second = _lines(content, 4, where)
    _text_after(_UNTRUSTED, untrusted, _LONGEST_UNTRUSTED, where)
    comment = _text_after(_TRUSTED, trusted, _LONGEST_TRUSTED, where)
    try:
        value, global_signature = decoded(first), decoded(second)
    except ValueError as error:
        raise IntegrityError(f"{where}: {error}") from error
    algorithm, key_id, signature = value[:2], value[2 : 2 + _ID_SIZE], value[2 + _ID_SIZE :]
    if algorithm == _LEGACY:
        hint = "sign it again with minisign 0.11 or later, and without -l"
        raise IntegrityError(f"{where}: of the legacy algorithm, which does not hash what is signed", hint)
    if algorithm != _HASHED or (len(signature), len(global_signature)) != (SIGNATURE_SIZE, SIGNATURE_SIZE):
        raise IntegrityError(f"{where}: not a signature of minisign")
    return Minisig(key_id, signature, comment, global_signature)


def fault(signature: Minisig, key: PublicKey, content: bytes) -> str:
    """Why this is not the key's signature of a content, in words; "" if it is."""
    if is_weak(key.raw):
        return "the public key is one for which anybody can sign"
    if signature.key_id != key.key_id:
        return f"made with another key: {shown_id(signature.key_id)}, not {shown_id(key.key_id)}"
    if not verifies(key, signature.signature, _hash(content)):
        return "the signature does not fit the content: one of them was changed, or another key made it"
    if not verifies(key, signature.global_signature, signature.signature + signature.comment.encode()):
        return "the trusted comment was changed"
    return ""


def shown_id(key_id: bytes) -> str:
    """A key's id as minisign shows it: the bytes are a number, the lowest first."""
    return key_id[::-1].hex().upper()


@lru_cache(maxsize=1)
def _hash(content: bytes) -> bytes:
    return hashlib.blake2b(content).digest()


def _lines(content: bytes, number: int, where: str) -> list[str]:
    """The lines of a file that has exactly so many, each ended. Raises IntegrityError."""
    if len(content) > LARGEST:
        raise IntegrityError(f"{where}: larger than {LARGEST} bytes, so not of minisign")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise IntegrityError(f"{where}: not text, so not of minisign") from error
    *lines, rest = text.split("\n")
    if rest or len(lines) != number or not all(map(_is_line, lines)):
        raise IntegrityError(f"{where}: not {number} lines of plain text, each with its end (LF), so not of minisign")
    return lines


def _text_after(prefix: str, line: str, longest: int, where: str) -> str:
    if not line.startswith(prefix) or len(line.encode()) >= longest:
        raise IntegrityError(f"{where}: no line that begins with {prefix.strip()!r}, or too long a one")
    return line.removeprefix(prefix)


def _is_line(text: str) -> bool:
    """Say whether a text is one line that a terminal shows; minisign's own comments have tabs."""
    return text.replace("\t", " ").isprintable()
