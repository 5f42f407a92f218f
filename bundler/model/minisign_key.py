"""Private keys in files, as minisign writes them (https://jedisct1.github.io/minisign/, "Secret key format").

A comment, and base64 of: `Ed`; how it is protected (`Sc`: scrypt, or two zeros: not at all); `B2`; salt, operations and
memory of scrypt; then, with scrypt's output over it, the key's id, seed, public half, and the BLAKE2b-256 of all these.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass, field

from bundler.errors import IntegrityError, UsageError
from bundler.model.ed25519 import Ed25519Signer
from bundler.model.public_key import SIZE, decoded

FIRST_WORDS = "untrusted comment:"
_ALGORITHM, _CHECKSUM = b"Ed", b"B2"
_SCRYPT, _PLAIN = b"Sc", b"\0\0"
_SALT, _ID, _DIGEST = 32, 8, 32
_HEAD = struct.Struct(f"<2s2s2s{_SALT}sQQ")
_SECRET = _ID + 2 * SIZE + _DIGEST
# What libsodium calls sensitive takes 1 GiB; nothing here asks for more, whatever a file says.
_MOST_MEMORY, _MOST_OPERATIONS = 1 << 30, 1 << 25
# What is written: 128 MiB, and as much work as goes with it there.
_MEMORY, _OPERATIONS = 1 << 27, 1 << 22


@dataclass(frozen=True)
class MinisignKey:
    """A private key as it stands in a file; `secret` is encrypted unless `is_plain`."""

    is_plain: bool
    salt: bytes
    operations: int
    memory: int
    secret: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str, where: str) -> MinisignKey:
        """Parse what the file holds. Raises IntegrityError."""
        lines = text.split("\n")
        if len(lines) != 3 or lines[2] or not lines[0].startswith(FIRST_WORDS):
            raise IntegrityError(f"{where}: not a private key of minisign: a comment and one line are")
        try:
            content = decoded(lines[1])
        except ValueError as error:
            raise IntegrityError(f"{where}: not a private key of minisign: {error}") from error
        if len(content) != _HEAD.size + _SECRET:
            raise IntegrityError(f"{where}: not a private key of minisign: it has another size")
        algorithm, protection, checksum, salt, operations, memory = _HEAD.unpack_from(content)
        if (algorithm, checksum) != (_ALGORITHM, _CHECKSUM) or protection not in (_SCRYPT, _PLAIN):
            raise IntegrityError(f"{where}: not a private key of minisign: of a form that nobody knows")
        if protection == _SCRYPT and (operations > _MOST_OPERATIONS or memory > _MOST_MEMORY):
            hint = "set its password anew with minisign -C"
            raise IntegrityError(f"{where}: to open it would take more than 1 GiB of memory, or ages", hint)
        return cls(protection == _PLAIN, salt, operations, memory, content[_HEAD.size :])

    def decrypted(self, password: bytes, where: str) -> Ed25519Signer:
        """The key. Raises UsageError if the password is another, IntegrityError if the key contradicts itself."""
        secret = self.secret
        if not self.is_plain:
            secret = _mixed(secret, _stream(password, self.salt, self.operations, self.memory))
        key_id, seed, public, checksum = (
            secret[:_ID],
            secret[_ID : _ID + SIZE],
            secret[_ID + SIZE : -_DIGEST],
            secret[-_DIGEST:],
        )
        # minisign 0.11 leaves the checksum of a key out (zeros) that never had a password.
        if checksum != _digest(secret) and not (self.is_plain and checksum == bytes(_DIGEST)):
            if self.is_plain:
                raise IntegrityError(f"{where}: damaged: its checksum does not fit", "take a copy that is whole")
            raise UsageError(f"{where}: the password is another", "try again; minisign -R tells whether it is right")
        signer = Ed25519Signer(seed, key_id)
        if signer.public.raw != public:
            raise IntegrityError(f"{where}: damaged: its public half is of another key", "take a copy that is whole")
        return signer


def compose(signer: Ed25519Signer, password: bytes, salt: bytes) -> bytes:
    """The file of a key: encrypted with a password and a salt of 32 bytes, or not at all if the password is empty."""
    secret = signer.public.key_id + signer.seed + signer.public.raw
    secret += _digest(secret + bytes(_DIGEST))
    head = _HEAD.pack(_ALGORITHM, _PLAIN, _CHECKSUM, bytes(_SALT), 0, 0)
    if password:
        head = _HEAD.pack(_ALGORITHM, _SCRYPT, _CHECKSUM, salt, _OPERATIONS, _MEMORY)
        secret = _mixed(secret, _stream(password, salt, _OPERATIONS, _MEMORY))
    words = "minisign encrypted secret key" if password else "minisign secret key, not encrypted"
    return f"{FIRST_WORDS} {words}\n{base64.b64encode(head + secret).decode()}\n".encode()


def scrypt_parameters(operations: int, memory: int) -> tuple[int, int, int]:
    """N, r and p of scrypt (RFC 7914) for libsodium's limits (pickparams, crypto_pwhash_scryptsalsa208sha256)."""
    operations, r = max(operations, 32768), 8
    if operations < memory // 32:
        return _power(operations // (r * 4)), r, 1
    n = _power(memory // (r * 128))
    return n, r, max(min(operations // 4 // n, 0x3FFFFFFF) // r, 1)


def _power(most: int) -> int:
    """The power of two that libsodium takes for a number: the least above its half, and at least 2."""
    return next(power for shift in range(1, 64) if (power := 1 << shift) > most // 2)


def _stream(password: bytes, salt: bytes, operations: int, memory: int) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    n, r, p = scrypt_parameters(operations, memory)
    return Scrypt(salt=salt, length=_SECRET, n=n, r=r, p=p).derive(password)


def _mixed(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _digest(secret: bytes) -> bytes:
    """The checksum of an opened key: of its algorithm, id, seed and public half."""
    return hashlib.blake2b(_ALGORITHM + secret[:-_DIGEST], digest_size=_DIGEST).digest()
