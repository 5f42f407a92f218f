"""`trusted_root.jsonl`: Sigstore's and GitHub's keys on a release's day, as `gh attestation trusted-root` prints them.

With it `gh attestation verify --custom-trusted-root` checks `attestation.sigstore.json` without a network. It comes the
same way as what it vouches for: who is careful gets it elsewhere, or once and keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, ClassVar, Final

from pydantic import ConfigDict, StringConstraints, TypeAdapter

from bundler.errors import IntegrityError
from bundler.model.json_text import first_fault, limited
from bundler.model.sidecar import SidecarFacts
from bundler.model.verdict import Finding

OF: Final = "release"
NAME = "trusted_root.jsonl"
LARGEST = 1 << 20
_MOST_LINES = 20


@dataclass(frozen=True)
class _Root:
    """One line (https://github.com/sigstore/protobuf-specs, sigstore_trustroot.proto)."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    mediaType: Annotated[  # as the format calls it
        str, StringConstraints(pattern=r"^application/vnd\.dev\.sigstore\.trustedroot[A-Za-z0-9.+;=-]{1,40}$")
    ]


def name(subject: str) -> str:
    """The file's name, the same on every release."""
    return NAME


def check(content: bytes) -> None:
    """Raise IntegrityError for what is no list of trusted roots, one a line."""
    lines = content.splitlines()
    if not lines or len(lines) > _MOST_LINES:
        raise IntegrityError(f"{NAME}: {len(lines)} lines, and at least one and at most {_MOST_LINES} are expected")
    try:
        for line in lines:
            _roots().validate_json(limited(line))
    except ValueError as error:
        raise IntegrityError(f"{NAME}: {first_fault(error)}") from error


def render(facts: SidecarFacts) -> bytes | None:
    """What the workflow put into the folder; None if it did not. Raises IntegrityError if it is none."""
    content = facts.there(NAME, LARGEST)
    if content is not None:
        check(content)
    return content


def findings(content: bytes | None, facts: SidecarFacts) -> Iterator[Finding]:
    """Yield whether it is none."""
    if content is None:
        return
    try:
        check(content)
    except IntegrityError as error:
        yield Finding(error.message)


@cache
def _roots() -> TypeAdapter[_Root]:
    return TypeAdapter(_Root)
