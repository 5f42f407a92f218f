from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.model.public_key import PublicKey

KEY = PublicKey.of(bytes(range(32)))


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=8, max_size=8))
def test_what_is_written_is_read_again(raw: bytes, key_id: bytes) -> None:
    key = PublicKey(raw, key_id)
    assert PublicKey.parse(key.minisign) == key
    assert PublicKey.parse(f"{key.openssh} someone@somewhere").raw == raw


@given(st.text(max_size=300))
def test_anything_else_is_refused_in_one_way(text: str) -> None:
    with contextlib.suppress(ValueError):
        PublicKey.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        KEY.minisign[:-4],
        KEY.minisign + "AAAA",
        KEY.minisign[:-1] + "=",
        "ssh-ed25519",
        f"ssh-rsa {KEY.openssh.split()[1]}",
        f"ssh-ed25519 {base64.b64encode(KEY.blob + b'x').decode()}",
        f"ssh-ed25519 {base64.b64encode(KEY.blob[1:]).decode()}",
        f"ssh-ed25519 {KEY.minisign}",
        "A" * 2000,
    ],
)
def test_what_is_cut_or_added_to_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not|no other"):
        PublicKey.parse(text)
