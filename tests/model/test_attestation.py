from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.model.attestation import UnknownKindError, read_provenance
from bundler.model.publisher import PROVEN, Publisher

GITHUB = {"kind": "GitHub", "repository": "us/demo", "workflow": "release.yml"}
US = Publisher("GitHub", (("repository", "us/demo"), ("workflow", "release.yml")))


def document(*publishers: object, **more: object) -> bytes:
    bundles = [{"publisher": one, "attestations": [{}]} for one in publishers]
    return json.dumps({"version": 1, "attestation_bundles": bundles, **more}).encode()


def test_what_no_certificate_proves_is_left_out() -> None:
    said = {**GITHUB, "environment": "release", "claims": {"ref": "main"}}
    assert read_provenance(document(said, GITHUB)) == (US,)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        document(GITHUB, version=2),
        document(GITHUB, version=True),
        document(),
        document(*[GITHUB] * 17),
        document(None),
        document({}),
        document({"kind": 1}),
        document({"kind": "GitHub", "repository": "us/demo"}),
        document({**GITHUB, "workflow": ""}),
        document({**GITHUB, "workflow": "a b"}),
        document({**GITHUB, "workflow": "\x1b[2J"}),
        document({**GITHUB, "workflow": "x" * 201}),
        document(GITHUB, attestation_bundles=[[]]),
        document(GITHUB, attestation_bundles=[{"publisher": GITHUB, "attestations": []}]),
        document(GITHUB, attestation_bundles=[{"publisher": GITHUB, "attestations": [{}] * 17}]),
        b"[" * 100_000,
        b" " * (1 << 20) + document(GITHUB),
    ],
    ids=range(20),
)
def test_what_is_no_provenance_object_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError) as refused:
        read_provenance(content)
    assert not isinstance(refused.value, UnknownKindError)


def test_a_kind_that_came_later_is_told_apart() -> None:
    with pytest.raises(UnknownKindError, match="'Newcomer' are not known"):
        read_provenance(document({"kind": "Newcomer"}))


_KEYS = st.sampled_from(["version", "attestation_bundles", "publisher", "attestations", "kind"])
_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=9)


@given(st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner)))
def test_any_document_is_read_or_refused(value: object) -> None:
    try:
        found = read_provenance(json.dumps(value).encode())
    except ValueError:
        return
    assert found


_CLAIMS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=200)


@given(st.sampled_from(sorted(PROVEN)), st.data())
def test_a_publisher_is_read_back_from_its_table(kind: str, data: st.DataObject) -> None:
    publisher = Publisher(kind, tuple((name, data.draw(_CLAIMS)) for name in PROVEN[kind]))
    assert Publisher.parse(publisher.table()) == publisher
    with pytest.raises(ValueError):
        Publisher.parse({**publisher.table(), "more": "x"})
    with pytest.raises(ValueError):
        Publisher.parse({**publisher.table(), "kind": "Newcomer"})
