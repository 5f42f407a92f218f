"""What must not be used, whoever asks for it: versions, or single files; manifests say so, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

# A project and its version, which compare however they are spelled.
Package: TypeAlias = tuple[str, Version]
# A version with all its files, or one file by its SHA-256 (hex), whatever it is called.
Held: TypeAlias = Package | str
# What must not be used, and why.
KnownBad: TypeAlias = Mapping[Held, str]


def package(project: str, version: str | Version) -> Package:
    """A project's version as it is compared."""
    return str(canonicalize_name(project)), Version(str(version))


def package_of(requirement: str) -> Package:
    """The same of a requirement of exactly one version; extras do not count."""
    parsed = Requirement(requirement)
    return package(parsed.name, next(iter(parsed.specifier)).version)


def bad_among(held: Iterable[Held], bad: KnownBad) -> str:
    """Say which of `held` is known to be bad, the first if several are, and why; "" if none is."""
    return next((f"{_named(one)} is known to be bad: {bad[one]}" for one in held if one in bad), "")


def _named(one: Held) -> str:
    return f"the file with SHA-256 {one}" if isinstance(one, str) else f"{one[0]} {one[1]}"
