"""Envelopes: what is written is read again, and nothing else is."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.errors import IntegrityError
from bundler.model import dsse
from bundler.model.ed25519 import Ed25519Signer, verifies
from bundler.model.public_key import PublicKey
from tests.model.keys import OTHER, SIGNER, cut, flipped
from tests.model.samples import examples

STATEMENT = b'{"_type":"https://in-toto.io/Statement/v1"}'
ENVELOPE = dsse.compose(SIGNER, STATEMENT)


def test_what_is_signed_is_as_the_specification_shows() -> None:
    """https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md, test vectors."""
    assert dsse.signed(b"hello world", "http://example.com/HelloWorld") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert dsse.signed(b"") == b"DSSEv1 28 application/vnd.in-toto+json 0 "


def test_it_is_one_line_of_json_with_the_fields_of_the_format() -> None:
    assert ENVELOPE.count(b"\n") == 1 and ENVELOPE.endswith(b"}\n")
    document = json.loads(ENVELOPE)
    assert document.keys() == {"payload", "payloadType", "signatures"}
    assert base64.b64decode(document["payload"]) == STATEMENT
    assert document["payloadType"] == "application/vnd.in-toto+json"
    (signature,) = document["signatures"]
    assert signature["keyid"] == SIGNER.public.fingerprint
    message = dsse.signed(STATEMENT)
    assert verifies(SIGNER.public, base64.b64decode(signature["sig"]), message)


@given(st.binary(max_size=500), st.binary(min_size=32, max_size=32))
@settings(max_examples=examples(50))
def test_what_is_written_is_read_again(payload: bytes, seed: bytes) -> None:
    signer = Ed25519Signer(seed)
    envelope = dsse.parse(dsse.compose(signer, payload))
    assert envelope.payload == payload
    assert dsse.fault(envelope, signer.public) == ""
    assert dsse.fault(envelope, OTHER.public).startswith("made with another key: ")


@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
@settings(max_examples=examples(200))
def test_anything_else_is_refused_in_one_way(content: bytes) -> None:
    with contextlib.suppress(IntegrityError):
        dsse.parse(content)


def test_no_changed_byte_passes() -> None:
    for changed in flipped(ENVELOPE):
        try:
            envelope = dsse.parse(changed)
        except IntegrityError:
            continue
        assert dsse.fault(envelope, SIGNER.public)


def test_nothing_cut_short_and_nothing_after_it_passes() -> None:
    for changed in cut(ENVELOPE):
        with pytest.raises(IntegrityError):
            dsse.parse(changed)


def changed(**values: object) -> bytes:
    return (json.dumps({**json.loads(ENVELOPE), **values}, separators=(",", ":")) + "\n").encode()


ONE = json.loads(ENVELOPE)["signatures"][0]
PAYLOAD = json.loads(ENVELOPE)["payload"]


@pytest.mark.parametrize(
    "content",
    [
        ENVELOPE + ENVELOPE,
        b" " + ENVELOPE,
        ENVELOPE.rstrip(b"\n"),
        ENVELOPE.replace(b"\n", b"\r\n"),
        ENVELOPE.replace(b'":"', b'": "'),
        ENVELOPE.replace(b'{"payload"', b'{"payload":"","payload"'),
        json.dumps(json.loads(ENVELOPE), indent=1).encode() + b"\n",
        changed(payloadType="application/vnd.in-toto+JSON"),
        changed(payload=PAYLOAD + "="),
        changed(payload=PAYLOAD.replace("=", "") + "\n"),
        changed(payload=PAYLOAD[:-2] + "h" if PAYLOAD.endswith("=") else PAYLOAD + "==="),
        changed(payload=[1]),
        changed(signatures=[]),
        changed(signatures=[ONE, ONE]),
        changed(signatures=[{**ONE, "sig": ONE["sig"][4:]}]),
        changed(signatures=[{**ONE, "keyid": ""}]),
        changed(signatures=[{**ONE, "more": "x"}]),
        changed(more=1),
        b"[" * 100_000,
    ],
    ids=[str(number) for number in range(19)],
)
def test_other_spellings_are_refused(content: bytes) -> None:
    with pytest.raises(IntegrityError):
        dsse.parse(content, "x.intoto.jsonl")


def test_a_key_for_which_anybody_can_sign_counts_for_nothing() -> None:
    weak = PublicKey.of(bytes([1, *bytes(31)]))
    assert "anybody can sign" in dsse.fault(dsse.parse(ENVELOPE), weak)


def test_a_signature_of_something_else_is_told_from_one_of_another_key() -> None:
    other = dsse.compose(SIGNER, STATEMENT + b" ")
    mixed = changed(signatures=json.loads(other)["signatures"])
    assert "was changed" in dsse.fault(dsse.parse(mixed), SIGNER.public)
