"""A signed envelope (DSSE 1.0.2, https://github.com/secure-systems-lab/dsse): what is signed, its type, one signature.

It is one line of JSON in the one form that is written here, so nothing can stand in it that was not looked at. `keyid`
is what `ssh-keygen -l` shows of the key: it follows from the key alone, whichever program the key was made with.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cache
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter

from bundler.errors import IntegrityError
from bundler.model.ed25519 import SIGNATURE_SIZE, is_weak, verifies
from bundler.model.json_text import first_fault, limited
from bundler.model.public_key import PublicKey, decoded
from bundler.model.signing import Signer

# In-toto statements (https://github.com/in-toto/attestation/blob/main/spec/v1/envelope.md).
IN_TOTO = "application/vnd.in-toto+json"
_MOST_VALUES = 10
_STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True)
class Envelope:
    """What was signed, and a signature of it: the key's fingerprint as somebody wrote it there, and 64 bytes."""

    payload: bytes
    key_id: str
    signature: bytes


@dataclass(frozen=True)
class _Signature:
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    keyid: Annotated[str, StringConstraints(pattern=r"^SHA256:[A-Za-z0-9+/]{43}$")]
    sig: Annotated[str, StringConstraints(max_length=100)]


@dataclass(frozen=True)
class _Document:
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    payload: str
    payloadType: Literal["application/vnd.in-toto+json"]  # as the format calls it
    signatures: Annotated[list[_Signature], Field(min_length=1, max_length=1)]


def compose(signer: Signer, payload: bytes) -> bytes:
    """Sign a statement: the envelope's one line. Raises BundleError."""
    return _line(Envelope(payload, signer.public.fingerprint, signer.sign(signed(payload))))


def parse(content: bytes, where: str = "the envelope") -> Envelope:
    """Parse an envelope as `compose` writes it, and nothing beside it. Raises IntegrityError."""
    try:
        document = _adapter().validate_json(limited(content, _MOST_VALUES))
        (one,) = document.signatures
        envelope = Envelope(decoded(document.payload), one.keyid, decoded(one.sig))
        if len(envelope.signature) != SIGNATURE_SIZE:
            raise ValueError("its signature is none of an Ed25519 key")
    except ValueError as error:
        raise IntegrityError(f"{where}: {first_fault(error)}") from error
    if content != _line(envelope):
        raise IntegrityError(f"{where}: is not one line in the form that is written for it")
    return envelope


def fault(envelope: Envelope, key: PublicKey) -> str:
    """Why this is not the key's signature of what is in the envelope, in words; "" if it is."""
    if is_weak(key.raw):
        return "the public key is one for which anybody can sign"
    if envelope.key_id != key.fingerprint:
        return f"made with another key: {envelope.key_id}, not {key.fingerprint}"
    if not verifies(key, envelope.signature, signed(envelope.payload)):
        return "the signature does not fit the content: one of them was changed"
    return ""


def signed(payload: bytes, payload_type: str = IN_TOTO) -> bytes:
    """What is signed for a payload: the pre-authentication encoding (PAE, protocol.md)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _line(envelope: Envelope) -> bytes:
    document = {
        "payload": base64.b64encode(envelope.payload).decode(),
        "payloadType": IN_TOTO,
        "signatures": [{"keyid": envelope.key_id, "sig": base64.b64encode(envelope.signature).decode()}],
    }
    return (json.dumps(document, separators=(",", ":")) + "\n").encode()


@cache
def _adapter() -> TypeAdapter[_Document]:
    return TypeAdapter(_Document)
