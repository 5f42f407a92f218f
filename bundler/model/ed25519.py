"""Ed25519 (RFC 8032): a private key in memory, and whether a signature is a key's.

The curve is `cryptography`'s; it is loaded when something is signed or verified.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from bundler.model.public_key import SIZE, PublicKey

SIGNATURE_SIZE = 64
_PRIME = 2**255 - 19
# The y coordinate of two of the points of order 8; the others' is its negative (libsodium, ge25519_has_small_order).
_OF_ORDER_8 = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
_SMALL = frozenset((0, 1, _PRIME - 1, _OF_ORDER_8, _PRIME - _OF_ORDER_8))


@dataclass(frozen=True)
class Ed25519Signer:
    """A private key in memory: its seed of 32 bytes, and the id that minisign knows it by, if it has one of its own."""

    seed: bytes = field(repr=False)
    key_id: bytes = b""

    def __post_init__(self) -> None:
        """Raise ValueError for a seed of another size."""
        if len(self.seed) != SIZE:
            raise ValueError(f"not a private key of {SIZE} bytes")

    @cached_property
    def public(self) -> PublicKey:
        """The key that others verify with."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        raw = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        return PublicKey(raw, self.key_id) if self.key_id else PublicKey.of(raw)

    def sign(self, message: bytes) -> bytes:
        """The signature of a message, 64 bytes."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


def is_weak(raw: bytes) -> bool:
    """Say whether a public key is one for which anybody can sign, or is spelt otherwise than its owner's would be.

    That is a point of small order, or a coordinate that is not reduced (RFC 8032, 5.1.3); minisign refuses both.
    """
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    return y >= _PRIME or y in _SMALL


def verifies(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """Say whether a signature of a message is this key's. Nothing is a weak key's."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if is_weak(key.raw) or len(signature) != SIGNATURE_SIZE:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
