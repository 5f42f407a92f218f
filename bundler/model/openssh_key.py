"""Private keys in files, as OpenSSH writes them (openssh-portable, PROTOCOL.key), read and written by `cryptography`.

What stands before the encrypted part is looked at first: how it is protected, and which key it says it is.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

from bundler.errors import IntegrityError, UsageError
from bundler.model.ed25519 import Ed25519Signer
from bundler.model.public_key import SIZE, PublicKey
from bundler.model.ssh_wire import Fields, of_ed25519

FIRST_WORDS = "-----BEGIN OPENSSH PRIVATE KEY-----"
_ARMOR = re.compile(f"{FIRST_WORDS}\n([A-Za-z0-9+/=\n]+)\n-----END OPENSSH PRIVATE KEY-----\n")
_MAGIC = b"openssh-key-v1\0"
# Of bcrypt: ssh-keygen takes 16 or 24 unless it is told another number (`-a`); a hundred take a second or two.
_MOST_ROUNDS = 1000
_ROUNDS = 64


@dataclass(frozen=True)
class OpensshKey:
    """A private key as it stands in a file, and the public key that the file names."""

    is_plain: bool
    public: PublicKey
    text: str = field(repr=False)

    @classmethod
    def parse(cls, text: str, where: str) -> OpensshKey:
        """Look at what a file holds. Raises IntegrityError."""
        try:
            fields = Fields(_unarmored(text))
            if fields.take(len(_MAGIC)) != _MAGIC:
                raise ValueError("it was cut or changed")
            _, protection, options = fields.string(), fields.string(), fields.string()
            if fields.number() != 1:
                raise ValueError("it holds more than one key")
            public = PublicKey.of(of_ed25519(fields.string(), SIZE))
            if protection == b"bcrypt":
                bcrypt = Fields(options)
                bcrypt.string()
                if bcrypt.number() > _MOST_ROUNDS:
                    raise ValueError(f"to open it would take more than {_MOST_ROUNDS} rounds of bcrypt")
        except ValueError as error:
            hint = "take a copy that is whole; aiws-bundle keygen makes another, and so does ssh-keygen -t ed25519"
            raise IntegrityError(f"{where}: not a private key that can be used: {error}", hint) from error
        return cls(protection == b"none", public, text)

    def decrypted(self, password: bytes, where: str) -> Ed25519Signer:
        """The key. Raises UsageError if the password is another, IntegrityError if the key contradicts itself."""
        from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_ssh_private_key

        try:
            key = load_ssh_private_key(self.text.encode(), None if self.is_plain else password)
        except (ValueError, TypeError, InvalidTag) as error:
            if self.is_plain:
                raise IntegrityError(f"{where}: damaged: it cannot be read", "take a copy that is whole") from error
            raise UsageError(f"{where}: the password is another", "try again; ssh-keygen -y tells if it is") from error
        except UnsupportedAlgorithm as error:
            hint = "set its password anew with ssh-keygen -p"
            raise IntegrityError(f"{where}: encrypted in a way that nobody knows", hint) from error
        signer = Ed25519Signer(key.private_bytes_raw()) if isinstance(key, Ed25519PrivateKey) else None
        if signer is None or signer.public.raw != self.public.raw:
            raise IntegrityError(f"{where}: damaged: its public half is of another key", "take a copy that is whole")
        return signer


def compose(signer: Ed25519Signer, password: bytes) -> bytes:
    """The file of a key: encrypted with a password, or not at all if that is empty. It differs each time."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    protection = (
        PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(_ROUNDS).build(password) if password else NoEncryption()
    )
    key = Ed25519PrivateKey.from_private_bytes(signer.seed)
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, protection)


def _unarmored(text: str) -> bytes:
    match = _ARMOR.fullmatch(text)
    try:
        return base64.b64decode(match[1].replace("\n", ""), validate=True) if match else b""
    except binascii.Error as error:
        raise ValueError("it was cut or changed") from error
