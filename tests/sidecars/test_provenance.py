"""Provenance: made of what the archive tells, the same each time, and refused for every other archive."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from bundler.errors import IntegrityError
from bundler.kinds import materials_of
from bundler.model import dsse, intoto
from bundler.model.intoto import Statement
from bundler.model.materials import Builder, Material, Sources
from bundler.model.sidecar import SidecarFacts, UnreadError
from bundler.model.trust import Required, Revoked, Trust, TrustedKey
from bundler.model.verdict import Finding
from bundler.sidecars import provenance
from tests.model.keys import OTHER, SIGNER, cut, flipped

NAME = "litellm-runtime-debian-12-amd64.tar.gz"
BESIDE = f"{NAME}.intoto.jsonl"
DAY = date(2026, 11, 29)
KEY = TrustedKey("maker", SIGNER.public.openssh)
TRUST = Trust(keys=(KEY,))


@pytest.fixture(scope="module")
def archive(dist_of: Callable[[str], Path]) -> Path:
    return dist_of("debian-12-amd64") / NAME


def facts_over(archive: Path, beside: bytes | None = None) -> SidecarFacts:
    """What the sidecar is told of an archive, and of what stands beside it."""
    content = archive.read_bytes()

    def read(name: str) -> Iterator[bytes]:
        if name == BESIDE and beside is not None:
            return iter((beside,))
        raise UnreadError(name)

    files = {NAME: (len(content), hashlib.sha256(content).hexdigest())}
    told = materials_of(archive, NAME)
    return SidecarFacts(
        files, read, NAME, signer=SIGNER, trust=TRUST, today=DAY, materials=lambda name: told, builder=Builder("urn:x")
    )


@pytest.fixture(scope="module")
def facts(archive: Path) -> SidecarFacts:
    return facts_over(archive)


@pytest.fixture(scope="module")
def made(facts: SidecarFacts) -> bytes:
    content = provenance.render(facts)
    assert content is not None
    return content


def told(content: bytes | None, facts: SidecarFacts) -> list[Finding]:
    return list(provenance.findings(content, facts))


def again(made: bytes, **changes: object) -> bytes:
    """The same statement with other words in it, signed anew by its own key."""
    _, statement = provenance.parse(made, NAME)
    return dsse.compose(SIGNER, intoto.render(replace(statement, **changes)))  # type: ignore[arg-type]


def test_without_a_signer_there_is_none(facts: SidecarFacts) -> None:
    assert provenance.render(replace(facts, signer=None)) is None
    assert told(None, facts) == []


def test_it_tells_what_the_archive_was_made_of(facts: SidecarFacts, made: bytes) -> None:
    _, statement = provenance.parse(made, NAME)
    assert (statement.name, statement.sha256) == (NAME, facts.files[NAME][1])
    said = statement.materials
    assert (said.command, said.component, said.target) == ("build", "litellm", "debian-12-amd64")
    assert said.epoch == 315532800
    wheels = {item.name: item.uri for item in said.items if item.kind == "wheel"}
    assert wheels["litellm-1.0-py3-none-any.whl"] == "pkg:pypi/litellm@1.0"
    assert [item.name for item in said.items if item.kind == "lock"] == ["metadata/pylock.toml"]
    assert b"127.0.0.1" not in dsse.parse(made).payload, "an index is never named"
    assert told(made, facts) == []


def test_it_is_the_same_each_time_and_what_is_there_stays(archive: Path, facts: SidecarFacts, made: bytes) -> None:
    assert provenance.render(facts) == made
    elsewhere = replace(facts_over(archive, made), builder=Builder("urn:elsewhere", run="https://run/2"))
    assert provenance.render(elsewhere) == made
    for other in (dsse.compose(OTHER, dsse.parse(made).payload), made[:-1], b"", again(made, sha256="0" * 64)):
        assert provenance.render(facts_over(archive, other)) == made


def test_manifests_at_hand_are_told_only_if_they_make_this_archive(facts: SidecarFacts) -> None:
    known = facts.materials(NAME)
    assert known is not None
    said = Material("manifest", "litellm.yaml", "1" * 64)
    for inputs, items in ((known.inputs, {said}), ("0" * 64, set())):
        sources = {NAME: Sources(inputs, (said,), {})}
        content = provenance.render(replace(facts, sources=sources)) or b""
        assert {item for item in provenance.parse(content, NAME)[1].items if item.kind == "manifest"} == items
        assert told(content, facts) == []


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (TrustedKey("other", OTHER.public.openssh), "which trust.yaml does not name"),
        (replace(KEY, role="rebuilder"), "is a rebuilder's"),
        (replace(KEY, valid_until=date(2026, 11, 28)), "was valid until 2026-11-28"),
        (replace(KEY, valid_from=date(2026, 11, 30)), "is valid from 2026-11-30 on"),
        (replace(KEY, revoked=Revoked(DAY, "stolen")), "stolen"),
    ],
)
def test_a_key_that_does_not_count_is_refused(facts: SidecarFacts, made: bytes, key: TrustedKey, why: str) -> None:
    (finding,) = told(made, replace(facts, trust=Trust(keys=(key,), require=Required(release=0))))
    assert finding.grade == "integrity" and why in finding.message


def test_where_no_key_is_known_that_is_told(facts: SidecarFacts, made: bytes) -> None:
    (finding,) = told(made, replace(facts, trust=Trust()))
    assert finding.grade == "note" and SIGNER.public.fingerprint in finding.message


def test_no_changed_byte_passes(facts: SidecarFacts, made: bytes) -> None:
    changes = [*list(flipped(made))[::7], *cut(made[-100:]), made + made, b" " + made]
    for changed in changes:
        assert any(one.grade == "integrity" for one in told(changed, facts)), changed


def test_a_signed_statement_of_another_archive_is_refused(facts: SidecarFacts, made: bytes) -> None:
    known = provenance.parse(made, NAME)[1].materials
    wheel = next(item for item in known.items if item.kind == "wheel")
    rest = tuple(item for item in known.items if item != wheel)
    others: dict[str, dict[str, object]] = {
        "is of an archive of another name": {"name": "other.tar.gz"},
        "is of another archive than is here": {"sha256": "0" * 64},
        "says another inputs": {"materials": replace(known, inputs="0" * 64)},
        "says another target": {"materials": replace(known, target="debian-13-amd64")},
        "says another epoch": {"materials": replace(known, epoch=1)},
        "says another portable": {"materials": replace(known, portable="arm64")},
        "does not name": {"materials": replace(known, items=rest)},
        "of which the archive says nothing": {"materials": replace(
            known, items=tuple(sorted((*known.items, replace(wheel, digest="0" * 64)))))},
    }  # fmt: skip
    for why, changes in others.items():
        (finding,) = told(again(made, **changes), facts)
        assert finding.grade == "integrity" and why in finding.message, finding


def test_nothing_is_said_of_an_archive_that_is_not_at_hand(facts: SidecarFacts, made: bytes) -> None:
    def untold(name: str) -> None:
        raise UnreadError(name)

    assert provenance.render(replace(facts, materials=untold)) is None
    with pytest.raises(UnreadError):
        told(made, replace(facts, materials=untold))


def test_what_others_made_has_no_provenance_of_ours(facts: SidecarFacts, made: bytes) -> None:
    others = replace(facts, materials=lambda name: None)
    assert provenance.render(others) is None
    assert "was made by others" in told(made, others)[0].message


def test_an_archive_that_does_not_tell_what_it_was_made_of_is_refused(archive: Path, tmp_path: Path) -> None:
    cut_short = tmp_path / NAME
    shutil.copy(archive, cut_short)
    with cut_short.open("r+b") as file:
        file.truncate(500)
    with pytest.raises(IntegrityError):
        materials_of(cut_short)


def test_the_statement_can_be_read_with_nothing_but_json(made: bytes) -> None:
    envelope = json.loads(made)
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert statement["subject"][0]["name"] == NAME
    assert isinstance(intoto.parse(base64.b64decode(envelope["payload"])), Statement)
