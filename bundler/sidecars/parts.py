"""`<asset>.parts`: the names of the parts that a large asset is published as, one a line, in their order."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bundler.errors import IntegrityError

SUFFIX = ".parts"
MOST_PARTS = 1000
# GitHub takes file names of 255 bytes at most.
LARGEST = MOST_PARTS * 256
_PART = re.compile(r"(?P<asset>.+)\.part-(?P<number>[0-9]{3})")


def part_name(asset: str, number: int) -> str:
    """The name of an asset's part; the first is number 0."""
    return f"{asset}.part-{number:03}"


def asset_of(name: str) -> str | None:
    """The asset that a file of this name is a part of, or lists the parts of; None for any other name."""
    if name.endswith(SUFFIX) and name != SUFFIX:
        return name.removesuffix(SUFFIX)
    match = _PART.fullmatch(name)
    return match["asset"] if match else None


def render(names: Sequence[str]) -> bytes:
    """Return the file's bytes."""
    return "".join(f"{name}\n" for name in names).encode()


def parse(content: bytes, asset: str) -> tuple[str, ...]:
    """Parse the list of `asset`'s parts. Raises IntegrityError for anything that `render` would not write."""
    if len(content) > LARGEST:
        raise IntegrityError(f"{asset}{SUFFIX}: {len(content)} bytes are too many, {LARGEST} are the most")
    names = tuple(content.decode("utf-8", "replace").split("\n")[:-1])
    expected = tuple(part_name(asset, number) for number in range(min(len(names), MOST_PARTS)))
    if not names or names != expected or content != render(names):
        raise IntegrityError(f"{asset}{SUFFIX}: does not list {part_name(asset, 0)} and those after it, one a line")
    return names
