"""Fingerprints in what gpg lists; the real gpg is asked in tests/payloads/apt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.adapters.openpgp import fingerprints, keyring_of
from bundler.adapters.process import Completed
from bundler.errors import IntegrityError, UnreachableError

ONE, TWO, SUB = "1" * 40, "2" * 40, "3" * 40
LISTING = f"""tru::1:1
pub:-:255:22:0000:1:::-:::scSC::::::23::0:
fpr:::::::::{ONE}:
uid:-::::1::0::fpr:::::::::{SUB}::::::::::0:
sub:-:255:18:0000:1::::::e::::::23:
fpr:::::::::{SUB}:
pub:-:255:22:0000:1:::-:::scSC::::::23::0:
fpr:::::::::{TWO}:
"""


def test_only_primary_keys_count() -> None:
    assert fingerprints(LISTING) == (ONE, TWO)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert all(len(found) == 40 for found in fingerprints(text))


def test_a_subkeys_fingerprint_is_not_the_keys(tmp_path: Path) -> None:
    def run(argv: Sequence[str], env: Mapping[str, str], timeout: float) -> Completed:
        assert "--show-keys" in argv, "nothing is imported"
        assert env["GNUPGHOME"] != "/home/me"
        return Completed(0, LISTING, "")

    (tmp_path / "gpg").write_text("#!/bin/sh\nexit 9\n")
    (tmp_path / "gpg").chmod(0o755)
    with pytest.raises(IntegrityError, match=f"the key of demo: not the key {SUB}; the file has {ONE}, {TWO}"):
        keyring_of(b"key", SUB, "the key of demo", {"PATH": str(tmp_path), "GNUPGHOME": "/home/me"}, run)


def test_without_gpg_the_way_out_is_told(tmp_path: Path) -> None:
    def never(argv: Sequence[str], env: Mapping[str, str], timeout: float) -> Completed:
        raise AssertionError(argv)

    with pytest.raises(UnreachableError, match="gpg is not installed"):
        keyring_of(b"key", ONE, "the key", {"PATH": str(tmp_path)}, never)
