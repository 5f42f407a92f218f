"""Statements: in-toto's and SLSA's fields, one form, and nothing else is read."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.errors import IntegrityError
from bundler.model import intoto
from bundler.model.intoto import Statement
from bundler.model.materials import Builder, Material, MaterialKind, Materials, builder_of
from tests.model.samples import examples

SHA, COMMIT = "a" * 64, "b" * 40
ITEMS = (
    Material("lock", "metadata/pylock.toml", SHA),
    Material("repository", "o/r", COMMIT, "git+https://github.com/o/r@refs/heads/main"),
    Material("wheel", "demo-1.0-py3-none-any.whl", SHA, "pkg:pypi/demo@1.0"),
)
MADE = Materials("build", "litellm", "debian-12-amd64", 315532800, SHA, "amd64", ITEMS)
BUILDER = Builder("https://github.com/o/r/.github/workflows/w.yml@refs/heads/main", "0.1.0", COMMIT, "https://run/1")
STATEMENT = Statement("litellm-runtime-debian-12-amd64.tar.gz", SHA, MADE, BUILDER)
CONTENT = intoto.render(STATEMENT)

digests = st.text("0123456789abcdef", min_size=64, max_size=64)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=60)
items = st.builds(
    Material, st.sampled_from([k for k in get_args(MaterialKind) if k != "repository"]), texts, digests, texts
)
statements = st.builds(
    Statement,
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,50}", fullmatch=True),
    digests,
    st.builds(
        Materials,
        st.just("build"),
        st.from_regex(r"[a-z][a-z0-9]{0,20}", fullmatch=True),
        st.from_regex(r"[a-z0-9.-]{1,40}", fullmatch=True),
        st.integers(0, 2**32 - 1),
        digests,
        st.sampled_from(["", "amd64", "arm64"]),
        st.frozensets(items, max_size=8).map(sorted).map(tuple),
    ),
    st.builds(Builder, texts, texts, texts, texts),
)


@given(statements)
@settings(max_examples=examples(60))
def test_what_is_written_is_read_again(statement: Statement) -> None:
    assert intoto.parse(intoto.render(statement)) == statement


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@settings(max_examples=examples(200))
def test_anything_else_is_refused_in_one_way(content: bytes) -> None:
    with contextlib.suppress(IntegrityError):
        intoto.parse(content)


@given(st.data())
@settings(max_examples=examples(200))
def test_a_statement_with_a_byte_changed_is_another_or_none(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(CONTENT) - 1))
    changed = CONTENT[:place] + bytes([data.draw(st.integers(0, 255))]) + CONTENT[place + 1 :]
    with contextlib.suppress(IntegrityError):
        assert (intoto.parse(changed) == STATEMENT) == (changed == CONTENT)


def test_it_has_the_fields_of_in_toto_and_slsa() -> None:
    """https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md, https://slsa.dev/spec/v1.1/provenance."""
    document = json.loads(CONTENT)
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["subject"] == [{"name": STATEMENT.name, "digest": {"sha256": SHA}}]
    assert document["predicateType"] == "https://slsa.dev/provenance/v1"
    assert document.keys() == {"_type", "subject", "predicateType", "predicate"}
    made, run = document["predicate"]["buildDefinition"], document["predicate"]["runDetails"]
    assert document["predicate"].keys() == {"buildDefinition", "runDetails"}
    assert made.keys() == {"buildType", "externalParameters", "internalParameters", "resolvedDependencies"}
    assert ":" in made["buildType"]
    assert made["externalParameters"] == {
        "command": "build", "component": "litellm", "target": "debian-12-amd64", "SOURCE_DATE_EPOCH": "315532800",
    }  # fmt: skip
    for resource in made["resolvedDependencies"]:
        assert resource.keys() <= {"name", "uri", "digest", "annotations"}
        assert resource["digest"].keys() <= {"sha256", "gitCommit"} and len(resource["digest"]) == 1
    assert run == {
        "builder": {"id": BUILDER.id, "version": {"aiws-bundle": "0.1.0", "commit": COMMIT}},
        "metadata": {"invocationId": "https://run/1"},
    }


def test_what_is_not_known_is_left_out() -> None:
    plain = json.loads(intoto.render(replace(STATEMENT, builder=Builder(version="1"))))["predicate"]["runDetails"]
    assert plain == {"builder": {"id": "urn:aiws-bundle", "version": {"aiws-bundle": "1"}}, "metadata": {}}


def changed(*place: str | int, value: object) -> bytes:
    document: Any = json.loads(CONTENT)
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return json.dumps(document, separators=(",", ":")).encode()


PREDICATE = ("predicate", "buildDefinition")
FIRST = (*PREDICATE, "resolvedDependencies", 0)


@pytest.mark.parametrize(
    "content",
    [
        changed("_type", value="https://in-toto.io/Statement/v0.1"),
        changed("predicateType", value="https://slsa.dev/provenance/v0.2"),
        changed("subject", value=[]),
        changed("subject", value=json.loads(CONTENT)["subject"] * 2),
        changed("subject", 0, "name", value="../x.tar.gz"),
        changed("subject", 0, "digest", value={"sha512": SHA}),
        changed("subject", 0, "digest", "sha256", value=SHA.upper()),
        changed("more", value=1),
        changed(*PREDICATE, "buildType", value="urn:other"),
        changed(*PREDICATE, "externalParameters", "SOURCE_DATE_EPOCH", value="0315532800"),
        changed(*PREDICATE, "externalParameters", "SOURCE_DATE_EPOCH", value=315532800),
        changed(*PREDICATE, "externalParameters", "target", value="\x1b[31m"),
        changed(*PREDICATE, "resolvedDependencies", value=json.loads(CONTENT)["predicate"]["buildDefinition"][
            "resolvedDependencies"][::-1]),
        changed(*FIRST, "digest", value={"sha256": SHA, "gitCommit": COMMIT}),
        changed(*FIRST, "digest", value={}),
        changed(*FIRST, "name", value="a\nb"),
        changed(*FIRST, "name", value=""),
        changed(*FIRST, "uri", value=""),
        changed(*FIRST, "annotations", value={"kind": "other"}),
        CONTENT + b"\n",
        CONTENT.replace(b'{"_type"', b'{"_type":"x","_type"'),
        b"[" * 300_000,
    ],
    ids=[str(number) for number in range(22)],
)  # fmt: skip
def test_what_it_would_not_write_is_refused(content: bytes) -> None:
    with pytest.raises(IntegrityError):
        intoto.parse(content, "x.intoto.jsonl")


ACTIONS = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_WORKFLOW_REF": "o/r/.github/workflows/release-bundle.yml@refs/heads/main",
    "GITHUB_REPOSITORY": "o/r",
    "GITHUB_RUN_ID": "42",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_SHA": COMMIT,
}


def test_a_workflow_is_a_builder_and_its_attempt_makes_no_difference() -> None:
    builder = builder_of(ACTIONS, "1.0")
    assert builder.id == "https://github.com/o/r/.github/workflows/release-bundle.yml@refs/heads/main"
    assert builder.run == "https://github.com/o/r/actions/runs/42"
    assert builder.source == Material("repository", "o/r", COMMIT, "git+https://github.com/o/r@refs/heads/main")
    assert builder_of({**ACTIONS, "GITHUB_RUN_ATTEMPT": "2"}, "1.0") == builder


@pytest.mark.parametrize("name", [name for name in ACTIONS if name != "GITHUB_RUN_ATTEMPT"])
@pytest.mark.parametrize("value", ["", "x\ny", "https://github.com/../..", "javascript:1"])
def test_an_environment_that_tells_something_else_is_some_machine(name: str, value: str) -> None:
    assert builder_of({**ACTIONS, name: value}, "1.0", COMMIT) == Builder(version="1.0", commit=COMMIT)
