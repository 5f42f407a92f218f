"""Locks of an all-in-one package: one file a target, with a table for each collection.

What its parts are pinned to stands in their own locks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, ClassVar

import tomli_w
from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError

from bundler.errors import LockError
from bundler.kinds.offline.asking import Asking, choices_of
from bundler.kinds.offline.manifest import Offline
from bundler.kinds.offline.places import LOCK
from bundler.model.manifest_values import adapter_of
from bundler.model.pin import Pin
from bundler.model.target import Target, platform_of
from bundler.model.toml import MOST_PARTS_OF_UV, parse_toml
from bundler.payloads.collection import Collection, CollectionChoice
from bundler.payloads.collections import COLLECTIONS
from bundler.words import ComponentName, Sha256

_SECTIONS = {module.COLLECTION: module for module in COLLECTIONS}


def _target(name: str) -> str:
    platform_of(name)  # ValueError
    return name


@dataclass(frozen=True)
class LockFacts:
    """What the lock was made for: `choices` are digests of what the manifest said of each section."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    component: ComponentName
    target: Annotated[str, AfterValidator(_target)]
    choices: dict[str, Sha256] = field(default_factory=dict)
    asking: Asking = field(default_factory=Asking)


@dataclass(frozen=True)
class OfflineLock:
    """What a package's collections are on one target, by their sections."""

    facts: LockFacts
    sections: tuple[tuple[str, Collection], ...] = ()

    @property
    def asking(self) -> Asking:
        """What the repositories ask for."""
        return self.facts.asking

    @classmethod
    def parse(cls, text: str, name: str, again: str = "") -> OfflineLock:
        """Parse a lock; `name` is what errors call it, `again` what they say to do. Raises LockError."""
        try:
            document = parse_toml(text, MOST_PARTS_OF_UV)
            own = {key: value for key, value in document.items() if key not in _SECTIONS}
            lock = cls(_facts().validate_python(own), tuple(_parsed(document)))
            if set(lock.facts.choices) != set(dict(lock.sections)):
                raise ValueError("choices: are not those of its sections")
            return lock
        except (ValidationError, ValueError, RecursionError) as error:
            raise LockError(f"{name} is not a lock that aiws-bundle wrote: {_plain(error)}", again) from error

    @classmethod
    def inside(cls, content: bytes) -> OfflineLock:
        """Parse the lock in a package. Raises LockError."""
        return cls.parse(content.decode("utf-8", "replace"), LOCK)

    def render(self) -> str:
        """Return the lock's text."""
        document: dict[str, object] = _facts().dump_python(self.facts, exclude_defaults=True, mode="json")
        for name, one in self.sections:
            document[name] = adapter_of(type(one)).dump_python(one, by_alias=True, exclude_defaults=True, mode="json")
        return "# Written by `aiws-bundle lock`; edit the manifests instead.\n" + tomli_w.dumps(document)

    def stale(self, manifest: Offline, target: Target) -> tuple[str, ...]:
        """The sections that are not what a manifest now says on `target`."""
        wanted = {name: digest(choice, target) for name, choice in manifest.sections.items()}
        known = self.facts.choices
        if choices_of(manifest, target) != self.asking.choices:
            wanted["agreements"] = ""
        return tuple(sorted(n for n in wanted.keys() | known.keys() if wanted.get(n) != known.get(n)))

    def pins(self) -> tuple[Pin, ...]:
        """Every file that it pins, what is made here too."""
        return tuple(pin for _, one in self.sections for pin in (*one.pins(), *(made.pin for made in one.made())))

    def digests(self) -> set[str]:
        """The SHA-256 of each."""
        return {pin.sha256 for pin in self.pins()}

    def versions(self) -> Mapping[str, Mapping[str, str]]:
        """What each section holds: versions by names."""
        return {name: one.versions() for name, one in self.sections}


def digest(choice: CollectionChoice, target: Target | None = None) -> str:
    """SHA-256 (hex) of what a manifest says of a section, for a target or for all; comments do not count."""
    said = adapter_of(type(choice)).dump_python(choice, by_alias=True, mode="json")
    return hashlib.sha256(json.dumps([said, target.name if target else ""], sort_keys=True).encode()).hexdigest()


def _parsed(document: Mapping[str, object]) -> Iterator[tuple[str, Collection]]:
    for name, module in _SECTIONS.items():
        if name in document:
            try:
                yield name, adapter_of(module.PINS).validate_python(document[name])
            except ValidationError as error:
                raise ValueError(_plain(error, name)) from error


def _plain(error: Exception, *above: str) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, (*above, *first['loc'])))}: {first['msg']}"
    return str(error)


@cache
def _facts() -> TypeAdapter[LockFacts]:
    return TypeAdapter(LockFacts)
