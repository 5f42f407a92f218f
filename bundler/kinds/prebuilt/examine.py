"""Prove the archive of a component that another repository releases: its shape, and the program that it names.

All of its compiled code is judged, too, where its platform has something to find of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from bundler.adapters.code_copy import CodeCopy, CodeFound
from bundler.adapters.read_archive import open_archive
from bundler.adapters.tar_reader import Member, Reader
from bundler.code.values import Tree
from bundler.errors import BundleError, IntegrityError
from bundler.kinds.prebuilt import component_manifest
from bundler.kinds.prebuilt.component_manifest import ComponentManifest
from bundler.model.bundle import MANIFEST
from bundler.model.paths import link_fault
from bundler.model.unfit_code import faults_of
from bundler.model.verdict import Finding, Verdict
from bundler.platforms import HEAD, programs
from bundler.words import ARCHIVE

LARGEST_MANIFEST = 1 << 20
_MOST_FINDINGS = 1000


@dataclass(frozen=True)
class Expected:
    """What an archive shall be: its component and platform; empty words where nobody said."""

    component: str = ""
    platform: str = ""


@dataclass
class _Reading:
    tops: set[str] = field(default_factory=set)
    manifest: bytes | None = None
    heads: dict[str, tuple[bool, bytes]] = field(default_factory=dict)
    code: CodeFound = field(default_factory=CodeFound)
    links: dict[str, str] = field(default_factory=dict)


def judge(path: Path, name: str, expected: Expected = Expected()) -> Verdict:
    """Judge one archive, called `name`; what is wrong is in the verdict. Raises OSError if it cannot be read at all.

    It carries all that it needs, so nothing is found of its closure.
    """
    try:
        reading = _read(path, name)
        if len(reading.tops) != 1:
            return Verdict(name, (Finding(f"one top folder is expected, there are {len(reading.tops)}"),))
        if reading.manifest is None:
            return Verdict(name, (Finding(f"missing: {MANIFEST}"),))
        facts = component_manifest.parse(reading.manifest)
    except BundleError as error:
        return Verdict(name, (Finding(error.message),))
    unfit = faults_of(Tree(reading.code.files, reading.links), facts.platform, None)
    told = chain(_findings(reading, facts, name, expected), (f"{path}: {fault}" for path, fault in unfit))
    findings = tuple(map(Finding, islice(told, _MOST_FINDINGS)))
    return Verdict(name, findings, f"{facts.component} for {facts.platform}")


def _read(path: Path, name: str) -> _Reading:
    """Read a whole archive once, keeping the beginning of each program. Raises IntegrityError if it is unsafe."""
    reading = _Reading()
    with open_archive(path, name) as reader:
        for member in reader.members():
            top, _, inner = member.path.partition("/")
            reading.tops.add(top)
            if inner == MANIFEST:
                if member.kind != "file" or member.size > LARGEST_MANIFEST:
                    raise IntegrityError(f"{member.path}: not a small file")
                reading.manifest = b"".join(reader.read())
            elif member.kind == "file":
                _take(reading, reader, member, inner)
            elif fault := _fault(member):
                raise IntegrityError(f"refused member {member.path[:200]!r}: {fault}")
            elif member.kind == "link":
                reading.links[inner] = member.target
    return reading


def _take(reading: _Reading, reader: Reader, member: Member, inner: str) -> None:
    """Keep the beginning of a program, and what compiled code says of itself."""
    with CodeCopy(member.size) as copy:
        head = b""
        for data in reader.read():
            head = head or data[:HEAD]
            copy.take(data)
        if member.executable:
            reading.heads[inner] = (True, head)
        reading.code.add(inner, copy, member.path)


def _fault(member: Member) -> str | None:
    """What is unsafe about a folder or link."""
    if member.kind == "hard link":
        return "a hard link"
    top = member.path.partition("/")[0]
    return link_fault(member.path, member.target, top) if member.kind == "link" else None


def _findings(reading: _Reading, facts: ComponentManifest, name: str, expected: Expected) -> Iterator[str]:
    (top,) = reading.tops
    component, platform = expected.component or facts.component, expected.platform or facts.platform
    if facts.component != component:
        yield f"{MANIFEST} names another component\n    expected {component}\n    actual   {facts.component}"
    if facts.platform != platform:
        yield f"{MANIFEST} names another platform\n    expected {platform}\n    actual   {facts.platform}"
    if top != component:
        yield f"the top folder is {top}, not {component}"
    if not (name.startswith(f"{component}-") and name.endswith(f"-{platform}{ARCHIVE}")):
        yield f"the file's name does not say what is inside: {component} for {platform}"
    executable, head = reading.heads.get(facts.program, (False, b""))
    if not executable:
        yield f"missing: {facts.program}, an executable file that {MANIFEST} names"
        return
    actual = programs(head)
    if platform not in actual and not head.startswith(b"#!"):  # a script names its interpreter, and runs anywhere
        found = " and ".join(actual) or "unknown"
        yield f"{facts.program}: a program for another platform\n    expected {platform}\n    actual   {found}"
