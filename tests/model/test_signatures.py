"""Whose signatures count: by key, by day, by what was signed; and how many are enough."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.model import minisign, sshsig
from bundler.model.ed25519 import Ed25519Signer
from bundler.model.floor import Floor
from bundler.model.signatures import Demand, Signed, file_name, form_of, is_further, judge
from bundler.model.statement import Statement
from bundler.model.trust import Required, Revoked, Trust, TrustedKey
from tests.model.keys import CONTENT, cut, flipped
from tests.model.samples import PROPERTY

DAY = date(2026, 11, 29)
MAKER, NEXT, ALICE, BOB, STRANGER = (Ed25519Signer(bytes([number]) * 32) for number in range(1, 6))
DIGEST = hashlib.sha256(CONTENT).hexdigest()
SAID = Statement("v1", "c" * 40, DIGEST, "2026-01-01T00:00:00Z")
MINISIG, SSHSIG = file_name("minisign"), file_name("ssh")


def key(name: str, signer: Ed25519Signer, role: str = "release") -> TrustedKey:
    return TrustedKey(name, signer.public.openssh, "release" if role == "release" else "rebuilder")


KEYS = (
    key("maker", MAKER),
    key("next", NEXT),
    key("alice", ALICE, "rebuilder"),
    key("bob", BOB, "rebuilder"),
)
TRUST = Trust(KEYS)


def signed(signer: Ed25519Signer, name: str = "", said: Statement = SAID) -> dict[str, bytes]:
    return {
        file_name("minisign", name): minisign.compose(signer, CONTENT, said.comment),
        file_name("ssh", name): sshsig.compose(signer, CONTENT, said.namespace),
    }


def judged(files: Mapping[str, bytes], trust: Trust = TRUST, day: date = DAY, **more: object) -> Signed:
    return judge(CONTENT, files, trust, day, SAID, Demand(**more))  # type: ignore[arg-type]


def messages(found: Signed) -> list[str]:
    return [one.message.splitlines()[0] for one in found.findings if one.grade == "integrity"]


def test_the_names_of_files() -> None:
    assert (file_name("ssh", "bob@x.org"), form_of("SHA256SUMS.bob.x.org.sig")) == ("SHA256SUMS.bob.x.org.sig", "ssh")
    others = ["SHA256SUMS", "SHA256SUMS.asc", "SHA256SUMS.sig.", "xSHA256SUMS.sig", "SHA256SUMSsig", "a.tar.gz.sig"]
    assert [form_of(name) for name in others] == [None] * len(others)
    assert [is_further(name) for name in (MINISIG, SSHSIG, "SHA256SUMS.a.sig")] == [False, False, True]


def test_a_key_counts_once_in_whatever_forms() -> None:
    found = judged(signed(MAKER) | signed(MAKER, "again"))
    assert (messages(found), list(found.signers)) == ([], ["maker"])
    assert messages(judged(signed(MAKER) | signed(MAKER, "again"), least=2)) == [
        "SHA256SUMS: signed by 1 key, and 2 must have signed it, whoever they are"
    ]
    assert found.said == SAID


def test_each_role_has_a_number_of_its_own() -> None:
    trust = replace(TRUST, require=Required(release=1, rebuilder=2))
    both = signed(MAKER) | signed(ALICE, "alice") | signed(BOB, "bob")
    assert messages(judged(both, trust)) == []
    assert messages(judged(signed(MAKER) | signed(NEXT, "next") | signed(ALICE, "alice"), trust)) == [
        "SHA256SUMS: signed by 1 rebuilder key, and 2 must have signed it, of those that trust.yaml names"
    ]
    assert messages(judged(signed(ALICE) | signed(BOB, "bob"), trust))[0].startswith("SHA256SUMS: signed by no release")
    assert messages(judged({}, trust, least=0)) == []


def test_one_of_several_keys_for_releases_is_enough_while_they_are_exchanged() -> None:
    for signer, name in ((MAKER, "maker"), (NEXT, "next")):
        assert list(judged(signed(signer)).signers) == [name]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"valid_until": DAY}, "good"),
        ({"valid_until": date(2026, 11, 28)}, "expired"),
        ({"valid_from": DAY}, "good"),
        ({"valid_from": date(2026, 11, 30)}, "not yet valid"),
        ({"revoked": Revoked(DAY, "lost")}, "revoked"),
        ({"revoked": Revoked(date(2026, 11, 30), "lost")}, "good"),
    ],
)
def test_a_key_has_its_days(change: dict[str, date | Revoked], state: str) -> None:
    trust = Trust((replace(KEYS[0], **change),))  # type: ignore[arg-type]
    found = judged(signed(MAKER), trust)
    assert {one.state for one in found.signatures} == {state}
    assert bool(messages(found)) == (state != "good")
    assert all(one.signer == "maker" for one in found.signatures)


@pytest.mark.parametrize("name", [MINISIG, SSHSIG])
def test_no_changed_byte_counts(name: str) -> None:
    """The only thing of a file that is not signed is minisign's first line, which says so."""
    good, trust = signed(MAKER)[name], Trust((TrustedKey("maker", MAKER.public.minisign),))
    first = len(good.split(b"\n")[0]) if name == MINISIG else 0
    for changed in [*flipped(good), *cut(good)]:
        if changed[first:] != good[first:]:
            assert judged({name: changed}, trust).good == (), changed


@PROPERTY
@given(st.binary(max_size=300))
def test_whatever_stands_in_a_file_is_judged(content: bytes) -> None:
    found = judged({MINISIG: content, SSHSIG: content})
    assert [one.state for one in found.signatures] == ["wrong", "wrong"]
    assert len(messages(found)) == 3


@pytest.mark.parametrize(
    "other",
    [replace(SAID, tag="v0"), replace(SAID, tag="")],
    ids=["another release", "a folder"],
)
def test_a_good_signature_of_another_release_is_wrong(other: Statement) -> None:
    found = judged(signed(MAKER, said=other))
    assert [one.state for one in found.signatures] == ["wrong", "wrong"]


def test_a_good_signature_of_an_older_list_is_wrong() -> None:
    older = b"0" + CONTENT
    files = {
        MINISIG: minisign.compose(MAKER, older, replace(SAID, sha256=hashlib.sha256(older).hexdigest()).comment),
        SSHSIG: sshsig.compose(MAKER, older, SAID.namespace),
    }
    assert judged(files).good == ()
    lying = minisign.compose(MAKER, CONTENT, replace(SAID, sha256="0" * 64).comment)
    assert judged({MINISIG: lying}).signatures[0].why.startswith("of another SHA256SUMS")


def test_two_good_signatures_of_two_releases_contradict_each_other_where_none_is_known() -> None:
    files = {MINISIG: signed(MAKER)[MINISIG], SSHSIG: signed(MAKER, said=replace(SAID, tag="v0"))[SSHSIG]}
    found = judge(CONTENT, files, TRUST, DAY)
    assert messages(found)[0].startswith("SHA256SUMS: its signatures are of two releases: ")


def test_an_unknown_key_is_wrong_in_the_first_place_and_nothing_in_another() -> None:
    found = judged(signed(STRANGER))
    assert len(messages(found)) == 3
    found = judged(signed(MAKER) | signed(STRANGER, "carol"))
    assert messages(found) == []
    assert [one.grade for one in found.findings] == ["note", "note"]


def test_an_unknown_key_s_signature_of_something_else_is_wrong_all_the_same() -> None:
    other = sshsig.compose(STRANGER, b"other", SAID.namespace)
    assert messages(judged(signed(MAKER) | {"SHA256SUMS.carol.sig": other}))[0].startswith("SHA256SUMS.carol.sig: does")


def test_an_id_of_a_key_is_no_proof_of_it() -> None:
    """Whoever signs chooses the id that minisign's form tells; and a key of minisign's own has one of its own."""
    forged = Ed25519Signer(STRANGER.seed, MAKER.public.key_id)
    assert judged({MINISIG: signed(forged)[MINISIG]}).signatures[0].state == "wrong"
    own = Ed25519Signer(MAKER.seed, b"12345678")
    assert list(judged(signed(own)).signers) == ["maker"]


def test_where_no_key_is_known_it_is_told_and_nothing_more() -> None:
    found = judged(signed(MAKER), Trust())
    (one,) = found.findings
    assert (one.grade, "not proven" in one.message, MINISIG in one.message) == ("note", True, True)
    assert judged({}, Trust()).findings[0].grade == "note"
    assert judged(signed(MAKER), Trust(), least=1).findings[0].grade == "integrity"
    assert judged({MINISIG: b"x"}, Trust()).findings[0].grade == "integrity"


def test_what_counts_says_how_old_it_is() -> None:
    assert messages(judged(signed(MAKER), floor=Floor("", "2026-01-01T00:00:00Z"))) == []
    assert messages(judged(signed(MAKER), floor=Floor("", "2026-01-02T00:00:00Z"))) == [
        "SHA256SUMS: older than asked for"
    ]
    assert "cannot be told" in messages(judged(signed(STRANGER), floor=Floor("", "2026-01-01T00:00:00Z")))[-1]
