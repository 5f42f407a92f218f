"""SHA256SUMS: 64 hex digits, two spaces, the bare file name, LF; sorted by name. `sha256sum -c` accepts it.

It covers every other file of a release, and the wholes that parts are joined to; never what signs it (SHA256SUMS.*).
In a folder it covers every archive, and what stands beside one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from bundler.errors import IntegrityError
from bundler.model.sidecar import SidecarFacts
from bundler.model.verdict import Finding
from bundler.words import ARCHIVE, ASSET_PATTERN, LONGEST_NAME, SHA256_PATTERN, SUMS

OF: Final = "release"
NAME = SUMS
LARGEST = 4 << 20
_LINE = re.compile(f"({SHA256_PATTERN})  ({ASSET_PATTERN})")


def name(subject: str) -> str:
    """The file's name, the same on every release."""
    return NAME


def compose(digests: Mapping[str, str]) -> str:
    """Return the file's text for name -> SHA-256 (hex)."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def parse(text: str, where: str = NAME) -> dict[str, str]:
    """Parse the file's text to name -> SHA-256. Raises IntegrityError for anything that `compose` would not write."""
    result: dict[str, str] = {}
    if text and not text.endswith("\n"):
        raise IntegrityError(f"{where}: the last line is not ended; the file may be cut short")
    for number, line in enumerate(text.split("\n")[:-1], 1):
        match = _LINE.fullmatch(line)
        if not match or len(match[2]) > LONGEST_NAME:
            raise IntegrityError(f"{where}:{number}: not 64 hex digits, two spaces, a bare file name: {line[:100]!r}")
        digest, name = match.groups()
        if name in result:
            raise IntegrityError(f"{where}:{number}: {name} is listed twice")
        result[name] = digest
    if list(result) != sorted(result):
        raise IntegrityError(f"{where}: not sorted by name")
    return result


def covers(name: str) -> bool:
    """Say whether the file may have a line: not itself, and not what signs it."""
    return name != NAME and not name.startswith(f"{NAME}.")


def render(facts: SidecarFacts) -> bytes:
    """The file over all that is there."""
    digests = {name: sha256 for name, (_, sha256) in facts.files.items() if covers(name)}
    return compose({**digests, **facts.wholes}).encode()


def findings(content: bytes | None, facts: SidecarFacts) -> Iterator[Finding]:
    """Yield where the file and what is there disagree.

    In a folder, which is of no release, what is not listed is only told, unless it is an archive.
    """
    if content is None:
        yield Finding(f"{NAME}: missing, so nothing can be checked")
        return
    try:
        listed = parse(content.decode("utf-8", "replace"))
    except IntegrityError as error:
        yield Finding(error.message)
        return
    if not listed:
        yield Finding(f"{NAME}: lists nothing, so nothing can be checked")
    for name, (_, actual) in sorted(facts.files.items()):
        expected = listed.get(name)
        if expected is None and covers(name):
            grave = facts.place.tag or name.endswith(ARCHIVE)
            yield Finding(surplus(name), "integrity" if grave else "note")
        elif expected and actual and actual != expected:
            yield Finding(disagreement(name, expected, actual))
    for name in facts.wholes:
        if name not in listed:
            yield Finding(f"{name}: in parts, but {NAME} does not list it whole")
    for name in () if facts.partial else listed:
        if name not in facts.files and name not in facts.wholes:
            yield Finding(f"{name}: missing, but listed in {NAME}")


def surplus(name: str) -> str:
    """Say that a file has no line."""
    return f"{name}: surplus: not listed in {NAME}"


def disagreement(name: str, expected: str, actual: str) -> str:
    """Say how a file differs from its line."""
    return f"{name}: SHA-256 differs from {NAME}\n    expected {expected}\n    actual   {actual}"
