"""`<asset>.parts`: the names of the parts that a large asset is published as, one a line, in their order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from bundler.errors import IntegrityError
from bundler.model.sidecar import SidecarFacts
from bundler.model.verdict import Finding

OF: Final = "archive"
SUFFIX = ".parts"
MOST_PARTS = 1000
# GitHub takes file names of 255 bytes at most.
LARGEST = MOST_PARTS * 256
_PART = re.compile(r"(?P<asset>.+)\.part-(?P<number>[0-9]{3})")


def name(subject: str) -> str:
    """The name of the list of an asset's parts."""
    return f"{subject}{SUFFIX}"


def part_name(asset: str, number: int) -> str:
    """The name of an asset's part; the first is number 0."""
    return f"{asset}.part-{number:03}"


def part_of(name: str) -> str | None:
    """The asset that a file of this name is a part of; None for any other name."""
    match = _PART.fullmatch(name)
    return match["asset"] if match else None


def asset_of(name: str) -> str | None:
    """The asset that a file of this name is a part of, or lists the parts of; None for any other name."""
    return part_of(name) or (name.removesuffix(SUFFIX) or None if name.endswith(SUFFIX) else None)


def compose(names: Sequence[str]) -> bytes:
    """Return the bytes of a list of parts."""
    return "".join(f"{name}\n" for name in names).encode()


def parse(content: bytes, asset: str) -> tuple[str, ...]:
    """Parse the list of `asset`'s parts. Raises IntegrityError for anything that `compose` would not write."""
    if len(content) > LARGEST:
        raise IntegrityError(f"{asset}{SUFFIX}: {len(content)} bytes are too many, {LARGEST} are the most")
    names = tuple(content.decode("utf-8", "replace").split("\n")[:-1])
    expected = tuple(part_name(asset, number) for number in range(min(len(names), MOST_PARTS)))
    if not names or names != expected or content != compose(names):
        raise IntegrityError(f"{asset}{SUFFIX}: does not list {part_name(asset, 0)} and those after it, one a line")
    return names


def render(facts: SidecarFacts) -> bytes | None:
    """The list of an archive's parts; None for an archive that is in one piece."""
    names = sorted(part for part in facts.files if part_of(part) == facts.subject)
    return compose(names) if names else None


def findings(content: bytes | None, facts: SidecarFacts) -> Iterator[Finding]:
    """Yield where a list and the parts that are there disagree; there is none without the other."""
    whole, listing = facts.subject, name(facts.subject)
    there = {part for part in facts.files if part_of(part) == whole}
    if content is None:
        if there and not facts.partial:
            yield Finding(f"{listing}: missing, but parts of {whole} are there")
        return
    if facts.place.tag and whole in facts.files:
        yield Finding(f"{whole}: is there whole and in parts")
    try:
        wanted = parse(content, whole)
    except IntegrityError as error:
        yield Finding(error.message)
        return
    for part in wanted:
        if part not in there and not facts.partial:
            yield Finding(f"{part}: missing, so {whole} cannot be put together")
    for part in sorted(there - {*wanted}):
        yield Finding(f"{part}: surplus: {listing} does not list it")
