"""What a workflow puts into the folder of GitHub's attestation: taken as it is, if it is that."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.errors import IntegrityError
from bundler.model.sidecar import SidecarFacts, UnreadError
from bundler.sidecars import attestation, trusted_root
from tests.model.samples import examples

SHA, OTHER = "a" * 64, "b" * 64
ROOT = b'{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":[]}\n'


def bundle(subjects: Mapping[str, str], **more: object) -> bytes:
    """A bundle as actions/attest-build-provenance writes it, without what gh looks at."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in subjects.items()],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {},
    }
    envelope = {
        "payload": base64.b64encode(json.dumps(statement).encode()).decode(),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"sig": "AAAA"}],
    }
    media = "application/vnd.dev.sigstore.bundle.v0.3+json"
    return json.dumps({"mediaType": media, "verificationMaterial": {}, "dsseEnvelope": envelope, **more}).encode()


def facts(found: bytes | None = None, files: Mapping[str, str] = MappingProxyType({})) -> SidecarFacts:
    def read(name: str) -> Iterator[bytes]:
        if found is None:
            raise UnreadError(name)
        return iter((found[:10], found[10:]))

    return SidecarFacts({name: (1, sha256) for name, sha256 in files.items()}, read)


def test_it_is_taken_from_the_folder_as_it_is() -> None:
    content = bundle({"a.tar.gz": SHA})
    assert attestation.render(facts(content)) == content
    assert trusted_root.render(facts(ROOT)) == ROOT
    assert attestation.render(facts()) is None and trusted_root.render(facts()) is None


def test_it_has_to_be_of_every_archive_as_it_is() -> None:
    content = bundle({"a.tar.gz": SHA, "c.tar.gz.cdx.json": SHA})
    assert list(attestation.findings(content, facts(files={"a.tar.gz": SHA, "b.txt": OTHER}))) == []
    assert list(attestation.findings(None, facts(files={"a.tar.gz": SHA}))) == []
    for others in ({"a.tar.gz": OTHER}, {"a.tar.gz": SHA, "b.tar.gz": SHA}):
        (finding,) = attestation.findings(content, facts(files=others))
        assert finding.grade == "integrity" and "is not of " in finding.message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        bundle({}),
        bundle({"../a": SHA}),
        bundle({"a.tar.gz": SHA.upper()}),
        bundle({"a.tar.gz": SHA}, mediaType="text/plain"),
        bundle({"a.tar.gz": SHA}, dsseEnvelope={"payload": "!", "payloadType": "application/vnd.in-toto+json"}),
        bundle({"a.tar.gz": SHA}) * 2,
        b"[" * 300_000,
        b" " * (attestation.LARGEST + 1),
    ],
    ids=[str(number) for number in range(11)],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(IntegrityError):
        attestation.render(facts(content))
    if content:
        assert [one.grade for one in attestation.findings(content, facts())] == ["integrity"]


@pytest.mark.parametrize("content", [b"", b"{}\n", ROOT + b"\n", ROOT + b"x\n", ROOT * 21, b" " * (1 << 21)])
def test_no_other_list_of_roots_is_taken(content: bytes) -> None:
    with pytest.raises(IntegrityError):
        trusted_root.render(facts(content))


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@settings(max_examples=examples(100))
def test_whatever_it_is_it_is_refused_in_one_way(content: bytes) -> None:
    with contextlib.suppress(IntegrityError):
        attestation.parse(content)
    with contextlib.suppress(IntegrityError):
        trusted_root.check(content)
