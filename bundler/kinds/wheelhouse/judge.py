"""Prove an archive whole: its own file list, the contract's layout, the lock inside, and the closure of its wheels."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path, PurePosixPath

from bundler.adapters.own_archive import OwnReader, open_own
from bundler.adapters.tar_reader import Member
from bundler.adapters.wheel_reading import WheelReading
from bundler.errors import BundleError, IntegrityError
from bundler.kinds.wheelhouse.lock import Lock, LockFacts
from bundler.kinds.wheelhouse.members import archive_manifest, file_list, installer, requirements, runtime_env
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest, ListedFile
from bundler.kinds.wheelhouse.request import CONSUMERS_PIP
from bundler.model.bundle import (
    DATABASE_ENV,
    FILE_LIST,
    INSTALLER,
    LOCK,
    MANIFEST,
    PRISMA,
    PRISMA_CLI,
    PRISMA_ENGINES,
    PYTHON,
    REQUIREMENTS,
    RUNTIME_ENV,
    WHEELS,
    WHEELS_FROM_LOCK,
    top_of,
)
from bundler.model.closure import Wheel, prove
from bundler.model.paths import link_fault
from bundler.model.verdict import Finding, Verdict
from bundler.payloads.prisma import database_env
from bundler.payloads.prisma.pins import CLI_PROGRAM, ENGINES, NODE_WHEEL, LockedDatabase

_LARGEST_TEXT = 8 << 20
_LARGEST_FILE = 1 << 31
_LARGEST_NPM_MANIFEST = 1 << 20
_LONGEST_WORD = 300
_MOST_FINDINGS = 1000
_TEXTS = (MANIFEST, RUNTIME_ENV, LOCK, REQUIREMENTS, FILE_LIST, INSTALLER)


# Each npm package's own word about what it is.
_NPM_MANIFEST = re.compile(rf"{PRISMA_CLI}(/node_modules/(@[^/]+/)?[^/]+)+/package\.json")


@dataclass(frozen=True)
class Contents:
    """What an archive holds, as read: paths are relative to the top folder.

    `npm` is what each npm package's own package.json calls it: name and version, or None if it cannot be read.
    """

    top: str
    files: dict[str, ListedFile]
    folders: frozenset[str]
    texts: dict[str, bytes]
    wheels: tuple[Wheel, ...]
    tar_sha256: str
    tar_size: int
    npm: dict[str, tuple[str, str] | None]
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judged:
    """The verdict on an archive, and what was read of it on the way; None for what could not be read."""

    verdict: Verdict
    facts: ArchiveManifest | None = None
    contents: Contents | None = None


@dataclass
class _Reading:
    wheels: WheelReading
    files: dict[str, ListedFile] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    texts: dict[str, bytes] = field(default_factory=dict)
    npm: dict[str, tuple[str, str] | None] = field(default_factory=dict)


def read_contents(path: Path, name: str = "", *, digests: bool = True) -> Contents:
    """Read a whole archive once; messages call it `name`, else as its file is called.

    Without `digests` wheels are not compared with their RECORD, which takes longest: enough where nothing is judged.
    Raises IntegrityError if it is damaged, or not as `build` writes archives.
    """
    reading = _Reading(WheelReading(digests=digests))
    with open_own(path, name or path.name) as reader, reading.wheels:
        for member in reader.members():
            _take(reading, reader, member, member.path.partition("/")[2])
        wheels = list(reading.wheels.wheels())
        return Contents(
            top=reader.top,
            files=reading.files,
            folders=frozenset(reading.folders),
            texts=reading.texts,
            wheels=tuple(wheel for wheel in wheels if isinstance(wheel, Wheel)),
            tar_sha256=reader.tar_sha256,
            tar_size=reader.tar_size,
            npm=reading.npm,
            unreadable=tuple(fault.message for fault in wheels if isinstance(fault, IntegrityError)),
        )


def _take(reading: _Reading, reader: OwnReader, member: Member, inner: str) -> None:
    if member.kind == "folder":
        reading.folders.add(inner)
    elif member.kind == "link":
        if fault := link_fault(member.path, member.target, reader.top):
            raise IntegrityError(f"refused member {member.path!r}: {fault}")
        reading.files[inner] = ListedFile(inner, link=member.target)
    else:
        _take_file(reading, reader, member, inner)


def _take_file(reading: _Reading, reader: OwnReader, member: Member, inner: str) -> None:
    text = inner in _TEXTS or inner == DATABASE_ENV
    npm = bool(_NPM_MANIFEST.fullmatch(inner))
    if member.size > (_LARGEST_TEXT if text else _LARGEST_FILE):
        raise IntegrityError(f"refused member {member.path!r}: {member.size} bytes are too many for it")
    digest = hashlib.sha256()
    kept: list[bytes] = []
    for data in reader.read():
        digest.update(data)
        if text or (npm and member.size <= _LARGEST_NPM_MANIFEST):
            kept.append(data)
    if text:
        reading.texts[inner] = b"".join(kept)
    elif npm:
        reading.npm[inner] = _npm_words(b"".join(kept))
    elif inner.startswith(f"{WHEELS}/") and inner.endswith(".whl"):
        reading.wheels.put(reader.take_copy(), PurePosixPath(inner).name)
    reading.files[inner] = ListedFile(inner, member.size, digest.hexdigest(), member.executable)


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
    return Verdict(name, findings, summary, contents.tar_sha256 if contents else None)


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
    for path in _TEXTS:
        if path not in contents.texts:
            yield f"missing: {path}"
    for folder in (WHEELS, PYTHON):
        if folder not in contents.folders:
            yield f"missing: the folder {folder}"
    yield from _misplaced(facts, contents)
    for path in contents.files:
        if path.endswith("/EXTERNALLY-MANAGED"):
            yield f"surplus: {path} keeps pip from installing"
    carried = [path for path in contents.files if path.startswith(f"{PYTHON}/")]
    program = f"/bin/python{facts.interpreter.minor}"
    runs = any(p.endswith(program) and contents.files[p].executable for p in carried)
    if facts.python.source == "portable" and not runs:
        yield f"missing: no executable …{program} below {PYTHON}, where the installer looks for it"
    if facts.python.source == "system" and carried:
        yield f"surplus: {PYTHON} is not empty, so the installer would take a Python that the wheels are not for"


def _misplaced(facts: ArchiveManifest, contents: Contents) -> Iterator[str]:
    """Name what stands where the format has no place for it, whatever the archive's own list says."""
    for path, file in contents.files.items():
        if path.startswith(f"{PYTHON}/"):
            if not path.startswith(f"{PYTHON}/cpython-{facts.python.version}/"):
                yield f"surplus: {path}; {PYTHON} holds CPython {facts.python.version}"
            continue
        if file.link is not None:
            yield f"surplus: {path} is a link"
        elif path.startswith(f"{PRISMA}/"):
            continue
        elif path.startswith(f"{WHEELS}/"):
            if path.count("/") != WHEELS.count("/") + 1 or not path.endswith(".whl"):
                yield f"surplus: {path}; {WHEELS} holds wheels, flat"
        elif path not in (*_TEXTS, DATABASE_ENV):
            yield f"surplus: {path} has no place in such an archive"
        if file.executable != (path == INSTALLER):
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
    locked = {f"{WHEELS}/{wheel.filename}": wheel.sha256 for wheel in lock.wheels}
    there = {p: file.sha256 for p, file in contents.files.items() if p.startswith(f"{WHEELS}/")}
    for path in sorted(locked.keys() | there.keys()):
        if locked.get(path) != there.get(path):
            yield f"{path}: the lock inside says {locked.get(path)}, the file is {there.get(path)}"
    if requirements.differs(contents.texts.get(REQUIREMENTS, b""), lock):
        yield f"{REQUIREMENTS}: is not what the lock inside makes it"
    yield from _database(facts, contents, lock.facts.database)


def _choices(facts: ArchiveManifest, locked: LockFacts) -> Iterator[tuple[str, str, str]]:
    """What the lock inside and the manifest both say: what it is, and the two words for it."""
    yield "target", locked.target, f"{facts.distro}-{facts.version}-{facts.arch}"
    yield "Python", locked.python, facts.python.version
    yield "source of Python", "portable" if locked.portable else "system", facts.python.source
    yield "glibc", locked.glibc, facts.python.glibc
    yield "requirement", locked.requirement, facts.requirement
    yield "list of requirements", ", ".join(locked.requirements), ", ".join(facts.requirements)


def _database(facts: ArchiveManifest, contents: Contents, pins: LockedDatabase | None) -> Iterator[str]:
    """Compare what is there for a database with what the manifest and the lock inside say of it."""
    if facts.database.supported != (pins is not None):
        yield f"{MANIFEST} and the lock inside disagree on database support"
    if pins is None:
        for path in contents.files:
            if path == DATABASE_ENV or path.startswith(f"{PRISMA}/"):
                yield f"surplus: {path}, but no database support is locked"
        return
    if (pins.prisma_cli, pins.commit, pins.platform) != (
        facts.database.prisma_cli,
        facts.database.engines,
        facts.database.platform,
    ):
        yield f"{MANIFEST} speaks of another Prisma than the lock inside"
    asked = [text for text in facts.requirements if text.startswith(NODE_WHEEL.partition(">")[0])]
    if (facts.database.node == "wheel") != bool(asked):
        yield f"{MANIFEST}: Node.js comes from {facts.database.node or 'nowhere'}, the requirements say otherwise"
    if database_env.differs(contents.texts.get(DATABASE_ENV, b"")):
        yield f"{DATABASE_ENV}: is not what aiws-bundle writes"
    for engine in ENGINES:
        file = contents.files.get(f"{PRISMA_ENGINES}/{engine}")
        if file is None or not file.executable:
            yield f"missing: {PRISMA_ENGINES}/{engine}, an executable file"
    for path in (f"{PRISMA_CLI}/package.json", f"{PRISMA_CLI}/{CLI_PROGRAM}"):
        if path not in contents.files:
            yield f"missing: {path}, which prisma-client-py looks for"
    places = [f"{PRISMA_CLI}/{package.at}" for package in pins.npm]
    for package, place in zip(pins.npm, places, strict=True):
        words, found = (package.name, package.version), contents.npm.get(f"{place}/package.json")
        if found != words:
            yield f"{place}: the lock inside says {' '.join(words)}, its package.json {' '.join(found or ('nothing',))}"
    known = (*(f"{place}/" for place in places), f"{PRISMA_ENGINES}/")
    for path in contents.files:
        if path.startswith(f"{PRISMA}/") and path != f"{PRISMA_CLI}/package.json" and not path.startswith(known):
            yield f"surplus: {path}, which belongs to no locked npm package or engine"


def _npm_words(content: bytes) -> tuple[str, str] | None:
    """What a package.json says of its package: name and version, or None if it cannot be read."""
    try:
        document: object = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    return str(document.get("name"))[:_LONGEST_WORD], str(document.get("version"))[:_LONGEST_WORD]
