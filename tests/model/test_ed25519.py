from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.model.ed25519 import Ed25519Signer, is_weak, verifies
from bundler.model.public_key import PublicKey
from tests.model.keys import OTHER, SIGNER

PRIME = 2**255 - 19
# RFC 8032, 7.1, test 3.
SEED = bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
PUBLIC = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
SIGNATURE = bytes.fromhex(
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
)


def test_a_signature_is_what_the_rfc_says() -> None:
    signer = Ed25519Signer(SEED)
    assert (signer.public, signer.sign(b"\xaf\x82")) == (PublicKey.of(PUBLIC), SIGNATURE)
    assert verifies(signer.public, SIGNATURE, b"\xaf\x82")
    assert not verifies(signer.public, SIGNATURE, b"\xaf\x83")
    assert not verifies(OTHER.public, SIGNATURE, b"\xaf\x82")
    assert not verifies(signer.public, SIGNATURE[:-1], b"\xaf\x82")


def test_a_signature_is_spelt_in_one_way() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    other = SIGNATURE[:32] + (int.from_bytes(SIGNATURE[32:], "little") + order).to_bytes(32, "little")
    assert not verifies(PublicKey.of(PUBLIC), other, b"\xaf\x82")


def small_points() -> list[bytes]:
    """Every spelling of the points whose order is 1, 2, 4 or 8: y, with and without the sign of x."""
    root = pow(2, (PRIME - 1) // 4, PRIME)  # of -1
    d = -121665 * pow(121666, -1, PRIME) % PRIME
    ys = {0, 1, PRIME - 1}
    # The double of a point of order 8 has y = 0, so x² = -y² (RFC 8032, 5.1.4); of the curve's equation is left
    # d y⁴ + 2 y² - 1 = 0.
    for sign in (1, -1):
        square = (-1 + sign * _root(1 + d, root)) * pow(d, -1, PRIME) % PRIME
        for y in {_root(square, root), -_root(square, root) % PRIME}:
            if y * y % PRIME == square:
                ys.add(y)
    spelt = [y + PRIME * more for y in sorted(ys) for more in (0, 1) if y + PRIME * more < 2**255]
    return [(y | sign << 255).to_bytes(32, "little") for y in spelt for sign in (0, 1)]


def _root(square: int, of_minus_one: int) -> int:
    """A square root modulo the prime, if there is one (RFC 8032, 5.1.3)."""
    root = pow(square, (PRIME + 3) // 8, PRIME)
    return root if root * root % PRIME == square % PRIME else root * of_minus_one % PRIME


@pytest.mark.parametrize("raw", small_points(), ids=lambda raw: raw.hex()[:8] + raw.hex()[-4:])
def test_for_a_point_of_small_order_anybody_could_sign(raw: bytes) -> None:
    assert is_weak(raw)


def test_such_a_signature_is_never_good() -> None:
    """The neutral element as key and as R, and s = 0: it fits every message, and OpenSSL says so."""
    neutral = (1).to_bytes(32, "little")
    assert not verifies(PublicKey.of(neutral), neutral + bytes(32), b"whatever")


def test_the_points_are_found() -> None:
    assert len(small_points()) == 2 * (5 + 2)


@given(st.binary(min_size=32, max_size=32))
def test_a_key_that_was_made_is_not_weak(seed: bytes) -> None:
    assert not is_weak(Ed25519Signer(seed).public.raw)


def test_the_seed_is_not_shown() -> None:
    seed = hashlib.sha256(b"a secret").digest()
    shown = repr(Ed25519Signer(seed)) + str(Ed25519Signer(seed))
    assert seed.hex() not in shown
    assert repr(seed)[2:-1] not in shown


def test_a_seed_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Ed25519Signer(bytes(31))


def test_minisigns_own_id_is_kept() -> None:
    assert Ed25519Signer(SIGNER.seed, b"12345678").public == PublicKey(SIGNER.public.raw, b"12345678")
