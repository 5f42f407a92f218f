"""Prove an archive whole: its own file list, the contract's layout, the lock inside, and the closure of its wheels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path, PurePosixPath

from bundler.errors import BundleError
from bundler.kinds import file_list, reading, runtime_env
from bundler.kinds.reading import Interest
from bundler.kinds.wheelhouse.lock import Lock, LockFacts
from bundler.kinds.wheelhouse.members import archive_manifest, installer, requirements
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
from bundler.model.closure import prove
from bundler.model.contents import Contents
from bundler.model.known_bad import package
from bundler.model.startup import startup_faults
from bundler.model.verdict import Finding, Verdict
from bundler.model.wheel_name import parse_wheel_name
from bundler.payloads import PAYLOADS, SECTIONS
from bundler.payloads.payload import Parts, PythonPart

_MOST_FINDINGS = 1000
_MEMBERS = (MANIFEST, RUNTIME_ENV, LOCK, REQUIREMENTS, FILE_LIST, INSTALLER)
_TEXTS = (*_MEMBERS, *(text for module in PAYLOADS for text in module.TEXTS))
_PLACES = tuple(place for module in PAYLOADS for place in module.PLACES)
_PROGRAMS = tuple(place for module in PAYLOADS for place in module.PROGRAMS)
_LINKS = tuple(place for module in PAYLOADS for place in module.LINKS)


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
    closure = prove((*facts.requirements, CONSUMERS_PIP), contents.wheels, facts.interpreter)
    return Judged(_verdict(name, facts, contents, integrity, closure), facts, contents)


def _verdict(
    name: str,
    facts: ArchiveManifest | None,
    contents: Contents | None,
    integrity: Sequence[str],
    closure: Sequence[str] = (),
) -> Verdict:
    findings = (*map(Finding, integrity), *(Finding(message, "closure") for message in closure))
    summary = ""
    if facts and contents and not findings:
        python = f"{facts.python.source} Python {facts.python.version}"
        host = f"{facts.distro} {facts.version} {facts.arch} ({python})"
        summary = f"{facts.requirement}, {len(contents.wheels)} wheels close on {host}"
    holds = tuple(package(*parse_wheel_name(wheel.filename)[:2]) for wheel in contents.wheels) if contents else ()
    return Verdict(name, findings, summary, contents.tar_sha256 if contents else None, holds)


def _told(findings: Iterator[str]) -> tuple[str, ...]:
    """The findings, of very many the first."""
    first = tuple(islice(findings, _MOST_FINDINGS))
    return (*first, "… and more") if next(findings, None) is not None else first


def _named(name: str, facts: ArchiveManifest) -> Iterator[str]:
    """Compare the name's two ends; what stands between them is the choice of whoever wrote the asset's template."""
    host = f"-{facts.distro}-{facts.version}-{facts.arch}.tar.gz"
    if not (name.startswith(f"{facts.component}-") and name.endswith(host)):
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
    yield from _misplaced(contents)


def _misplaced(contents: Contents) -> Iterator[str]:
    """Name what stands where the format has no place for it, whatever the archive's own list says."""
    for path, file in contents.files.items():
        place = next((p for p in _PLACES if path == p or (p.endswith("/") and path.startswith(p))), None)
        if place is None and path not in _MEMBERS:
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
    digests = {p: f.sha256 for p, f in contents.files.items() if f.sha256 and p not in (FILE_LIST, MANIFEST)}
    if file_list.differs(contents.texts.get(FILE_LIST, b""), digests):
        yield f"{FILE_LIST}: does not list exactly the other files and their digests"


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
    lock = Lock.parse(contents.texts[LOCK].decode("utf-8", "replace"), LOCK)
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
    pinned = dict(lock.sections)
    python = PythonPart(facts.python.version, facts.interpreter.platform, facts.python.source == "portable")
    parts = Parts(lock.wheels, python, pinned)
    for name, section in SECTIONS.items():
        yield from section.disagreements(facts.sections.get(name), pinned.get(name), facts.requirements)
    for module in PAYLOADS:
        if payload := module.of(parts):
            yield from payload.findings(contents)
            continue
        for place in module.PLACES:
            for path in contents.below(place):
                yield Finding(f"surplus: {path}, but no {module.SECTION} support is locked")


def _choices(facts: ArchiveManifest, locked: LockFacts) -> Iterator[tuple[str, str, str]]:
    """What the lock inside and the manifest both say: what it is, and the two words for it."""
    yield "target", locked.target, f"{facts.distro}-{facts.version}-{facts.arch}"
    yield "Python", locked.python, facts.python.version
    yield "source of Python", "portable" if locked.portable else "system", facts.python.source
    yield "glibc", locked.glibc, facts.python.glibc
    yield "requirement", locked.requirement, facts.requirement
    yield "list of requirements", ", ".join(locked.requirements), ", ".join(facts.requirements)
