"""An in-toto statement with SLSA's provenance: which archive came out of what, made by whom and where.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md, https://slsa.dev/spec/v1.1/provenance; what is
ours in it, docs/provenance.md tells. It is JSON in the one form that is written here: what is signed reads in one way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, TypeAdapter

from bundler.errors import IntegrityError
from bundler.model.json_text import first_fault, limited
from bundler.model.materials import Builder, Material, MaterialKind, Materials
from bundler.platforms import ShortName
from bundler.words import AssetName, ComponentName, Sha256

BUILD_TYPE = "urn:aiws-bundle:build:1"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://slsa.dev/provenance/v1"
_STRICT = ConfigDict(extra="forbid", strict=True)
# A package holds some 2000 things.
MOST_ITEMS = 20_000
_EPOCH, _INPUTS, _TOOL = "SOURCE_DATE_EPOCH", "inputs", "aiws-bundle"


def _distinct(items: list[_Resource]) -> list[_Resource]:
    if items != sorted(items, key=lambda one: one.item) or len({one.item for one in items}) < len(items):
        raise ValueError("not sorted, or one is there twice")
    return items


Text = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
Name = Annotated[Text, Field(min_length=1)]
Digest = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]


@dataclass(frozen=True)
class Statement:
    """What is said of one archive: its name and SHA-256 (hex), what it was made of, by which builder.

    `materials.items` are all there are: the archive's own, what the manifests at hand say, and the commit checked out.
    """

    name: str
    sha256: str
    materials: Materials
    builder: Builder

    @property
    def items(self) -> tuple[Material, ...]:
        """All that it was made of."""
        return self.materials.items


@dataclass(frozen=True)
class _Sha256:
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    sha256: Sha256


@dataclass(frozen=True)
class _Subject:
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    name: AssetName
    digest: _Sha256


@dataclass(frozen=True)
class _Kind:
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    kind: MaterialKind


@dataclass(frozen=True)
class _Resource:
    """https://github.com/in-toto/attestation/blob/main/spec/v1/resource_descriptor.md."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    name: Name
    digest: Annotated[dict[Literal["sha256", "gitCommit"], Digest], Field(min_length=1, max_length=1)]
    annotations: _Kind
    uri: Text = ""

    @property
    def item(self) -> Material:
        (digest,) = self.digest.values()
        return Material(self.annotations.kind, self.name, digest, self.uri)


@dataclass(frozen=True)
class _External:
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    command: Annotated[str, StringConstraints(pattern=r"^[a-z]{1,32}$")]
    component: ComponentName
    target: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]{1,64}$")]
    SOURCE_DATE_EPOCH: Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,9})$")]


@dataclass(frozen=True)
class _Internal:
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    inputs: Sha256
    portablePython: ShortName | Literal[""] = ""  # as JSON has it


@dataclass(frozen=True)
class _Definition:
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    buildType: Literal["urn:aiws-bundle:build:1"]
    externalParameters: _External
    internalParameters: _Internal
    resolvedDependencies: Annotated[list[_Resource], Field(max_length=MOST_ITEMS), AfterValidator(_distinct)]


@dataclass(frozen=True)
class _Builder:
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    id: Name
    version: dict[Literal["aiws-bundle", "commit"], Name]


@dataclass(frozen=True)
class _Run:
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    builder: _Builder
    metadata: dict[Literal["invocationId"], Name]


@dataclass(frozen=True)
class _Predicate:
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    buildDefinition: _Definition
    runDetails: _Run


@dataclass(frozen=True)
class _Document:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", strict=True, alias_generator=lambda name: "_type" if name == "type" else name
    )
    type: Literal["https://in-toto.io/Statement/v1"]
    subject: Annotated[list[_Subject], Field(min_length=1, max_length=1)]
    predicateType: Literal["https://slsa.dev/provenance/v1"]
    predicate: _Predicate


def render(statement: Statement) -> bytes:
    """Return the statement's bytes: what a signature is made of."""
    made, builder = statement.materials, statement.builder
    version = {_TOOL: builder.version, "commit": builder.commit}
    internal = {_INPUTS: made.inputs, "portablePython": made.portable}
    document = {
        "_type": _STATEMENT,
        "subject": [{"name": statement.name, "digest": {"sha256": statement.sha256}}],
        "predicateType": _PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "command": made.command,
                    "component": made.component,
                    "target": made.target,
                    _EPOCH: str(made.epoch),
                },
                "internalParameters": _told(internal),
                "resolvedDependencies": [_resource(item) for item in sorted(made.items)],
            },
            "runDetails": {
                "builder": {"id": builder.id, "version": _told(version)},
                "metadata": _told({"invocationId": builder.run}),
            },
        },
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def parse(content: bytes, where: str = "the statement") -> Statement:
    """Parse a statement as `render` writes it. Raises IntegrityError."""
    try:
        document = _adapter().validate_json(limited(content))
    except ValueError as error:
        raise IntegrityError(f"{where}: {first_fault(error)}") from error
    statement = _statement(document)
    if content != render(statement):
        raise IntegrityError(f"{where}: is not in the form that is written for it")
    return statement


def _statement(document: _Document) -> Statement:
    (subject,) = document.subject
    made, run = document.predicate.buildDefinition, document.predicate.runDetails
    told, items = made.externalParameters, tuple(one.item for one in made.resolvedDependencies)
    version = run.builder.version
    return Statement(
        subject.name,
        subject.digest.sha256,
        Materials(
            command=told.command,
            component=told.component,
            target=told.target,
            epoch=int(told.SOURCE_DATE_EPOCH),
            inputs=made.internalParameters.inputs,
            portable=made.internalParameters.portablePython,
            items=items,
        ),
        Builder(
            id=run.builder.id,
            version=version.get("aiws-bundle", ""),
            commit=version.get("commit", ""),
            run=run.metadata.get("invocationId", ""),
        ),
    )


def _resource(item: Material) -> dict[str, object]:
    algorithm = "gitCommit" if item.kind == "repository" else "sha256"
    uri = {"uri": item.uri} if item.uri else {}
    return {"name": item.name, **uri, "digest": {algorithm: item.digest}, "annotations": {"kind": item.kind}}


def _told(values: Mapping[str, str]) -> dict[str, str]:
    """What is known."""
    return {name: value for name, value in values.items() if value}


@cache
def _adapter() -> TypeAdapter[_Document]:
    return TypeAdapter(_Document)
