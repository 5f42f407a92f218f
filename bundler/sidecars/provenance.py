"""`<asset>.intoto.jsonl`: who made an archive of what, and where: an in-toto statement in a signed envelope (DSSE).

Without a signer there is none: who could write the archive could write the statement as well. It is made of what the
archive tells of itself, of the manifests and locks that make it, where they are at hand, and of the builder; so it is
the same whenever the same key makes it there. One that is there already and is the signer's own stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bundler.errors import IntegrityError
from bundler.model.materials import Material, MaterialKind, Materials
from bundler.model.public_key import PublicKey
from bundler.model.sidecar import SidecarFacts, UnreadError
from bundler.model.signatures import standing
from bundler.model.trust import TrustedKey
from bundler.model.verdict import Finding

if TYPE_CHECKING:
    from bundler.model.dsse import Envelope
    from bundler.model.intoto import Statement

OF: Final = "archive"
SUFFIX = ".intoto.jsonl"
LARGEST = 16 << 20
# What a statement may tell beside what the archive tells itself: it cannot be compared with the archive.
_BEYOND: tuple[MaterialKind, ...] = ("manifest", "python", "repository")
_MOST_TOLD = 5


def name(subject: str) -> str:
    """The file's name beside an archive."""
    return f"{subject}{SUFFIX}"


def parse(content: bytes, archive: str) -> tuple[Envelope, Statement]:
    """Parse what stands beside an archive. Raises IntegrityError."""
    from bundler.model import dsse, intoto  # large: loaded when there is one

    envelope = dsse.parse(content, name(archive))
    return envelope, intoto.parse(envelope.payload, name(archive))


def render(facts: SidecarFacts) -> bytes | None:
    """The statement of an archive, signed; None without a signer, and for an archive that others made.

    Raises what the signer and `facts.materials` do.
    """
    signer, subject = facts.signer, facts.subject
    if signer is None:
        return None
    sha256 = _digest(facts)
    if (there := _there(facts)) and _own(there, signer.public, subject, sha256):
        return there
    try:
        told = facts.materials(subject)
    except UnreadError:
        return None
    if told is None:
        return None
    items = {*told.items, *_of_sources(facts, told), *((facts.builder.source,) if facts.builder.source else ())}
    from bundler.model import dsse, intoto

    made = replace(told, items=tuple(sorted(items)))
    return dsse.compose(signer, intoto.render(intoto.Statement(subject, sha256, made, facts.builder)))


def _there(facts: SidecarFacts) -> bytes | None:
    """What the folder holds already, unless that is too large to be one."""
    try:
        return facts.there(name(facts.subject), LARGEST)
    except IntegrityError:
        return None


def _own(content: bytes, key: PublicKey, subject: str, sha256: str) -> bool:
    """Say whether what is there was signed with this very key for this very archive."""
    try:
        envelope, statement = parse(content, subject)
    except IntegrityError:
        return False
    from bundler.model import dsse

    return (statement.name, statement.sha256) == (subject, sha256) and not dsse.fault(envelope, key)


def _of_sources(facts: SidecarFacts, told: Materials) -> Iterator[Material]:
    """The manifests and locks at hand, and the CPython that they pin, if they make this very archive."""
    sources = facts.sources.get(facts.subject)
    if sources is None or sources.inputs != told.inputs:
        return
    yield from sources.items
    if python := sources.pythons.get(told.portable):
        yield python


def _digest(facts: SidecarFacts) -> str:
    """The archive's digest: listed, or of its bytes. Raises UnreadError."""
    if facts.sha256:
        return facts.sha256
    digest = hashlib.sha256()
    for chunk in facts.read(facts.subject):
        digest.update(chunk)
    return digest.hexdigest()


def findings(content: bytes | None, facts: SidecarFacts) -> Iterator[Finding]:
    """Yield what is wrong with a statement: whose it is, which archive it is of, and what it says of that.

    Raises UnreadError if the archive is not at hand, IntegrityError if that does not tell what it was made of.
    """
    if content is None:
        return
    try:
        envelope, statement = parse(content, facts.subject)
    except IntegrityError as error:
        yield Finding(error.message)
        return
    where = name(facts.subject)
    for finding in signed_by(envelope, facts):
        yield Finding(f"{where}: {finding.message}", finding.grade)
    if statement.name != facts.subject:
        yield _wrong(where, "is of an archive of another name", facts.subject, statement.name)
    if statement.sha256 != (actual := _digest(facts)):
        yield _wrong(where, "is of another archive than is here", actual, statement.sha256)
    told = facts.materials(facts.subject)
    if told is None:
        yield Finding(f"{where}: the archive was made by others, and says nothing of what it was made of")
        return
    yield from (Finding(f"{where}: {text}") for text in disagreements(statement, told))


def signed_by(envelope: Envelope, facts: SidecarFacts) -> Iterator[Finding]:
    """Yield what is wrong with a signature; where no key is known, that nothing can be said."""
    if not facts.trust.keys:
        yield Finding(f"signed by {envelope.key_id}; no key is known here, so whose that is cannot be told", "note")
        return
    from bundler.model import dsse

    key = facts.trust.key_of(envelope.key_id)
    if key is None:
        yield Finding(f"signed by {envelope.key_id}, which trust.yaml does not name")
    elif why := _fault(key, facts) or dsse.fault(envelope, key.public):
        yield Finding(f"signed by {key.name}: {why}")


def _fault(key: TrustedKey, facts: SidecarFacts) -> str:
    """Why a key's provenance does not count; "" if it does."""
    if key.role != "release":
        return "the key is a rebuilder's; who makes releases says what they are made of"
    return standing(key, facts.today)[1] if facts.today else ""


def disagreements(statement: Statement, told: Materials) -> Iterator[str]:
    """Yield where a statement says something else than the archive tells of itself."""
    said = statement.materials
    for word in ("command", "component", "target", "epoch", "inputs", "portable"):
        expected, actual = getattr(told, word), getattr(said, word)
        if expected != actual:
            yield f"says another {word} than the archive\n    expected {expected}\n    actual   {actual}"
    for item in _first(set(told.items) - set(said.items)):
        yield f"does not name {item}, which the archive was made of"
    surplus = {item for item in set(said.items) - set(told.items) if item.kind not in _BEYOND}
    for item in _first(surplus):
        yield f"names {item}, of which the archive says nothing"


def _first(items: set[Material]) -> Iterator[str]:
    """The first of very many, in words."""
    for item in sorted(items)[:_MOST_TOLD]:
        yield f"{item.name} ({item.digest[:12]}…)"
    if len(items) > _MOST_TOLD:
        yield f"{len(items) - _MOST_TOLD} more"


def _wrong(where: str, what: str, expected: str, actual: str) -> Finding:
    return Finding(f"{where}: {what}\n    expected {expected}\n    actual   {actual}")
