from __future__ import annotations

import base64
import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import BundleError, IntegrityError, UsageError
from bundler.model import openssh_key
from bundler.model.ed25519 import Ed25519Signer
from bundler.model.openssh_key import OpensshKey
from tests.model.keys import OTHER, SIGNER, cut, flipped

PLAIN = openssh_key.compose(SIGNER, b"")


@pytest.fixture(scope="module")
def encrypted() -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openssh_key, "_ROUNDS", 1)
        return openssh_key.compose(SIGNER, b"secret")


def read(content: bytes, password: bytes = b"") -> Ed25519Signer:
    return OpensshKey.parse(content.decode("latin-1"), "k.key").decrypted(password, "k.key")


def spelt(value: bytes) -> bytes:
    lines = base64.encodebytes(value).replace(b"\n", b"")
    return b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + lines + b"\n-----END OPENSSH PRIVATE KEY-----\n"


def inside(content: bytes) -> bytes:
    return base64.b64decode(b"".join(content.splitlines()[1:-1]))


def test_a_key_is_read_as_it_is_written(encrypted: bytes) -> None:
    assert read(PLAIN) == read(encrypted, b"secret") == SIGNER
    assert SIGNER.seed in inside(PLAIN)
    assert SIGNER.seed not in inside(encrypted)


def test_another_password_is_told(encrypted: bytes) -> None:
    for password in (b"", b"Secret", b"secret "):
        with pytest.raises(UsageError, match="password is another"):
            read(encrypted, password)


def test_a_key_whose_halves_are_of_two_keys_is_refused() -> None:
    """`cryptography` compares only the two copies of the public half."""
    with pytest.raises(IntegrityError, match="public half is of another key"):
        read(spelt(inside(PLAIN).replace(SIGNER.seed, OTHER.seed)))


def test_other_kinds_of_keys_are_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    with pytest.raises(IntegrityError, match="not made with an ssh-ed25519 key"):
        read(key)


def test_no_file_asks_for_hours_of_bcrypt(encrypted: bytes) -> None:
    value = inside(encrypted)
    place = value.index(b"bcrypt") + len(b"bcrypt") + 4 + 4 + 16
    assert value[place : place + 4] == b"\0\0\0\1"
    with pytest.raises(IntegrityError, match="rounds"):
        read(spelt(value[:place] + b"\0\1\0\0" + value[place + 4 :]), b"secret")


def test_nothing_cut_or_flipped_is_another_key() -> None:
    for content in (*cut(PLAIN), *flipped(PLAIN)):
        try:
            assert read(content) == SIGNER
        except BundleError as error:
            assert isinstance(error, IntegrityError | UsageError)


@given(st.binary(max_size=300), st.integers(0, 200))
def test_anything_else_is_refused_in_one_way(content: bytes, place: int) -> None:
    good = inside(PLAIN)
    for value in (content, spelt(content), spelt(good[:place] + content)):
        with contextlib.suppress(IntegrityError, UsageError):
            read(value, b"x")


def test_nothing_of_a_key_is_shown() -> None:
    assert "BEGIN" not in repr(OpensshKey.parse(PLAIN.decode(), "k"))
