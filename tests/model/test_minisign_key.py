from __future__ import annotations

import base64
import contextlib
import ctypes.util
import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import BundleError, IntegrityError, UsageError
from bundler.model import minisign_key
from bundler.model.ed25519 import Ed25519Signer
from bundler.model.minisign_key import MinisignKey, scrypt_parameters
from tests.model.keys import OTHER, SIGNER, cut, flipped

OWN_ID = Ed25519Signer(SIGNER.seed, b"12345678")
SALT = bytes(range(100, 132))
PLAIN = minisign_key.compose(OWN_ID, b"", SALT)


@pytest.fixture(scope="module")
def encrypted() -> bytes:
    """A key whose password is `secret`, and that takes no time to open."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minisign_key, "_OPERATIONS", 32768)
        patch.setattr(minisign_key, "_MEMORY", 1 << 20)
        return minisign_key.compose(OWN_ID, b"secret", SALT)


def read(content: bytes, password: bytes = b"") -> Ed25519Signer:
    return MinisignKey.parse(content.decode("latin-1"), "k.minisign").decrypted(password, "k.minisign")


def changed(content: bytes, place: int, put: bytes) -> bytes:
    """A key file in which some bytes of what its second line holds are others."""
    comment, line, _ = content.split(b"\n")
    value = bytearray(base64.b64decode(line))
    value[place : place + len(put)] = put
    return comment + b"\n" + base64.b64encode(value) + b"\n"


def test_a_key_is_read_as_it_is_written(encrypted: bytes) -> None:
    assert read(PLAIN) == read(encrypted, b"secret") == OWN_ID
    assert base64.b64encode(SIGNER.seed) not in encrypted
    assert SIGNER.seed not in base64.b64decode(encrypted.splitlines()[1])


def test_another_password_is_told(encrypted: bytes) -> None:
    for password in (b"", b"Secret", b"secret "):
        with pytest.raises(UsageError, match="password is another"):
            read(encrypted, password)


def test_minisigns_own_unencrypted_keys_have_no_checksum() -> None:
    assert read(changed(PLAIN, 126, bytes(32))) == OWN_ID


@pytest.mark.parametrize(
    ("place", "put", "why"),
    [
        (0, b"ED", "a form that nobody knows"),
        (2, b"XX", "a form that nobody knows"),
        (4, b"B3", "a form that nobody knows"),
        (54, b"x", "checksum does not fit"),
        (62, b"x", "checksum does not fit"),
        (94, OTHER.public.raw + bytes(32), "public half is of another key"),
        (126, b"x", "checksum does not fit"),
    ],
    ids=["algorithm", "protection", "checksum", "id", "seed", "public", "digest"],
)
def test_a_key_that_contradicts_itself_is_refused(place: int, put: bytes, why: str) -> None:
    with pytest.raises(IntegrityError, match=why):
        read(changed(PLAIN, place, put))


@pytest.mark.parametrize(
    ("operations", "memory"), [(1 << 25, (1 << 30) + 1), ((1 << 25) + 1, 1 << 30), (2**64 - 1, 2**64 - 1)]
)
def test_no_file_asks_for_more_than_a_gigabyte(operations: int, memory: int) -> None:
    asking = changed(changed(PLAIN, 2, b"Sc"), 38, struct.pack("<QQ", operations, memory))
    with pytest.raises(IntegrityError, match="more than 1 GiB"):
        MinisignKey.parse(asking.decode(), "k")


def test_nothing_cut_or_flipped_is_another_key() -> None:
    start = PLAIN.index(b"\n") + 1
    for content in (*cut(PLAIN), *(one for one in flipped(PLAIN) if one[:start] == PLAIN[:start])):
        try:
            assert read(content) == OWN_ID  # salt and limits mean nothing here
        except BundleError as error:
            assert isinstance(error, IntegrityError)


@given(st.binary(max_size=250))
def test_anything_else_is_refused_in_one_way(content: bytes) -> None:
    for text in (content, b"untrusted comment: x\n" + base64.b64encode(content) + b"\n"):
        with contextlib.suppress(IntegrityError):
            MinisignKey.parse(text.decode("latin-1"), "k")


def test_parameters_are_those_of_libsodiums_presets() -> None:
    assert scrypt_parameters(1 << 25, 1 << 30) == (1 << 20, 8, 1)  # sensitive
    assert scrypt_parameters(1 << 19, 1 << 24) == (1 << 14, 8, 1)  # interactive
    assert scrypt_parameters(1 << 22, 1 << 27) == (1 << 17, 8, 1)


LIBRARY = ctypes.util.find_library("sodium") or ""


@pytest.mark.slow
@pytest.mark.skipif(not LIBRARY, reason="libsodium is not installed")
@pytest.mark.parametrize("operations", [1, 32768, 50_000, 1 << 17, 1 << 20])
@pytest.mark.parametrize("memory", [1 << 16, 3_000_000, 1 << 22, 1 << 25])
def test_libsodium_derives_the_same(operations: int, memory: int) -> None:
    sodium = ctypes.CDLL(LIBRARY)
    out = ctypes.create_string_buffer(minisign_key._SECRET)
    integer, size = ctypes.c_ulonglong, ctypes.c_size_t
    done = sodium.crypto_pwhash_scryptsalsa208sha256(
        out, integer(len(out)), b"secret", integer(6), SALT, integer(operations), size(memory)
    )
    assert done == 0
    assert out.raw == minisign_key._stream(b"secret", SALT, operations, memory)


def test_nothing_of_a_key_is_shown() -> None:
    key = MinisignKey.parse(PLAIN.decode(), "k")
    shown = repr(key) + repr(read(PLAIN)) + str(key)
    assert repr(SIGNER.seed)[2:-1] not in shown
    assert PLAIN.split()[-1].decode() not in shown


def test_the_checksum_is_blake2b() -> None:
    secret = base64.b64decode(PLAIN.splitlines()[1])[54:]
    assert secret[72:] == hashlib.blake2b(b"Ed" + secret[:72], digest_size=32).digest()
