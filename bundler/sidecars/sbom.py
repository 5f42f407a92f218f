"""`<asset>.cdx.json`: what is in an archive, as a CycloneDX 1.6 SBOM (ECMA-424), a component a line.

Its digests are those of the archive and of what is in it, `dependencies` are what the closure proof found, and SBOMs
that wheels carry themselves (PEP 770) are referred to. It has no time, and its serial number follows from the archive,
so one archive has one SBOM. Each component is made by CycloneDX's own library, once a run however many archives hold
it: archives for ten targets have 1,150 components, of which 370 differ.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol, cast

from pydantic_core import from_json

from bundler import __version__
from bundler.errors import IntegrityError
from bundler.model.cyclonedx import MOST_ITEMS, TOOL, TYPES, Document, adapter, properties_of, references_of
from bundler.model.declared_licences import is_spdx
from bundler.model.inventory import Inventory, Item
from bundler.model.json_text import first_fault, limited
from bundler.model.package_url import package_url
from bundler.model.sidecar import SidecarFacts, UnreadError
from bundler.model.verdict import Finding

if TYPE_CHECKING:
    from cyclonedx.model.license import License

OF: Final = "archive"
SUFFIX = ".cdx.json"
# The all-in-one package has some 3,000 components of 700 bytes.
LARGEST = 16 << 20
_MOST_VALUES = 800_000


class _Serialized(Protocol):
    """What CycloneDX's library makes of its classes when they are declared."""

    def as_json(self, view_: object) -> str:
        """The JSON of an object by a version of the format."""


@dataclass(frozen=True)
class Sbom:
    """An SBOM as values: the archive's name and SHA-256 (hex), which version of this tool wrote it, what it holds."""

    subject: str
    sha256: str
    tool: str
    inventory: Inventory


def name(subject: str) -> str:
    """The name of an archive's SBOM."""
    return f"{subject}{SUFFIX}"


def render(facts: SidecarFacts) -> bytes | None:
    """The SBOM of an archive that was read or made; None for one of others, which say themselves what is in it."""
    inventory, sha256 = facts.inventories.get(facts.subject), facts.sha256
    return compose(Sbom(facts.subject, sha256, __version__, inventory)) if inventory and sha256 else None


def compose(sbom: Sbom) -> bytes:
    """Return the bytes of an SBOM."""
    held, root = sbom.inventory, _root(sbom)
    components = [_component(replace(item, needs=())) for item in held.items]
    graph = {root: sorted(held.roots), **{item.purl: sorted(item.needs) for item in held.items}}
    dependencies = [{"dependsOn": needs, "ref": ref} if needs else {"ref": ref} for ref, needs in sorted(graph.items())]
    return _lines({**_head(sbom, root), "components": components, "dependencies": dependencies}).encode()


def _lines(document: Mapping[str, object]) -> str:
    """A document's text: a key a line, and an element a line of what is a list."""
    parts = [f"{_plain(key)}: {_listed(value)}" for key, value in sorted(document.items())]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _listed(value: object) -> str:
    if not isinstance(value, list) or not value:
        return _plain(value)
    return "[\n" + ",\n".join(one if isinstance(one, str) else _plain(one) for one in value) + "\n]"


def _plain(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _root(sbom: Sbom) -> str:
    """The package URL of the archive itself."""
    held = sbom.inventory
    return package_url("generic", held.component, held.version, "", (f"file_name={sbom.subject}",))


def load() -> None:
    """Load what writing takes, which is large, by writing nothing: so that it is done while something is waited for."""
    compose(Sbom("", "", "", Inventory("nothing", "", "")))


def ahead(items: Iterable[Item]) -> None:
    """Make the components of some items, which takes longest and is remembered."""
    for item in items:
        _component(replace(item, needs=()))


def _head(sbom: Sbom, purl: str) -> Mapping[str, object]:
    """An SBOM without components, as CycloneDX's library writes it."""
    from cyclonedx.model import HashAlgorithm, HashType, Property  # large: loaded when an SBOM is made
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.tool import ToolRepository
    from cyclonedx.output.json import JsonV1Dot6

    held = sbom.inventory
    told = {"host": held.host, "python": held.python, "inputs": held.inputs}
    archive = Component(
        name=held.component,
        version=held.version or None,
        type=ComponentType.APPLICATION,
        bom_ref=purl,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sbom.sha256)],
        properties=[
            Property(name=f"{TOOL}:{key}", value=value)
            for key, value in {"asset": sbom.subject, **told}.items()
            if value
        ],
    )
    tool = Component(name=TOOL, version=sbom.tool, type=ComponentType.APPLICATION)
    metadata = BomMetaData(component=archive, tools=ToolRepository(components=[tool]))
    serial = uuid.UUID(_serial(sbom.sha256))
    document: dict[str, dict[str, object]] = json.loads(
        JsonV1Dot6(Bom(serial_number=serial, metadata=metadata)).output_as_string()
    )
    del document["metadata"]["timestamp"], document["dependencies"]
    return document


def _serial(sha256: str) -> str:
    """The serial number of an archive's SBOM (RFC 4122), which follows from its digest."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"sha256:{sha256}").urn


@lru_cache(maxsize=MOST_ITEMS)
def _component(item: Item) -> str:
    """An item's component, as CycloneDX's library writes it."""
    from cyclonedx.model import (
        ExternalReference,
        ExternalReferenceType,
        HashAlgorithm,
        HashType,
        Property,
        XsUri,
    )
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.schema.schema import SchemaVersion1Dot6
    from packageurl import PackageURL

    made = Component(
        name=item.name,
        version=item.version or None,
        type=ComponentType(TYPES[item.kind]),
        bom_ref=item.purl,
        purl=PackageURL.from_string(item.purl),
        publisher=item.publisher or None,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=item.sha256)] if item.sha256 else [],
        licenses=_licences(item.licences),
        properties=[Property(name=key, value=value) for key, value in properties_of(item)],
        external_references=[
            ExternalReference(type=ExternalReferenceType.BOM, url=XsUri(url)) for url in references_of(item)
        ],
    )
    return _plain(json.loads(cast("_Serialized", made).as_json(view_=SchemaVersion1Dot6)))


def _licences(licences: Sequence[str]) -> list[License]:
    """One expression, or a list of identifiers and names: CycloneDX 1.6 knows no list of expressions."""
    from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement, LicenseExpression
    from cyclonedx.spdx import is_supported_id

    declared = LicenseAcknowledgement.DECLARED
    if len(licences) == 1 and is_spdx(licences[0]) and not is_supported_id(licences[0]):
        return [LicenseExpression(licences[0], acknowledgement=declared)]
    return [
        DisjunctiveLicense(id=one, acknowledgement=declared)
        if is_supported_id(one)
        else DisjunctiveLicense(name=one, acknowledgement=declared)
        for one in licences
    ]


def parse(content: bytes, subject: str) -> Sbom:
    """Parse the SBOM of the archive `subject`. Raises IntegrityError for anything that `compose` would not write."""
    where = name(subject)
    try:
        if len(content) > LARGEST:
            raise ValueError(f"{len(content)} bytes are too many, {LARGEST} are the most")
        limited(content, _MOST_VALUES)
        sbom = _read(adapter().validate_json(content))
        if _lines(from_json(content)).encode() != content:
            raise ValueError("it is not spelled as aiws-bundle writes it")
    except ValueError as error:
        raise IntegrityError(f"{where}: {first_fault(error)}") from error
    return sbom


def _read(document: Document) -> Sbom:
    """The values of a document. Raises ValueError where its parts do not fit together."""
    archive, (tool,) = document.metadata.component, document.metadata.tools.components
    graph = {one.ref: one.depends_on for one in document.dependencies}
    items = tuple(one.item(graph.get(one.bom_ref, ())) for one in document.components)
    known = [archive.bom_ref, *(item.purl for item in items)]
    if sorted(known) != [one.ref for one in document.dependencies] or len({*known}) < len(known):
        raise ValueError("its dependencies are not those of its components, each once and sorted")
    if list(items) != sorted(items) or any(list(needs) != sorted({*needs} & {*known}) for needs in graph.values()):
        raise ValueError("its components, or what they depend on, are not sorted, there twice or unknown")
    if document.serial_number != _serial(archive.sha256) or tool.name != TOOL:
        raise ValueError("its serial number or its tool is not that of an SBOM by aiws-bundle")
    held = Inventory(
        component=archive.name,
        version=archive.version,
        host=archive.one("host"),
        python=archive.one("python"),
        inputs=archive.one("inputs"),
        roots=graph[archive.bom_ref],
        items=items,
    )
    return Sbom(archive.one("asset"), archive.sha256, tool.version, held)


def findings(content: bytes | None, facts: SidecarFacts) -> Iterator[Finding]:
    """Yield where an SBOM is not exactly what the archive makes it. Raises UnreadError if that was not read.

    Versions of this tool may understand metadata differently: of another's SBOM, licences, needs and SBOMs inside that
    differ are only told. A release of before SBOMs has none.
    """
    where, held = name(facts.subject), facts.inventories.get(facts.subject)
    if content is None:
        if held and facts.place.tag:
            yield Finding(f"{where}: missing; an older aiws-bundle made the release", "note")
        return
    try:
        said = parse(content, facts.subject)
    except IntegrityError as error:
        ours = held is not None or f'"name": "{TOOL}"'.encode() in content
        yield Finding(error.message if ours else f"{where}: by others, not compared", "integrity" if ours else "note")
        return
    digest = facts.sha256
    if said.subject != facts.subject or (digest and said.sha256 != digest):
        yield Finding(
            f"{where}: is of another archive\n    expected {facts.subject} {digest}\n"
            f"    actual   {said.subject} {said.sha256}"
        )
        return
    if held is None:
        raise UnreadError(where)
    yield from _differences(where, said, held)
    if (said.tool, said.inventory) == (__version__, held) and compose(said) != content:
        yield Finding(f"{where}: is not as this aiws-bundle writes it")


def _differences(where: str, said: Sbom, held: Inventory) -> Iterator[Finding]:
    """The first thing that is not the same in an archive and in what its SBOM says."""
    other = said.inventory
    for field in (one.name for one in fields(Inventory) if one.name not in ("items", "roots")):
        if (told := getattr(other, field)) != (there := getattr(held, field)):
            yield _unlike(where, field, there, told)
            return
    for purl in sorted(held.by_purl.keys() | other.by_purl.keys()):
        there, told = held.by_purl.get(purl), other.by_purl.get(purl)
        if there is None or told is None:
            yield Finding(f"{where}: {purl} is {'not in the archive' if there is None else 'missing'}")
            return
        if there != told:
            grave = said.tool == __version__ or _identity(there) != _identity(told)
            field = next(one.name for one in fields(Item) if getattr(there, one.name) != getattr(told, one.name))
            yield _unlike(where, f"{field} of {purl}", getattr(there, field), getattr(told, field), grave=grave)
            return
    if other.roots != held.roots:
        yield _unlike(where, "roots", held.roots, other.roots, grave=said.tool == __version__)


def _identity(item: Item) -> Item:
    """What says which thing an item is, without what depends on how well its metadata is understood."""
    return replace(item, licences=(), needs=(), sboms=())


def _unlike(where: str, what: str, expected: object, actual: object, *, grave: bool = True) -> Finding:
    text = f"{where}: another {what} than the archive's\n    expected {_short(expected)}\n    actual   {_short(actual)}"
    return Finding(text, "integrity" if grave else "note")


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text[:200] or "nothing"
