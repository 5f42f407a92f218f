"""Who signs: a key that is at hand, in memory or with an agent."""

from __future__ import annotations

from typing import Protocol

from bundler.model.public_key import PublicKey


class Signer(Protocol):
    """A private Ed25519 key; its bytes are nobody's business."""

    @property
    def public(self) -> PublicKey:
        """The key that others verify with."""

    def sign(self, message: bytes) -> bytes:
        """The signature of a message (RFC 8032), 64 bytes: the same each time. Raises BundleError."""
