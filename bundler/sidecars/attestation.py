"""`attestation.sigstore.json`: what GitHub attests of a release's archives: which workflow of which commit made them.

A bundle of Sigstore (https://docs.sigstore.dev/about/bundle/) that a workflow puts into the folder; `gh attestation
verify --bundle` checks it, with `trusted_root.jsonl` offline. Here only which archives it is of is compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, ClassVar, Final, Literal

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter

from bundler.errors import IntegrityError
from bundler.model.json_text import first_fault, limited
from bundler.model.public_key import decoded
from bundler.model.sidecar import SidecarFacts
from bundler.model.verdict import Finding
from bundler.words import ARCHIVE, AssetName, Sha256

OF: Final = "release"
NAME = "attestation.sigstore.json"
LARGEST = 4 << 20
_CONFIG = ConfigDict(extra="ignore")
_MOST_SUBJECTS = 2000


@dataclass(frozen=True)
class _Envelope:
    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    payload: str
    payloadType: Literal["application/vnd.in-toto+json"]  # as the format calls it


@dataclass(frozen=True)
class _Bundle:
    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    mediaType: Annotated[
        str, StringConstraints(pattern=r"^application/vnd\.dev\.sigstore\.bundle[A-Za-z0-9.+;=-]{1,40}$")
    ]
    dsseEnvelope: _Envelope


@dataclass(frozen=True)
class _Digest:
    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    sha256: Sha256


@dataclass(frozen=True)
class _Subject:
    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    name: AssetName
    digest: _Digest


@dataclass(frozen=True)
class _Statement:
    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    subject: Annotated[tuple[_Subject, ...], Field(min_length=1, max_length=_MOST_SUBJECTS)]


def name(subject: str) -> str:
    """The file's name, the same on every release."""
    return NAME


def parse(content: bytes) -> dict[str, str]:
    """The archives that a bundle is of: name -> SHA-256 (hex). Raises IntegrityError."""
    try:
        bundle = _bundles().validate_json(limited(content))
        statement = _statements().validate_json(limited(decoded(bundle.dsseEnvelope.payload)))
    except ValueError as error:
        raise IntegrityError(f"{NAME}: {first_fault(error)}") from error
    return {one.name: one.digest.sha256 for one in statement.subject}


def render(facts: SidecarFacts) -> bytes | None:
    """What the workflow put into the folder; None if it did not. Raises IntegrityError if it is none."""
    content = facts.there(NAME, LARGEST)
    if content is not None:
        parse(content)
    return content


def findings(content: bytes | None, facts: SidecarFacts) -> Iterator[Finding]:
    """Yield which archives it is not of; whose it is, `gh` tells."""
    if content is None:
        return
    try:
        told = parse(content)
    except IntegrityError as error:
        yield Finding(error.message)
        return
    there = {one: sha256 for one, (_, sha256) in facts.files.items() if one.endswith(ARCHIVE)} | dict(facts.wholes)
    for archive, sha256 in sorted(there.items()):
        if sha256 and told.get(archive) != sha256:
            actual = told.get(archive, "nothing")
            yield Finding(f"{NAME}: is not of {archive} as it is here\n    expected {sha256}\n    actual   {actual}")


@cache
def _bundles() -> TypeAdapter[_Bundle]:
    return TypeAdapter(_Bundle)


@cache
def _statements() -> TypeAdapter[_Statement]:
    return TypeAdapter(_Statement)
