"""CycloneDX 1.6 (ECMA-424) as this tool writes it in JSON: what an SBOM of ours has, and nothing else.

An SBOM is untrusted like anything that is downloaded: other keys, other values and other spellings are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, ClassVar, Final, Literal, TypeAlias, get_args
from urllib.parse import quote

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter

from bundler.model.inventory import Item, ItemKind
from bundler.words import Sha256

TOOL: Final = "aiws-bundle"
MOST_ITEMS = 20_000
_LONGEST_SIZE = 15
# CycloneDX's word for each kind of item.
TYPES: Mapping[ItemKind, str] = {
    "wheel": "library",
    "python": "platform",
    "program": "application",
    "npm": "library",
    "deb": "library",
    "repository": "application",
    "image": "container",
    "archive": "application",
    "file": "file",
}
_SPELLED = {
    "bom_ref": "bom-ref",
    "depends_on": "dependsOn",
    "external_references": "externalReferences",
    "bom_format": "bomFormat",
    "spec_version": "specVersion",
    "serial_number": "serialNumber",
    "schema": "$schema",
}
_FORBID = ConfigDict(extra="forbid", alias_generator=lambda name: _SPELLED.get(name, name))
_Text: TypeAlias = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


@dataclass(frozen=True)
class _Hash:
    __pydantic_config__: ClassVar[ConfigDict] = _FORBID
    alg: Literal["SHA-256"]
    content: Sha256


@dataclass(frozen=True)
class _Property:
    __pydantic_config__: ClassVar[ConfigDict] = _FORBID
    name: _Text
    value: _Text


@dataclass(frozen=True)
class _License:
    __pydantic_config__: ClassVar[ConfigDict] = _FORBID
    acknowledgement: Literal["declared"]
    id: _Text = ""
    name: _Text = ""


@dataclass(frozen=True)
class _Choice:
    __pydantic_config__: ClassVar[ConfigDict] = _FORBID
    license: _License | None = None
    expression: _Text = ""
    acknowledgement: Literal["declared", ""] = ""

    @property
    def text(self) -> str:
        return self.expression or (self.license.id or self.license.name if self.license else "")


@dataclass(frozen=True)
class _Reference:
    __pydantic_config__: ClassVar[ConfigDict] = _FORBID
    type: Literal["bom"]
    url: _Text


@dataclass(frozen=True)
class Component:
    """What an SBOM is of, or one thing in it."""

    __pydantic_config__: ClassVar[ConfigDict] = _FORBID
    name: _Text
    type: _Text
    version: _Text = ""
    bom_ref: _Text = ""
    purl: _Text = ""
    publisher: _Text = ""
    hashes: Annotated[tuple[_Hash, ...], Field(max_length=1)] = ()
    licenses: Annotated[tuple[_Choice, ...], Field(max_length=50)] = ()
    properties: Annotated[tuple[_Property, ...], Field(max_length=50)] = ()
    external_references: Annotated[tuple[_Reference, ...], Field(max_length=50)] = ()

    def told(self, key: str) -> tuple[str, ...]:
        """The values of a property of this tool's."""
        return tuple(one.value for one in self.properties if one.name == f"{TOOL}:{key}")

    def one(self, key: str) -> str:
        """The value of a property; "" if there is none, or more than one."""
        values = self.told(key)
        return values[0] if len(values) == 1 else ""

    @property
    def sha256(self) -> str:
        """Its SHA-256 (hex); "" if it tells none."""
        return self.hashes[0].content if self.hashes else ""

    def item(self, needs: tuple[str, ...]) -> Item:
        """The item that it tells of. Raises ValueError for a kind or a size that is none."""
        kind = self.one("kind")
        kinds: dict[str, ItemKind] = {known: known for known in get_args(ItemKind)}
        if kind not in kinds or TYPES[kinds[kind]] != self.type or self.bom_ref != self.purl:
            raise ValueError(f"{self.purl or self.name}: of no kind that is known")
        size = self.one("size")
        item = Item(
            purl=self.purl,
            kind=kinds[kind],
            name=self.name,
            version=self.version,
            path=self.one("path"),
            size=int(size) if size.isdecimal() and len(size) <= _LONGEST_SIZE else 0,
            sha256=self.sha256,
            licences=tuple(sorted(one.text for one in self.licenses)),
            needs=needs,
            sboms=self.told("sbom"),
            startup=self.told("startup"),
            publisher=self.publisher,
        )
        told, references = {(one.name, one.value) for one in self.properties}, {o.url for o in self.external_references}
        if told != {*properties_of(item)} or references != {*references_of(item)}:
            raise ValueError(f"{self.purl}: its properties or references are not as aiws-bundle writes them")
        return item


def properties_of(item: Item) -> list[tuple[str, str]]:
    """What CycloneDX has no words for: names and values."""
    told = [("kind", item.kind), ("path", item.path), ("size", str(item.size or ""))]
    told += [*(("sbom", inner) for inner in item.sboms), *(("startup", inner) for inner in item.startup)]
    return [(f"{TOOL}:{key}", value) for key, value in told if value]


def references_of(item: Item) -> list[str]:
    """The SBOMs that an item carries: its place in the archive, and theirs in it."""
    return [f"{quote(item.path)}#{quote(inner)}" for inner in item.sboms]


@dataclass(frozen=True)
class _Tools:
    __pydantic_config__: ClassVar[ConfigDict] = _FORBID
    components: Annotated[tuple[Component, ...], Field(min_length=1, max_length=1)]


@dataclass(frozen=True)
class _Metadata:
    __pydantic_config__: ClassVar[ConfigDict] = _FORBID
    component: Component
    tools: _Tools


@dataclass(frozen=True)
class _Dependency:
    __pydantic_config__: ClassVar[ConfigDict] = _FORBID
    ref: _Text
    depends_on: Annotated[tuple[_Text, ...], Field(max_length=MOST_ITEMS)] = ()


@dataclass(frozen=True)
class Document:
    """A whole SBOM."""

    __pydantic_config__: ClassVar[ConfigDict] = _FORBID
    schema: Literal["http://cyclonedx.org/schema/bom-1.6.schema.json"]
    bom_format: Literal["CycloneDX"]
    spec_version: Literal["1.6"]
    serial_number: _Text
    version: Annotated[int, Field(strict=True, ge=1, le=1)]
    metadata: _Metadata
    components: Annotated[tuple[Component, ...], Field(max_length=MOST_ITEMS)] = ()
    dependencies: Annotated[tuple[_Dependency, ...], Field(max_length=MOST_ITEMS + 1)] = ()


@cache
def adapter() -> TypeAdapter[Document]:
    """What reads a document. It raises pydantic's ValidationError."""
    return TypeAdapter(Document)
