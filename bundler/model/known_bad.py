"""Versions that must not be used, whoever asks for them: a manifest names them, each with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

# A project and its version, which compare however they are spelled.
Package: TypeAlias = tuple[str, Version]
# What must not be used, and why.
KnownBad: TypeAlias = Mapping[Package, str]


def package(project: str, version: str | Version) -> Package:
    """A project's version as it is compared."""
    return str(canonicalize_name(project)), Version(str(version))


def package_of(requirement: str) -> Package:
    """The same of a requirement of exactly one version; extras do not count."""
    parsed = Requirement(requirement)
    return package(parsed.name, next(iter(parsed.specifier)).version)


def bad_among(packages: Iterable[Package], bad: KnownBad) -> str:
    """Say which of `packages` is known to be bad, the first if several are, and why; "" if none is."""
    return next((f"{one[0]} {one[1]} is known to be bad: {bad[one]}" for one in packages if one in bad), "")
