"""Pinned files: programs and archives that the consumers' roles find in the package, as their makers publish them.

Nothing is unpacked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, BinaryIO, ClassVar, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core import core_schema

from bundler.adapters.regular import open_regular
from bundler.errors import IntegrityError, LockError, ManifestError
from bundler.model.bundle import Entry, File, Slice
from bundler.model.contents import Contents
from bundler.model.inventory import Item
from bundler.model.listed import list_schema
from bundler.model.manifest_values import LOCK_CONFIG, filled
from bundler.model.package_url import package_url
from bundler.model.pin import Pin
from bundler.model.target import Target
from bundler.model.verdict import Finding
from bundler.model.zip_file import ZipReader
from bundler.payloads.collection import CollectionChoice
from bundler.payloads.download import (
    FIELDS,
    Download,
    Fetched,
    LockedDownload,
    chosen,
    clash_of,
    common_problems,
    fetch_now,
    is_program_for,
    validated,
)
from bundler.payloads.payload import Made, PathOf
from bundler.platforms import HEAD
from bundler.session import Network, Session
from bundler.words import PlainPath

COLLECTION = "files"
SAME = False
# Programs, and what other programs load.
PLACES = ("packages/bin/", "packages/plugins/")
PROGRAMS = PLACES[:1]
_TOLD = " or ".join(PLACES)
LINKS: tuple[str, ...] = ()
TEXTS: tuple[str, ...] = ()


def _in_place(path: str) -> str:
    if not path.startswith(PLACES):
        raise ValueError(f"a path below {_TOLD} is wanted")
    return path


_Path: TypeAlias = Annotated[PlainPath, AfterValidator(_in_place)]


@dataclass(frozen=True, kw_only=True)
class FileChoice(Download):
    """A file that is taken as it is."""

    path: Annotated[
        str,
        StringConstraints(max_length=300),
        filled(*FIELDS),
        AfterValidator(_in_place),
        Field(
            title=f"a path below {_TOLD}, filled in as `address` is",
            description=f"Where it stands in the package: below {_TOLD}; filled in as `address` is.",
            examples=[f"{PLACES[0]}demo_{{version}}_linux_{{arch}}.zip"],
        ),
    ]
    executable: Annotated[
        bool, Field(description="Whether it is a program, which is checked: one for the target's platform.")
    ] = False
    contains: Annotated[
        PlainPath | None, Field(description="A file that it, a ZIP, must hold at this path, such as its program.")
    ] = None

    def path_on(self, target: Target) -> str:
        """Where it stands on a target. Raises ManifestError if the template makes no path for it."""
        return validated(_Path, self.fill(self.path, target), f"{self.name}: path")


@dataclass(frozen=True)
class Files:
    """The section of a manifest: a list of files."""

    files: tuple[FileChoice, ...]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Take them from a list."""
        return list_schema(cls, lambda made: made.files, FileChoice, handler)

    def problems(self, targets: Sequence[Target]) -> Iterator[str]:
        """What is wrong with any of them, and paths that two share on one target."""
        yield from common_problems(self.files, targets)
        for target in targets:
            try:
                paths = [one.path_on(target) for one in chosen(self.files, target)]
            except ManifestError as error:
                yield f"{target.name}: {error.message}"
            else:
                if clash := clash_of(paths):
                    yield f"{target.name}: {clash} is there twice, or as a file and as a folder"


@dataclass(frozen=True, kw_only=True)
class LockedFile(LockedDownload):
    """A file, exactly, and where it stands."""

    path: _Path
    executable: bool

    def entry(self, at: PathOf) -> File:
        """The file as it is in the store."""
        return File(self.path, self.size, self.sha256, Slice(str(at(self.sha256)), 0, self.size), self.executable)


@dataclass(frozen=True)
class LockedFiles:
    """What a lock pins: each file, by its path."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    file: tuple[LockedFile, ...]

    def __post_init__(self) -> None:
        """Raise ValueError if two stand at one path."""
        if clash := clash_of([one.path for one in self.file]):
            raise ValueError(f"{clash} is there twice, or as a file and as a folder")

    def versions(self) -> Mapping[str, str]:
        """The version of each."""
        return {one.name: one.version for one in self.file}

    def provides(self) -> frozenset[str]:
        """Nothing: each thing has one name."""
        return frozenset()

    def sources(self) -> Mapping[str, tuple[str, str]]:
        """Nothing: it holds no repository."""
        return {}

    def pins(self) -> Iterator[Pin]:
        """Each file."""
        return (one.pin for one in self.file)

    def made(self) -> tuple[Made, ...]:
        """Nothing: they are taken as they are."""
        return ()

    def entries(self, at: PathOf, spool: BinaryIO) -> Iterator[Entry]:
        """Each file as it is in the store."""
        return (one.entry(at) for one in self.file)

    def items(self) -> Iterator[Item]:
        """Each file."""
        for one in self.file:
            purl = package_url("generic", one.name, one.version)
            yield Item(purl, "file", one.name, one.version, one.path, one.size, one.sha256)

    def findings(self, contents: Contents) -> Iterator[Finding]:
        """Whether exactly the locked files are there."""
        locked = {one.path: one for one in self.file}
        there = {path for place in PLACES for path in contents.below(place)}
        for path in sorted(locked.keys() | there):
            if path not in there:
                yield Finding(f"missing: {path}")
            elif path not in locked:
                yield Finding(f"surplus: {path}; the lock has no such file")
            elif fault := _difference(locked[path], contents):
                yield Finding(f"{path}: {fault}")


def _difference(locked: LockedFile, contents: Contents) -> str:
    found = contents.files[locked.path]
    if found.link is not None:
        return f"a link to {found.link}, where the lock has a file"
    if (found.sha256, found.size) != (locked.sha256, locked.size):
        return f"the lock says {locked.sha256}, the file is {found.sha256}"
    if found.executable != locked.executable:
        return f"executable: {found.executable}, where the lock says {locked.executable}"
    return ""


CHOICE = Files
PINS = LockedFiles


def lock(choice: CollectionChoice, target: Target, session: Session, network: Network) -> LockedFiles:
    """Fetch each file that the target has, and pin what it is.

    Raises LockError if one is no program for the target or lacks what it must contain, IntegrityError if one is not
    what the manifest or its list says, UnreachableError, ManifestError.
    """
    files = choice.files if isinstance(choice, Files) else ()
    found = (_locked(one, target, session, network) for one in chosen(files, target))
    return LockedFiles(tuple(sorted(found, key=lambda one: one.path)))


def _locked(choice: FileChoice, target: Target, session: Session, network: Network) -> LockedFile:
    path = choice.path_on(target)
    fetched = fetch_now(choice, target, session, network)
    _check(choice, target, fetched)
    return LockedFile(
        name=choice.name,
        version=choice.version,
        address=fetched.address,
        size=fetched.size,
        sha256=fetched.sha256,
        path=path,
        executable=choice.executable,
    )


def _check(choice: FileChoice, target: Target, fetched: Fetched) -> None:
    """Look into a file as far as the manifest says what it is."""
    name = f"{choice.name} {choice.version}"
    with open_regular(fetched.path) as file:
        if choice.executable and not is_program_for(file.read(HEAD), target):
            raise LockError(
                f"{name}: {fetched.address} is no program for {target.platform}",
                "check the address's {arch} or {machine}, or leave `executable` out",
            )
        if choice.contains is None:
            return
        try:
            members = {member.path for member in ZipReader(file, name).members if member.kind == "file"}
        except IntegrityError as error:
            raise IntegrityError(f"{error.message}\n  from     {fetched.address}") from error
        if choice.contains not in members:
            raise LockError(
                f"{name}: {fetched.address} holds no file {choice.contains}",
                "check the address, or what `contains` says",
            )
