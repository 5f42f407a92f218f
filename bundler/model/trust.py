"""`trust.yaml`: whose signatures count, and what is accepted, refused or waited for."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Annotated, ClassVar, Literal, TypeAlias

from packaging.utils import canonicalize_name
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from bundler.model.ed25519 import is_weak
from bundler.model.known_bad import KnownBad, package_of
from bundler.model.manifest_values import MANIFEST_CONFIG
from bundler.model.public_key import PublicKey
from bundler.words import ProjectName, Sha256, Spec, Wanted

Role: TypeAlias = Literal["release", "rebuilder"]
_KEY_NAME, _LONGEST_NAME = r"^[A-Za-z0-9]([A-Za-z0-9._@-]*[A-Za-z0-9])?$", 64
_MOST_KEYS, _MOST_RULES, _LONGEST_COOLDOWN = 100, 1000, 365


def is_key_name(text: str) -> bool:
    """Say whether a key can be called so."""
    return len(text) <= _LONGEST_NAME and re.fullmatch(_KEY_NAME, text) is not None


def _public_key(text: str) -> str:
    if is_weak(PublicKey.parse(text).raw):
        raise ValueError("a key for which anybody can sign")
    return text


KeyText: TypeAlias = Annotated[
    str,
    StringConstraints(max_length=200),
    AfterValidator(_public_key),
    Field(
        title="a public key: a line as in minisign.pub, or one that begins with ssh-ed25519",
        examples=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"],
    ),
]
KeyName: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=_KEY_NAME, max_length=_LONGEST_NAME),
    Field(title="a name of letters, digits and ._@-", examples=["release-2027"]),
]
Reason: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$"),
    Field(title="a line of text", examples=["why, for whoever meets it"]),
]
Advisory: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{2,63}$"),
    Field(title="an advisory's id", examples=["GHSA-aaaa-bbbb-cccc"]),
]
Licence: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$"),
    Field(title="an SPDX licence identifier, or a licence's name", examples=["MIT"]),
]
Day: TypeAlias = Annotated[
    date, Field(title="a day", examples=["2027-01-31"], json_schema_extra={"type": "string", "format": "date"})
]


@dataclass(frozen=True)
class Revoked:
    """Since when a key counts no more, whatever it signed, and why."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    since: Annotated[Day, Field(description="The day from which on it was not the owner's alone any more.")]
    reason: Annotated[Reason, Field(description="Why, for whoever meets it.")]


@dataclass(frozen=True)
class TrustedKey:
    """A key whose signatures count."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    name: Annotated[KeyName, Field(description="Who or what signs with it; signers are listed by it.")]
    key: Annotated[KeyText, Field(description="The public key, as minisign or OpenSSH writes it.")]
    role: Annotated[
        Role,
        Field(description="`release`: it makes releases; `rebuilder`: it says that archives can be rebuilt."),
    ] = "release"
    valid_from: Annotated[Day | None, Field(description="The first day on which it counts (UTC).")] = None
    valid_until: Annotated[Day | None, Field(description="The last day on which it counts (UTC).")] = None
    revoked: Annotated[Revoked | None, Field(description="That it counts no more.")] = None

    def __post_init__(self) -> None:
        """Raise ValueError for a key that counts on no day."""
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise ValueError(f"{self.name} would be valid from {self.valid_from} until {self.valid_until}, so never")

    @cached_property
    def public(self) -> PublicKey:
        """The key itself."""
        return PublicKey.parse(self.key)


@dataclass(frozen=True)
class Required:
    """How many keys of each role must have signed."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    release: Annotated[
        int, Field(strict=True, ge=0, le=_MOST_KEYS, description="How many of the keys that make releases.")
    ] = 1
    rebuilder: Annotated[
        int, Field(strict=True, ge=0, le=_MOST_KEYS, description="How many of the rebuilders' keys.")
    ] = 0


@dataclass(frozen=True)
class Hurried:
    """A package that may be younger than others, and why."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    requirement: Annotated[Wanted, Field(description="The project, and which of its versions.")]
    reason: Annotated[Reason, Field(description="Why it cannot wait.")]
    until: Annotated[Day | None, Field(description="The last day on which this holds.")] = None


@dataclass(frozen=True)
class Cooldown:
    """How long a file must have been on the index before a lock takes it."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    days: Annotated[int, Field(strict=True, ge=0, le=_LONGEST_COOLDOWN, description="How many days; 0: none.")] = 7
    exceptions: Annotated[tuple[Hurried, ...], Field(max_length=_MOST_RULES, description="What may be younger.")] = ()


@dataclass(frozen=True)
class Accepted:
    """An advisory that is known, and accepted for a time."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    id: Annotated[Advisory, Field(description="The advisory's id, or an alias of it such as its CVE number.")]
    reason: Annotated[Reason, Field(description="Why it does no harm here, or what is waited for.")]
    until: Annotated[Day, Field(description="The last day on which it is accepted.")]
    projects: Annotated[
        tuple[ProjectName, ...], Field(max_length=_MOST_RULES, description="Of which projects; without it: of all.")
    ] = ()


@dataclass(frozen=True)
class UnusualLicence:
    """A project whose licence is another than the rules allow, or is not told, and why that may be."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    project: Annotated[ProjectName, Field(description="The project.")]
    reason: Annotated[Reason, Field(description="Why it may be used.")]


@dataclass(frozen=True)
class Licences:
    """Which licences may be shipped. With `allow`, no other; never one of `deny`."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    allow: Annotated[
        tuple[Licence, ...], Field(max_length=_MOST_RULES, description="The only ones; without it: any.")
    ] = ()
    deny: Annotated[
        tuple[Licence, ...], Field(max_length=_MOST_RULES, description="Those that are never shipped.")
    ] = ()
    exceptions: Annotated[
        tuple[UnusualLicence, ...], Field(max_length=_MOST_RULES, description="The projects that may differ.")
    ] = ()


@dataclass(frozen=True)
class Harmful:
    """What no lock may hold and no archive carry: a version, or one file of it, and why."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    requirement: Annotated[Spec, Field(description="The project and version.")]
    reason: Annotated[Reason, Field(description="Why.")]
    sha256: Annotated[Sha256 | None, Field(description="The only file of it that is meant; without it: all.")] = None


@dataclass(frozen=True)
class Trust:
    """`trust.yaml`: whose signatures count, and what is accepted, refused or waited for."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    keys: Annotated[
        tuple[TrustedKey, ...], Field(max_length=_MOST_KEYS, description="The keys whose signatures count.")
    ] = ()
    require: Annotated[Required, Field(description="How many of them must have signed what is verified.")] = Required()
    cooldown: Annotated[Cooldown, Field(description="How long `lock` waits before it takes a new file.")] = Cooldown()
    advisories: Annotated[
        tuple[Accepted, ...], Field(max_length=_MOST_RULES, description="The advisories that are accepted for a time.")
    ] = ()
    licences: Annotated[Licences, Field(description="Which licences may be shipped.")] = Licences()
    known_bad: Annotated[
        tuple[Harmful, ...], Field(max_length=_MOST_RULES, description="What must not be used, whoever asks for it.")
    ] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for keys that are not told apart, and for more required keys than there are."""
        names, keys = [key.name for key in self.keys], [key.public.raw for key in self.keys]
        if twice := next((name for name in names if names.count(name) > 1), ""):
            raise ValueError(f"keys: two are called {twice}")
        if len(set(keys)) < len(keys):
            raise ValueError("keys: one is there twice, so one owner would count for two")
        asked: dict[Role, int] = {"release": self.require.release, "rebuilder": self.require.rebuilder}
        for role, number in asked.items():
            usual = not self.keys and number == getattr(Required, role)  # of a file that names no key at all
            if number > sum(key.role == role for key in self.keys) and not usual:
                raise ValueError(f"require: {role}: {number} keys are required, and fewer are named")

    def key_of(self, fingerprint: str) -> TrustedKey | None:
        """The entry of a key; None if it has none."""
        return next((key for key in self.keys if key.public.fingerprint == fingerprint), None)

    @property
    def required(self) -> Mapping[Role, int]:
        """How many keys of each role must have signed; nobody's where no key is named."""
        return {"release": self.require.release, "rebuilder": self.require.rebuilder} if self.keys else {}

    @cached_property
    def bad(self) -> KnownBad:
        """What nothing may hold, and why."""
        return {
            one.sha256 or package_of(one.requirement): f"{one.reason} ({one.requirement})" if one.sha256 else one.reason
            for one in self.known_bad
        }

    def accepts(self, ids: Collection[str], project: str) -> Accepted | None:
        """The acceptance of an advisory, by any of its ids, for a project: that which ends last. It may have ended."""
        own = [one for one in self.advisories if one.id in ids and (not one.projects or project in _names(one))]
        return max(own, key=lambda one: one.until, default=None)

    def expired(self, today: date) -> Iterator[str]:
        """Say which acceptances and exceptions ended before a day."""
        for accepted in self.advisories:
            if accepted.until < today:
                yield f"trust.yaml: {accepted.id} is accepted no more since {accepted.until}; renew it or take it out"
        for hurried in self.cooldown.exceptions:
            if hurried.until and hurried.until < today:
                yield f"trust.yaml: {hurried.requirement} has to wait again since {hurried.until}; take it out"


def _names(accepted: Accepted) -> set[str]:
    return set(map(canonicalize_name, accepted.projects))


NOTHING_TRUSTED = Trust()
