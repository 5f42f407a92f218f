"""Signatures as `ssh-keygen -Y sign` writes them (openssh-portable, PROTOCOL.sshsig), made with Ed25519 keys.

What is signed is the hash of the content with a namespace, so that no signature means something else elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass
from textwrap import wrap
from typing import Final

from bundler.errors import IntegrityError
from bundler.model.ed25519 import SIGNATURE_SIZE, is_weak, verifies
from bundler.model.public_key import SIZE, PublicKey, decoded
from bundler.model.signing import Signer
from bundler.model.ssh_wire import ED25519, Fields, of_ed25519, string

LARGEST = 4000
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_WIDTH = 70
_MAGIC = b"SSHSIG"
_VERSION = 1
_HASH: Final = "sha512"
_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}
_LONGEST_NAMESPACE = 500


@dataclass(frozen=True)
class SshSignature:
    """A signature: the key that it says it is of, its namespace, the hash (`sha256`, `sha512`), and its 64 bytes."""

    key: PublicKey
    namespace: str
    hash: str
    signature: bytes


def compose(signer: Signer, content: bytes, namespace: str) -> bytes:
    """Sign a content for a namespace. Raises ValueError if that is no word of ASCII, BundleError."""
    if not _is_namespace(namespace):
        raise ValueError("a namespace is one word")
    signature = signer.sign(_signed(namespace, _HASH, content))
    blob = b"".join(
        (
            _MAGIC,
            struct.pack(">I", _VERSION),
            string(signer.public.blob),
            string(namespace.encode()),
            string(b""),
            string(_HASH.encode()),
            string(string(ED25519) + string(signature)),
        )
    )
    return _armored(blob)


def parse(content: bytes, where: str = "the signature") -> SshSignature:
    """Parse a signature of the one form that ssh-keygen writes for a key of Ed25519. Raises IntegrityError."""
    try:
        return _parsed(content)
    except ValueError as error:
        raise IntegrityError(f"{where}: {error}") from error


def fault(signature: SshSignature, key: PublicKey, content: bytes, namespace: str) -> str:
    """Why this is not the key's signature of a content for a namespace, in words; "" if it is."""
    if is_weak(key.raw):
        return "the public key is one for which anybody can sign"
    if signature.key.raw != key.raw:
        return f"made with another key: {signature.key.fingerprint}, not {key.fingerprint}"
    if signature.namespace != namespace:
        return f"made for something else: its namespace is {signature.namespace}, not {namespace}"
    if not verifies(key, signature.signature, _signed(namespace, signature.hash, content)):
        return "the signature does not fit the content: one of them was changed"
    return ""


def _signed(namespace: str, name: str, content: bytes) -> bytes:
    """What is signed for a content."""
    digest = _HASHES[name](content).digest()
    return _MAGIC + string(namespace.encode()) + string(b"") + string(name.encode()) + string(digest)


def _armored(blob: bytes) -> bytes:
    lines = (_BEGIN, *wrap(base64.b64encode(blob).decode(), _WIDTH), _END)
    return "".join(f"{line}\n" for line in lines).encode()


def _parsed(content: bytes) -> SshSignature:
    if len(content) > LARGEST or not content.isascii():
        raise ValueError("not a signature of ssh-keygen: not text, or too much of it")
    first, *lines = content.decode().split("\n")
    if first != _BEGIN or lines[-2:] != [_END, ""]:
        raise ValueError(f"not a signature of ssh-keygen: it has to begin with {_BEGIN} and to end with {_END}")
    blob = decoded("".join(lines[:-2]))
    if _armored(blob) != content:
        raise ValueError(f"not a signature of ssh-keygen: its lines are not of {_WIDTH} characters")
    fields = Fields(blob)
    if fields.take(len(_MAGIC)) != _MAGIC or fields.number() != _VERSION:
        raise ValueError(f"not a signature of version {_VERSION} of ssh-keygen's format")
    key, namespace, reserved, name, signature = (fields.string() for _ in range(5))
    fields.end()
    public = PublicKey.of(of_ed25519(key, SIZE))
    if reserved:
        raise ValueError("it holds what nobody knows the meaning of (`reserved`)")
    if name.decode("ascii") not in _HASHES:
        raise ValueError(f"not hashed with one of {', '.join(_HASHES)}")
    if not _is_namespace(namespace.decode("ascii")):
        raise ValueError("its namespace is not one word")
    return SshSignature(public, namespace.decode(), name.decode(), of_ed25519(signature, SIGNATURE_SIZE))


def _is_namespace(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text and 0 < len(text) <= _LONGEST_NAMESPACE
