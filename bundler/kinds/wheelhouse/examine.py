"""Prove an archive whole: its own file list, the contract's layout, the lock inside, and the closure of its wheels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path, PurePosixPath

from bundler.errors import BundleError
from bundler.kinds import file_list, reading, runtime_env
from bundler.kinds.reading import Interest
from bundler.kinds.wheelhouse.inventory import inventory_of
from bundler.kinds.wheelhouse.lock import Lock, LockFacts
from bundler.kinds.wheelhouse.members import archive_manifest, installer, requirements, texts
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.kinds.wheelhouse.request import CONSUMERS_PIP
from bundler.model.bundle import (
    FILE_LIST,
    INSTALLER,
    LOCK,
    MANIFEST,
    PYTHON,
    REQUIREMENTS,
    RUNTIME_ENV,
    WHEELS_FROM_LOCK,
    top_of,
)
from bundler.model.closure import Proof, proof_of
from bundler.model.contents import Contents
from bundler.model.inventory import Inventory
from bundler.model.startup import startup_faults
from bundler.model.verdict import Finding, Verdict
from bundler.payloads import PAYLOADS, SECTIONS
from bundler.platforms import endings
from bundler.words import ARCHIVE

_MOST_FINDINGS = 1000
_MEMBERS = (MANIFEST, RUNTIME_ENV, LOCK, REQUIREMENTS, FILE_LIST, INSTALLER)
_TEXTS = (*_MEMBERS, *(text for module in PAYLOADS for text in module.TEXTS))
_PLACES = tuple(place for module in PAYLOADS for place in module.PLACES)
_PROGRAMS = tuple(place for module in PAYLOADS for place in module.PROGRAMS)
_LINKS = tuple(place for module in PAYLOADS for place in module.LINKS)


_UNPROVEN = Proof(())


@dataclass(frozen=True)
class Judged:
    """The verdict on an archive, and what was read of it on the way; None for what could not be read."""

    verdict: Verdict
    facts: ArchiveManifest | None = None
    contents: Contents | None = None


def read_contents(path: Path, name: str = "", *, digests: bool = True) -> Contents:
    """Read a whole archive once; messages call it `name`, else as its file is called.

    Without `digests` wheels are not compared with their RECORD. Raises IntegrityError if it is damaged, or not as
    `build` writes archives.
    """
    return reading.read_contents(path, name or path.name, Interest(_TEXTS.__contains__, _note_of), digests=digests)


def _note_of(path: str) -> Callable[[bytes], object] | None:
    """What a payload makes of a file that says something, or None."""
    noted = chain.from_iterable(module.NOTED.items() for module in PAYLOADS)
    return next((note for pattern, note in noted if pattern.fullmatch(path)), None)


def judge(path: Path, name: str) -> Verdict:
    """Judge one archive, called `name`; what is wrong is in the verdict. Raises OSError if it cannot be read at all."""
    return examine(path, name).verdict


def examine(path: Path, name: str = "") -> Judged:
    """Judge one archive as `judge` does, and return what was read of it too."""
    name, facts, contents = name or path.name, None, None
    try:
        contents = read_contents(path, name)
        if MANIFEST not in contents.texts:
            return Judged(_verdict(name, None, contents, (f"missing: {MANIFEST}",)), None, contents)
        facts = archive_manifest.parse(contents.texts[MANIFEST])
        integrity = _told(
            chain(
                _named(name, facts),
                contents.unreadable,
                _listed(facts, contents),
                _laid_out(facts, contents),
                _agreeing(facts, contents),
            )
        )
    except BundleError as error:
        return Judged(_verdict(name, facts, contents, (error.message,)), facts, contents)
    proof = proof_of((*facts.requirements, CONSUMERS_PIP), contents.wheels, facts.interpreter)
    return Judged(_verdict(name, facts, contents, integrity, proof), facts, contents)


def _verdict(
    name: str,
    facts: ArchiveManifest | None,
    contents: Contents | None,
    integrity: Sequence[str],
    proof: Proof = _UNPROVEN,
) -> Verdict:
    findings = (*map(Finding, integrity), *(Finding(message, "closure") for message in proof.findings))
    summary = ""
    if facts and contents and not findings:
        python = f"{facts.python.source} Python {facts.python.version}"
        host = f"{facts.host} ({python})"
        summary = f"{facts.requirement}, {len(contents.wheels)} wheels close on {host}"
    holds = contents.held if contents else ()
    held = _inventory(facts, contents, proof) if facts and contents else None
    tar_sha256, sha256 = (contents.tar_sha256, contents.sha256) if contents else (None, None)
    return Verdict(name, findings, summary, tar_sha256, holds, held, sha256)


def _inventory(facts: ArchiveManifest, contents: Contents, proof: Proof) -> Inventory | None:
    """What an archive holds; None if its lock cannot be read."""
    try:
        lock = _lock_inside(contents.texts.get(LOCK, b""))
    except BundleError:
        return None
    told = (facts.component, facts.host, facts.python_part, facts.inputs, contents.wheels, proof.edges)
    return inventory_of(lock, *told)


@lru_cache(maxsize=2)  # several are asked for it, one archive a thread
def _lock_inside(text: bytes) -> Lock:
    """Parse the lock of an archive. Raises LockError."""
    return Lock.inside(text)


def _told(findings: Iterator[str]) -> tuple[str, ...]:
    """The findings, of very many the first."""
    first = tuple(islice(findings, _MOST_FINDINGS))
    return (*first, "… and more") if next(findings, None) is not None else first


def _named(name: str, facts: ArchiveManifest) -> Iterator[str]:
    """Compare the name's two ends; what stands between them is the choice of whoever wrote the asset's template."""
    host, *others = (f"-{word}{ARCHIVE}" for word in endings(facts.distro, facts.version, facts.arch))
    if not (name.startswith(f"{facts.component}-") and name.endswith((host, *others))):
        expected = f"{facts.component}-…{host}"
        yield f"the file's name does not say what is inside\n    expected {expected}\n    actual   {name}"


def _listed(facts: ArchiveManifest, contents: Contents) -> Iterator[str]:
    """Compare the archive's files with its own list."""
    listed = {file.path: file for file in facts.files}
    there = {path: file for path, file in contents.files.items() if path != MANIFEST}
    for path in sorted(listed.keys() - there.keys()):
        yield f"missing: {path} is listed in {MANIFEST}, but not there"
    for path in sorted(there.keys() - listed.keys()):
        yield f"surplus: {path} is there, but not listed in {MANIFEST}"
    for path in sorted(listed.keys() & there.keys()):
        expected, actual = listed[path], there[path]
        for word in ("size", "sha256", "link", "executable"):
            wanted, found = getattr(expected, word), getattr(actual, word)
            if wanted != found:
                yield f"{path}: {word} differs\n    expected {wanted}\n    actual   {found}"


def _laid_out(facts: ArchiveManifest, contents: Contents) -> Iterator[str]:
    """Compare the archive's shape with what the consumers rely on."""
    if contents.top != top_of(facts.component):
        yield f"the top folder is {contents.top}, not {top_of(facts.component)}"
    for path in _MEMBERS:
        if path not in contents.texts:
            yield f"missing: {path}"
    yield from _misplaced(contents, texts.render(facts))


def _misplaced(contents: Contents, more: Container[str]) -> Iterator[str]:
    """Name what stands where the format has no place for it, whatever the archive's own list says.

    `more` are members that follow from its manifest.json.
    """
    for path, file in contents.files.items():
        place = next((p for p in _PLACES if path == p or (p.endswith("/") and path.startswith(p))), None)
        if place is None and path not in _MEMBERS and path not in more:
            yield f"surplus: {path} has no place in such an archive"
        if file.link is not None and place not in _LINKS:
            yield f"surplus: {path} is a link"
        elif file.executable != (path == INSTALLER) and place not in _PROGRAMS:
            yield f"{path}: it is {'' if file.executable else 'not '}executable"
    needed = {str(above) for path in contents.files for above in PurePosixPath(path).parents} | {"", PYTHON}
    for path in sorted(contents.folders - needed - {"."}):
        yield f"surplus: the folder {path} is empty"


def _agreeing(facts: ArchiveManifest, contents: Contents) -> Iterator[str]:
    """Compare the metadata files with each other and with the wheels."""
    if archive_manifest.differs(contents.texts[MANIFEST], facts):
        yield f"{MANIFEST}: is not as aiws-bundle writes it; other readers could read something else in it"
    if RUNTIME_ENV in contents.texts:
        yield from _caught(_runtime_env(facts, contents))
    if LOCK in contents.texts:
        yield from _caught(_lock(facts, contents))
    if INSTALLER in contents.texts and installer.differs(contents.texts[INSTALLER], facts):
        yield f"{INSTALLER}: is not what this aiws-bundle writes for such a host; was it made by another version?"
    yield from _texts(facts, contents)
    digests = {p: f.sha256 for p, f in contents.files.items() if f.sha256 and p not in (FILE_LIST, MANIFEST)}
    if file_list.differs(contents.texts.get(FILE_LIST, b""), digests):
        yield f"{FILE_LIST}: does not list exactly the other files and their digests"


def _texts(facts: ArchiveManifest, contents: Contents) -> Iterator[str]:
    """Compare what follows from manifest.json; an archive from before there was a README has none of it."""
    if texts.README not in contents.files and facts.service is None:
        return
    for path, content in texts.render(facts).items():
        if path not in contents.files:
            yield f"missing: {path}"
        elif contents.files[path].sha256 != hashlib.sha256(content).hexdigest():
            yield f"{path}: is not what this aiws-bundle writes for such an archive"


def _caught(findings: Iterator[str]) -> Iterator[str]:
    """The findings, the last of them what made a file unreadable."""
    try:
        yield from findings
    except BundleError as error:
        yield error.message


def _runtime_env(facts: ArchiveManifest, contents: Contents) -> Iterator[str]:
    requirement = runtime_env.parse(contents.texts[RUNTIME_ENV], facts.component)
    if requirement != facts.requirement or facts.requirement not in facts.requirements:
        yield f"{RUNTIME_ENV} asks for {requirement}, {MANIFEST} for {facts.requirement}"


def _lock(facts: ArchiveManifest, contents: Contents) -> Iterator[str]:
    lock = _lock_inside(contents.texts[LOCK])
    if contents.texts[LOCK] != lock.render(WHEELS_FROM_LOCK).encode():
        yield f"{LOCK}: is not as aiws-bundle writes locks; other installers could read something else in it"
    for word, locked_for, stated in _choices(facts, lock.facts):
        if locked_for != stated:
            yield f"{LOCK}: is for another {word}\n    expected {stated}\n    actual   {locked_for}"
    if requirements.differs(contents.texts.get(REQUIREMENTS, b""), lock):
        yield f"{REQUIREMENTS}: is not what the lock inside makes it"
    yield from startup_faults(contents.wheels, lock.facts.startup_files)
    yield from (finding.message for finding in _of_payloads(facts, lock, contents))


def _of_payloads(facts: ArchiveManifest, lock: Lock, contents: Contents) -> Iterator[Finding]:
    """What payloads find of themselves, and what is there of one that the lock inside does not pin."""
    parts = lock.parts(facts.python_part)
    for name, section in SECTIONS.items():
        yield from section.disagreements(facts.sections.get(name), parts.sections.get(name), facts.requirements)
    for module in PAYLOADS:
        if payload := module.of(parts):
            yield from payload.findings(contents)
            continue
        for place in module.PLACES:
            for path in contents.below(place):
                yield Finding(f"surplus: {path}, but no {module.SECTION} support is locked")


def _choices(facts: ArchiveManifest, locked: LockFacts) -> Iterator[tuple[str, str, str]]:
    """What the lock inside and the manifest both say: what it is, and the two words for it."""
    yield "target", locked.target, facts.target
    yield "Python", locked.python, facts.python.version
    yield "source of Python", "portable" if locked.portable else "system", facts.python.source
    yield facts.platform.FLOOR_KEY, locked.floor, facts.python.floor
    yield "requirement", locked.requirement, facts.requirement
    yield "list of requirements", ", ".join(locked.requirements), ", ".join(facts.requirements)
