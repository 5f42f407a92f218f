"""Browsers: archives that are unpacked below packages/playwright-browsers, each into a folder of its own.

The consumers' installer copies them to where Playwright looks (PLAYWRIGHT_BROWSERS_PATH), and wants
`*/chrome-linux/chrome` or `*/chrome-linux64/chrome` to be a program there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, ClassVar, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core import core_schema

from bundler.adapters.read_archive import open_archive
from bundler.adapters.regular import open_regular
from bundler.errors import IntegrityError, LockError
from bundler.model.bundle import Entry, text_file
from bundler.model.contents import Contents
from bundler.model.inventory import Item
from bundler.model.listed import list_schema
from bundler.model.manifest_values import LOCK_CONFIG, distinct
from bundler.model.package_url import package_url
from bundler.model.pin import Pin
from bundler.model.target import Target
from bundler.model.verdict import Finding
from bundler.model.zip_file import ZipReader
from bundler.payloads.collection import CollectionChoice
from bundler.payloads.download import (
    Download,
    LockedDownload,
    chosen,
    clash_of,
    common_problems,
    fetch_now,
    is_program_for,
)
from bundler.payloads.payload import Made, PathOf
from bundler.payloads.spool import spooled
from bundler.platforms import HEAD
from bundler.session import Network, Session
from bundler.words import PlainPath, Sha256

COLLECTION = "browsers"
SAME = False
_PLACE = "packages/playwright-browsers/"
PLACES = PROGRAMS = (_PLACE,)
LINKS: tuple[str, ...] = ()
TEXTS: tuple[str, ...] = ()
# A Chromium has 300 files and 600 MB.
_MOST_FILES, _LARGEST_TREE = 50_000, 2 << 30
# `verify` looks through all files of a package for each.
_MOST_BROWSERS = 100

FolderName: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=100),
    Field(title="a folder's name of small letters, digits and ._-", examples=["chromium-1200"]),
]
MarkerName: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z_]{1,100}$"),
    Field(title="a file name of capitals", examples=["INSTALLATION_COMPLETE"]),
]


@dataclass(frozen=True, kw_only=True)
class BrowserChoice(Download):
    """A browser: a `.zip`, `.tar.gz` or `.tar.xz`, and the folder that it is unpacked into."""

    folder: Annotated[FolderName, Field(description=f"The folder that it is unpacked into, below {_PLACE}.")]
    program: Annotated[
        PlainPath, Field(description="Its program, by its path in the archive, such as chrome-linux/chrome.")
    ]
    markers: Annotated[
        tuple[MarkerName, ...],
        AfterValidator(distinct),
        Field(max_length=10, description="Empty files that are put beside it, by which Playwright knows it as whole."),
    ] = ()


@dataclass(frozen=True)
class Browsers:
    """The section of a manifest: a list of browsers."""

    browsers: tuple[BrowserChoice, ...]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Take them from a list."""
        return list_schema(cls, lambda made: made.browsers, BrowserChoice, handler)

    def problems(self, targets: Sequence[Target]) -> Iterator[str]:
        """What is wrong with any of them, and folders that two share on one target."""
        yield from common_problems(self.browsers, targets)
        for target in targets:
            if clash := clash_of([one.folder for one in chosen(self.browsers, target)]):
                yield f"{target.name}: two browsers are unpacked into {clash}"


@dataclass(frozen=True, kw_only=True)
class LockedBrowser(LockedDownload):
    """A browser, exactly: its archive, and what is unpacked of it, as `tree_of` says."""

    folder: FolderName
    program: PlainPath
    markers: Annotated[tuple[MarkerName, ...], Field(max_length=10)]
    files: Annotated[int, Field(gt=0, le=_MOST_FILES)]
    tree_sha256: Sha256

    @property
    def place(self) -> str:
        """Where its files stand, with a slash at the end."""
        return f"{_PLACE}{self.folder}/"

    def entries(self, at: PathOf, spool: BinaryIO) -> Iterator[Entry]:
        """What is unpacked of it, and the markers."""
        for path, executable, content in unpacked(at(self.sha256), self.pin.name):
            yield spooled(self.place + path, content, spool, executable=executable)
        for marker in self.markers:
            yield text_file(self.place + marker, b"")

    def findings(self, contents: Contents) -> Iterator[Finding]:
        """Whether exactly its files are there."""
        found = [contents.files[path] for path in contents.below(self.place)]
        if not found:
            yield Finding(f"missing: {self.place}, the browser {self.name} {self.version}")
            return
        for one in found:
            if one.link is not None:
                yield Finding(f"{one.path}: a link, where a browser has none")
        program = contents.files.get(self.place + self.program)
        if program is None or not program.executable:
            yield Finding(f"missing: the program {self.place}{self.program}")
        tree = tree_of((one.path.removeprefix(self.place), one.executable, one.sha256 or "") for one in found)
        if (len(found), tree) != (self.files, self.tree_sha256):
            yield Finding(
                f"{self.place}: other files than the lock says: {len(found)} of the digest {tree}, "
                f"not {self.files} of {self.tree_sha256}"
            )


@dataclass(frozen=True)
class LockedBrowsers:
    """What a lock pins: each browser, by its folder."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    browser: Annotated[tuple[LockedBrowser, ...], Field(max_length=_MOST_BROWSERS)]

    def __post_init__(self) -> None:
        """Raise ValueError if two share a folder."""
        if clash := clash_of([one.folder for one in self.browser]):
            raise ValueError(f"two browsers are unpacked into {clash}")

    def versions(self) -> Mapping[str, str]:
        """The version of each."""
        return {one.name: one.version for one in self.browser}

    def provides(self) -> frozenset[str]:
        """Nothing: each thing has one name."""
        return frozenset()

    def sources(self) -> Mapping[str, tuple[str, str]]:
        """Nothing: it holds no repository."""
        return {}

    def pins(self) -> Iterator[Pin]:
        """Each one's archive."""
        return (one.pin for one in self.browser)

    def made(self) -> tuple[Made, ...]:
        """Nothing: what is unpacked goes into the package itself."""
        return ()

    def entries(self, at: PathOf, spool: BinaryIO) -> Iterator[Entry]:
        """What is unpacked of each."""
        for one in self.browser:
            yield from one.entries(at, spool)
        spool.flush()

    def items(self) -> Iterator[Item]:
        """Each browser; its size and digest are its archive's."""
        for one in self.browser:
            purl, path = package_url("generic", one.name, one.version), one.place.removesuffix("/")
            yield Item(purl, "program", one.name, one.version, path, one.size, one.sha256)

    def findings(self, contents: Contents) -> Iterator[Finding]:
        """Whether exactly the locked browsers are there."""
        for one in self.browser:
            yield from one.findings(contents)
        places = tuple(one.place for one in self.browser)
        for path in contents.below(_PLACE):
            if not path.startswith(places):
                yield Finding(f"surplus: {path}; the lock has no such browser")


CHOICE = Browsers
PINS = LockedBrowsers


def tree_of(files: Iterable[tuple[str, bool, str]]) -> str:
    """The SHA-256 (hex) of what files are: of each its path, whether it is executable, and its SHA-256 (hex).

    It is that of a line a file, sorted by the path: the digest, a space, `x` or `-`, a space, the path.
    """
    lines = (f"{sha256} {'x' if executable else '-'} {path}\n" for path, executable, sha256 in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def unpacked(archive: Path, name: str) -> Iterator[tuple[str, bool, Iterator[bytes]]]:
    """Yield each file of a `.zip`, `.tar.gz` or `.tar.xz`: its path, whether it is executable, and its bytes.

    The bytes of one are read before the next is asked for. Raises IntegrityError if the archive is none of these or
    unsafe, holds a link, or more than 50,000 files or 2 GiB.
    """
    count = size = 0
    for path, executable, length, content in _members(archive, name):
        count, size = count + 1, size + length
        if count > _MOST_FILES or size > _LARGEST_TREE:
            raise IntegrityError(f"{name}: unpacks to more than {_MOST_FILES} files or {_LARGEST_TREE >> 30} GiB")
        yield path, executable, content


def _members(archive: Path, name: str) -> Iterator[tuple[str, bool, int, Iterator[bytes]]]:
    with open_regular(archive) as file:
        if file.read(2) == b"PK":
            reader = ZipReader(file, name)
            for one in reader.members:
                if one.kind == "file":
                    yield one.path, one.executable, one.size, reader.content(one)
            return
    with open_archive(archive, name, xz=True) as tar:
        for member in tar.members():
            if member.kind == "file":
                yield member.path, member.executable, member.size, tar.read()
            elif member.kind != "folder":
                raise IntegrityError(f"{name}: refused member {member.path[:200]!r}: it is a {member.kind}")


def lock(choice: CollectionChoice, target: Target, session: Session, network: Network) -> LockedBrowsers:
    """Fetch each archive that the target has, look through it, and pin what it is and what is unpacked of it.

    Raises LockError if a browser's program is none for the target, IntegrityError if an archive is unsafe or not what
    the manifest or its list says, UnreachableError, ManifestError.
    """
    browsers = choice.browsers if isinstance(choice, Browsers) else ()
    found = [_locked(one, target, session, network) for one in chosen(browsers, target)]
    return LockedBrowsers(tuple(sorted(found, key=lambda one: one.folder)))


def _locked(choice: BrowserChoice, target: Target, session: Session, network: Network) -> LockedBrowser:
    fetched = fetch_now(choice, target, session, network)
    key = (COLLECTION, fetched.path, choice.program, choice.markers, target.platform)
    files, tree = network.once(key, lambda: _looked_through(choice, target, fetched.path))
    return LockedBrowser(
        name=choice.name,
        version=choice.version,
        address=fetched.address,
        size=fetched.size,
        sha256=fetched.sha256,
        folder=choice.folder,
        program=choice.program,
        markers=tuple(sorted(choice.markers)),
        files=files,
        tree_sha256=tree,
    )


def _looked_through(choice: BrowserChoice, target: Target, archive: Path) -> tuple[int, str]:
    """How many files are unpacked, and their digest. Raises LockError, IntegrityError."""
    name = f"{choice.name} {choice.version}"
    files = [(marker, False, hashlib.sha256().hexdigest()) for marker in choice.markers]
    runs = False
    for path, executable, content in unpacked(archive, name):
        digest, head = hashlib.sha256(), b""
        for data in content:
            digest.update(data)
            head += data[: HEAD - len(head)]
        files.append((path, executable, digest.hexdigest()))
        runs |= path == choice.program and executable and is_program_for(head, target)
    if not runs:
        raise LockError(
            f"{name}: {choice.program} is no executable program for {target.platform} in its archive",
            "check `program`, which is a path in the archive, the address, and `targets`",
        )
    if clash := clash_of([path for path, _, _ in files]):
        raise LockError(f"{name}: its archive holds {clash} already", "leave that marker out")
    return len(files), tree_of(files)
