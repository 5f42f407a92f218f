"""What a lock pins for git repositories: each one's commit, its pack, and what its checkout becomes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, BinaryIO, ClassVar, TypeAlias

from pydantic import ConfigDict, Field

from bundler.adapters.git_pack import LARGEST_PACK
from bundler.errors import LockError
from bundler.model.bundle import Entry, File, Link, text_file
from bundler.model.contents import Contents, ListedFile
from bundler.model.inventory import Item
from bundler.model.manifest_values import LOCK_CONFIG
from bundler.model.package_url import repository_url
from bundler.model.pin import Pin
from bundler.model.verdict import Finding
from bundler.payloads.payload import Made, PathOf
from bundler.payloads.repository.checkout import entries_of
from bundler.payloads.repository.choice import (
    AddedPath,
    AddedText,
    CheckoutName,
    CopyPlace,
    GitName,
    Repository,
    RepositoryAddress,
    TrackedPath,
)
from bundler.payloads.repository.places import commit_of, folder_of, is_ours
from bundler.words import Commit, Sha256

_MOST_FILES = 400_000
# `verify` looks through all files of a package for each.
_MOST_CHECKOUTS = 100
_Size: TypeAlias = Annotated[int, Field(gt=0, le=LARGEST_PACK)]


@dataclass(frozen=True)
class LockedCopy:
    """A file of the checkout that stands elsewhere too: its path in the checkout, and in the package."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    path: TrackedPath
    place: CopyPlace


@dataclass(frozen=True)
class LockedAddition:
    """A file that is put into the checkout: its path and text."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    path: AddedPath
    text: AddedText


@dataclass(frozen=True)
class LockedPack:
    """The pack of the commit, its trees and blobs: what it is made into, exactly."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    size: _Size
    sha256: Sha256


@dataclass(frozen=True)
class LockedFiles:
    """Everything below the checkout's folder, .git included: how many files, and the digest of their list.

    The list has a line for each, sorted by path: mode (octal, as Git has it), SHA-256 of the file (of the target, if it
    is a link), path, with a space between them.
    """

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    number: Annotated[int, Field(gt=0, le=_MOST_FILES)]
    sha256: Sha256

    @classmethod
    def of(cls, listed: Mapping[str, tuple[str, str]]) -> LockedFiles:
        """The same of modes and digests by path."""
        lines = (f"{mode} {sha256} {path}\n" for path, (mode, sha256) in sorted(listed.items()))
        return cls(len(listed), hashlib.sha256("".join(lines).encode()).hexdigest())

    @classmethod
    def of_entries(cls, entries: tuple[Entry, ...], folder: str) -> LockedFiles:
        """The same of what goes into an archive, below a folder."""
        below = {entry.path.removeprefix(f"{folder}/"): entry for entry in entries if entry.path.startswith(folder)}
        return cls.of({path: found for path, entry in below.items() if (found := _of_entry(entry))})


@dataclass(frozen=True)
class LockedRepository:
    """One repository: its address, the ref that was asked for, the commit and tree found there, and the checkout."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    name: CheckoutName
    address: RepositoryAddress
    ref: GitName
    commit: Commit
    tree: Commit
    pack: LockedPack
    files: LockedFiles
    branch: GitName | None = None
    origin: bool = False
    branches: tuple[GitName, ...] = ()
    copies: tuple[LockedCopy, ...] = ()
    additions: tuple[LockedAddition, ...] = ()

    @property
    def chosen(self) -> Repository:
        """What a manifest says to have it so, with the commit as ref."""
        return Repository(
            self.name,
            self.address,
            self.ref,
            self.branch,
            self.origin,
            {copy.path: copy.place for copy in self.copies},
            {addition.path: addition.text for addition in self.additions},
            self.branches,
        )

    def made(self) -> Made:
        """The pack."""
        from bundler.payloads.repository.fetching import write_fetched  # large: git

        pin = Pin(f"{self.name} at {self.commit[:12]}", self.pack.sha256, self.pack.size, self.address)
        return Made(pin, partial(write_fetched, self.name, self.address, self.commit))

    def entries(self, at: PathOf, spool: BinaryIO) -> tuple[Entry, ...]:
        """The checkout, copies, and the file that names the commit. Raises IntegrityError, LockError."""
        made = entries_of(self.chosen, self.commit, at(self.pack.sha256), spool)
        if LockedFiles.of_entries(made, folder_of(self.name)) != self.files:
            raise LockError(
                f"{self.name}: the lock is of another aiws-bundle, which made other files of the same commit",
                "lock again",
            )
        return made

    def findings(self, contents: Contents) -> Iterator[Finding]:
        """What is wrong with its files; those of copies are compared with the checkout's."""
        folder = folder_of(self.name)
        below = {path.removeprefix(f"{folder}/"): contents.files[path] for path in contents.below(f"{folder}/")}
        found = LockedFiles.of({path: _of_listed(file) for path, file in below.items()})
        if not below:
            yield Finding(f"missing: the checkout {folder}")
        elif found != self.files:
            yield Finding(
                f"{folder}: its files are not those of commit {self.commit} as locked\n"
                f"    expected {self.files.number} files, {self.files.sha256}\n"
                f"    actual   {found.number} files, {found.sha256}"
            )
        for copy in self.copies:
            original, there = below.get(copy.path), contents.files.get(copy.place)
            if there is None:
                yield Finding(f"missing: {copy.place}")
            elif original is None or _of_listed(original) != _of_listed(there):
                yield Finding(f"{copy.place}: it is not {folder}/{copy.path}")
        named = text_file(commit_of(self.name), f"{self.commit}\n".encode())
        file = contents.files.get(named.path)
        if file is None:
            yield Finding(f"missing: {named.path}")
        elif _of_listed(file) != _of_entry(named):
            yield Finding(f"{named.path}: it does not name commit {self.commit}")

    def places(self) -> Iterator[str]:
        """Files that stand outside its folder."""
        yield commit_of(self.name)
        yield from (copy.place for copy in self.copies)


@dataclass(frozen=True)
class LockedRepositories:
    """The `repositories` table of a lock."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    checkouts: Annotated[tuple[LockedRepository, ...], Field(max_length=_MOST_CHECKOUTS)]

    def __post_init__(self) -> None:
        """Raise ValueError if two have a name or a place in common."""
        names = [checkout.name.casefold() for checkout in self.checkouts]
        places = [copy.place for checkout in self.checkouts for copy in checkout.copies]
        if len(set(names)) != len(names) or len(set(places)) != len(places):
            raise ValueError("two repositories have the same name, or put a file at the same place")

    def pins(self) -> tuple[Pin, ...]:
        """Nothing: a repository is asked for through Git."""
        return ()

    def made(self) -> tuple[Made, ...]:
        """The pack of each."""
        return tuple(checkout.made() for checkout in self.checkouts)

    def entries(self, at: PathOf, spool: BinaryIO) -> Iterator[Entry]:
        """Each checkout. Raises IntegrityError, LockError."""
        for checkout in self.checkouts:
            yield from checkout.entries(at, spool)

    def items(self) -> Iterator[Item]:
        """Each checkout by its commit."""
        for one in self.checkouts:
            yield Item(repository_url(one.address, one.commit), "repository", one.name, one.commit, folder_of(one.name))

    def findings(self, contents: Contents) -> Iterator[Finding]:
        """Whether exactly the locked checkouts are there, and nothing where only they and their like may be."""
        for checkout in self.checkouts:
            yield from checkout.findings(contents)
        folders = tuple(f"{folder_of(checkout.name)}/" for checkout in self.checkouts)
        known = {place for checkout in self.checkouts for place in checkout.places()}
        for path in sorted(contents.files):
            if is_ours(path) and path not in known and not path.startswith(folders):
                yield Finding(f"surplus: {path}; the lock inside knows of no such file")

    def versions(self) -> dict[str, str]:
        """The commit of each."""
        return {checkout.name: checkout.commit for checkout in self.checkouts}

    def provides(self) -> frozenset[str]:
        """Nothing: each thing has one name."""
        return frozenset()

    def sources(self) -> Mapping[str, tuple[str, str]]:
        """The address and the commit of each."""
        return {checkout.name: (checkout.address, checkout.commit) for checkout in self.checkouts}


def _of_entry(entry: Entry) -> tuple[str, str] | None:
    if isinstance(entry, File):
        return ("100755" if entry.executable else "100644"), entry.sha256
    return ("120000", _sha256(entry.target)) if isinstance(entry, Link) else None


def _of_listed(file: ListedFile) -> tuple[str, str]:
    if file.link is not None:
        return "120000", _sha256(file.link)
    return ("100755" if file.executable else "100644"), file.sha256 or ""


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
