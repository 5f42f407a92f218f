"""Files that collections take from an address as they are: what a manifest says of one, and how it is pinned."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar, TypeAlias, TypeVar, cast
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from bundler.errors import IntegrityError, ManifestError, Problem
from bundler.model.manifest_values import LOCK_CONFIG, MANIFEST_CONFIG, distinct, filled
from bundler.model.pin import Pin
from bundler.model.target import Target, selects
from bundler.model.zip_file import find_clash
from bundler.platforms import HEAD, named
from bundler.progress import Silent
from bundler.session import Network, Session
from bundler.words import Address, Arch, Selector, Sha256, Word

FIELDS = ("version", "arch", "machine", "distro", "distro-version")
LARGEST = 1 << 30
_LARGEST_SUMS = 4 << 20
# A host that cannot be reached is given up sooner than one in the middle of a download.
_ATTEMPTS = 2
# What sha256sum(1) writes: a digest, a space, a space or an asterisk, a name.
_SUM = re.compile(r"([0-9a-fA-F]{64}) [ *](\S.*)")
_HINT = "whoever serves it changed it, or the manifest names another version; nothing was locked"

Version: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]*$", max_length=100),
    Field(title="a version of letters, digits and .+_-", examples=["1.2.3"]),
]
Size: TypeAlias = Annotated[int, Field(gt=0, le=LARGEST)]


def _no_login(value: str) -> str:
    if "@" in value.split("/")[2]:
        raise ValueError("an address in a manifest or lock has no user and password; ~/.netrc may hold them")
    return value


FileAddress: TypeAlias = Annotated[Address, AfterValidator(_no_login)]
AddressTemplate: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^https://[^\s/{}]+/\S+$", max_length=2000),
    filled(*FIELDS),
    AfterValidator(_no_login),
    Field(
        title="an https address, in which {version}, {arch}, {machine}, {distro} and {distro-version} are filled in",
        examples=["https://example.org/{version}/demo_{arch}.zip"],
    ),
]


@dataclass(frozen=True, kw_only=True)
class Download:
    """What a manifest says of a file that is fetched: what it is called, where it is, and what it must be."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    name: Annotated[Word, Field(description="What it is called in messages and in the lock.")]
    version: Annotated[Version, Field(description="Its version, which {version} stands for.")]
    address: Annotated[
        AddressTemplate,
        Field(
            description="Where it is. {version}, {arch} (amd64, arm64), {machine} (x86_64, aarch64), {distro} and "
            "{distro-version} are filled in."
        ),
    ]
    sums: Annotated[
        AddressTemplate | None,
        Field(description="Where a list is, as sha256sum writes it, that names the file; filled in likewise."),
    ] = None
    sha256: Annotated[
        Mapping[Arch, Sha256], Field(description="The SHA-256 that the file must have, by architecture.")
    ] = field(default_factory=dict)
    targets: Annotated[
        tuple[Selector, ...],
        AfterValidator(distinct),
        Field(description="The targets that have it, or words that mean them. Without it: all."),
    ] = ()

    def is_for(self, target: Target) -> bool:
        """Say whether a target has it."""
        return not self.targets or selects(self.targets, target)

    def fill(self, template: str, target: Target) -> str:
        """A template of it for a target."""
        platform, arch = named(target.platform)
        machine = platform.MACHINES[arch]
        values = (self.version, target.arch, machine, target.distro, target.version)
        return template.format_map(dict(zip(FIELDS, values, strict=True)))

    def problems(self, targets: Sequence[Target]) -> Iterator[str]:
        """What no single value shows: selectors of nothing, and digests for some architectures only."""
        for word in self.targets:
            if not any(selects((word,), target) for target in targets):
                yield f"{self.name}: {word[:100]!r} means none of the targets"
        arches = sorted({target.arch for target in targets if self.is_for(target)})
        if self.sha256 and (unsaid := [arch for arch in arches if arch not in self.sha256]):
            yield f"{self.name}: sha256 says nothing of {unsaid[0]}"


D = TypeVar("D", bound=Download)


def chosen(choices: Sequence[D], target: Target) -> Iterator[D]:
    """Those that a target has."""
    return (one for one in choices if one.is_for(target))


def common_problems(choices: Sequence[Download], targets: Sequence[Target]) -> Iterator[str]:
    """What is wrong with each of `choices`, and two of one name on one target."""
    for one in choices:
        yield from one.problems(targets)
    for target in targets:
        names = [one.name for one in chosen(choices, target)]
        if twice := [name for number, name in enumerate(names) if name in names[:number]]:
            yield f"{target.name}: {twice[0]} is there twice"


def clash_of(paths: Sequence[str]) -> str | None:
    """A path of files that is there twice, or inside another one; None if there is none."""
    return find_clash((path, False) for path in paths)


@dataclass(frozen=True, kw_only=True)
class LockedDownload:
    """A file that was fetched, exactly."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    name: Word
    version: Version
    address: FileAddress
    size: Size
    sha256: Sha256

    @property
    def pin(self) -> Pin:
        """The file as it is fetched."""
        return Pin(f"{self.name} {self.version}", self.sha256, self.size, self.address)


@dataclass(frozen=True)
class Fetched:
    """What an address had when it was locked: where it is in the store, under its digest."""

    address: str
    path: Path

    @property
    def sha256(self) -> str:
        """Its SHA-256 (hex)."""
        return self.path.name

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return self.path.stat().st_size


def fetch_now(choice: Download, target: Target, session: Session, network: Network) -> Fetched:
    """Bring the file of a target into the store, once a run, checked against what the manifest says it must be.

    Raises IntegrityError if it is another one, larger than 1 GiB or empty, or if `sums` does not list it;
    UnreachableError; ManifestError if the address that the template makes is none.
    """
    address = validated(FileAddress, choice.fill(choice.address, target), f"{choice.name}: address")
    sums = validated(FileAddress, choice.fill(choice.sums, target), f"{choice.name}: sums") if choice.sums else ""
    name, said = f"{choice.name} {choice.version}", choice.sha256.get(target.arch, "")
    key = ("download", address, sums, said)
    return network.once(key, lambda: _fetch(name, address, sums, said, session, network))


def _fetch(name: str, address: str, sums: str, said: str, session: Session, network: Network) -> Fetched:
    from bundler.adapters.http import redact  # large: loaded when something is fetched
    from bundler.adapters.store import Blob

    store = session.store()
    listed = _listed(sums, _last_part(address), network) if sums else ""
    if listed and said and listed != said:
        raise IntegrityError(
            f"{name}: the manifest and {redact(sums)} disagree\n  manifest {said}\n  listed   {listed}", _HINT
        )
    if expected := said or listed:
        with Silent().task("", 0) as task:
            path = store.fetch(Blob(name, expected, None), iter([address]), network.http, task)
    else:
        path = store.find(name, address, network.http, LARGEST)
        session.progress.say(f"{name}: nothing says what {redact(address)} must be; locked as found, {path.name}")
    if not path.stat().st_size:
        raise IntegrityError(f"{name}: {redact(address)} is empty", _HINT)
    return Fetched(address, path)


def _last_part(address: str) -> str:
    return unquote(urlsplit(address).path.rpartition("/")[2])


def _listed(address: str, name: str, network: Network) -> str:
    """The SHA-256 that a list has for a file. Raises IntegrityError if it has none, or two that differ."""
    from bundler.adapters.http import redact  # large: loaded when something is fetched

    text = network.http.read(address, _LARGEST_SUMS, _ATTEMPTS).decode("utf-8", "replace")
    found = {
        match[1].lower()
        for line in text.splitlines()
        if (match := _SUM.fullmatch(line.rstrip())) and match[2].removeprefix("./") == name
    }
    if len(found) != 1:
        why = "lists it twice, differently" if found else "does not list it"
        raise IntegrityError(f"{name}: {redact(address)} {why}", _HINT)
    return found.pop()


def validated(kind: object, value: str, what: str) -> str:
    """A text that a template made, if it is of its kind, which pydantic knows. Raises ManifestError."""
    try:
        return _adapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise ManifestError([Problem(what, 0, 0, f"makes {str(value)[:200]!r}: {first}")]) from error


@cache
def _adapter(kind: object) -> TypeAdapter[str]:
    return TypeAdapter(cast("type[str]", kind))


def is_program_for(head: bytes, target: Target) -> bool:
    """Say whether a file that begins with `head` (up to `HEAD` bytes) is a program for a target's platform."""
    platform, arch = named(target.platform)
    return platform.is_program(head[:HEAD], arch)
