"""`python.yaml`: the portable CPython that bundles carry where a target's own will not do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from bundler.model.manifest_values import MANIFEST_CONFIG
from bundler.words import Address, Arch, PythonVersion, Sha256, Word


@dataclass(frozen=True)
class PythonPin:
    """One portable CPython archive: where it is and what it must be."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    address: Address
    sha256: Sha256


@dataclass(frozen=True)
class PortablePython:
    """`python.yaml`: the portable CPython that bundles carry where the target's own will not do.

    `leave_out` are gitignore patterns, matched below the archive's top folder, of what a runtime does not need.
    """

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    version: PythonVersion
    tag: Word
    pins: dict[Arch, PythonPin]
    leave_out: tuple[str, ...] = ()
