"""A snapshot of advisories (`advisories.json`): what was known on a day of exactly the packages of a release.

It holds the day, where the advisories are from, which packages were asked for, and OSV records
(https://ossf.github.io/osv-schema/) cut down to those packages. It is written in one way only, so the same advisories
are the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter

from bundler.errors import IntegrityError
from bundler.model.advisories import Advisories
from bundler.model.advisory import Advisory, Name, Package, VersionText, advisory_adapter
from bundler.model.json_text import first_fault, limited
from bundler.model.sidecar import ADVISORIES as NAME
from bundler.model.sidecar import LARGEST_ADVISORIES as LARGEST

_MOST_VALUES, _MOST_RECORDS = 2_000_000, 100_000
_HINT = "make it again: `aiws-bundle audit --snapshot FILE`"


@dataclass(frozen=True)
class _Snapshot:
    """The file, as it is written."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)
    format: Literal[1]
    made: date
    source: Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
    asked: Mapping[Name, Mapping[Name, tuple[VersionText, ...]]]
    advisories: Annotated[tuple[Advisory, ...], Field(max_length=_MOST_RECORDS)]


def compose(known: Advisories) -> bytes:
    """Return the file's bytes, of advisories for packages that were `asked` for."""
    asked: dict[str, dict[str, list[str]]] = {}
    for package in sorted(known.asked or ()):
        asked.setdefault(package.ecosystem, {}).setdefault(package.name, []).append(package.version)
    document = {
        "format": 1,
        "made": known.made.isoformat(),
        "source": known.source,
        "asked": asked,
        "advisories": [_record(one) for one in sorted(known.records, key=lambda one: one.id)],
    }
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def _record(advisory: Advisory) -> object:
    return advisory_adapter().dump_python(advisory, mode="json", by_alias=True, exclude_defaults=True)


def parse(content: bytes) -> Advisories:
    """Parse the file. Raises IntegrityError, also for one that is not as `compose` writes it."""
    try:
        if len(content) > LARGEST:
            raise IntegrityError(f"{NAME}: larger than {LARGEST} bytes")
        said = _adapter().validate_json(limited(content, _MOST_VALUES))
    except ValueError as error:
        raise IntegrityError(f"{NAME}: {first_fault(error)}", _HINT) from error
    asked = frozenset(
        Package(ecosystem, project, version)
        for ecosystem, projects in said.asked.items()
        for project, versions in projects.items()
        for version in versions
    )
    known = Advisories(said.made, said.source, said.advisories, asked)
    try:
        same = compose(known) == content
    except UnicodeEncodeError:
        same = False
    if not same:
        raise IntegrityError(f"{NAME}: it is not as this tool writes it: it was changed by hand, or is cut", _HINT)
    return known


@cache
def _adapter() -> TypeAdapter[_Snapshot]:
    return TypeAdapter(_Snapshot)
