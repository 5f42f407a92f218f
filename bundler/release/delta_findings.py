"""What is wrong with the deltas of a release or folder: each must make an archive of it, which the old one proves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from bundler.errors import IntegrityError, UsageError
from bundler.model.sidecar import SidecarFacts
from bundler.model.verdict import Finding
from bundler.model.ways import DeltaName
from bundler.release.beside import Text
from bundler.sidecars import parts, sums
from bundler.transfer.applied import header_of, write_applied

# Finds a file by its name, or by its SHA-256; None where it is not at hand.
Find = Callable[[str], Path | None]


def delta_findings(there: SidecarFacts, text: Text, at_hand: Find, old: Find) -> Iterator[Finding]:
    """Yield what is wrong with the deltas that are `there` and listed. Those whose `old` archive is had are applied.

    Of those that are not at hand only the name is looked at. Raises what `text` does but IntegrityError, UsageError.
    """
    named = {name: said for name in sorted(there.files) if (said := DeltaName.parse(name))}
    listed = _listed(there, text) if named else {}
    for name, said in ((name, said) for name, said in named.items() if name in listed):
        if said.archive not in listed:
            yield Finding(f"{name}: {sums.NAME} does not list {said.archive}, which it is to make")
        elif path := at_hand(name):
            yield from map(Finding, faults(path, name, listed[said.archive], _size(there, said.archive), old))


def faults(path: Path, name: str, listed: str, size: int | None, old: Find) -> Iterator[str]:
    """Yield what is wrong with a delta of this name; what it makes is `listed` with a SHA-256 ("": it is not).

    It has to have `size` bytes, if that is known.
    """
    said = DeltaName.parse(name)
    try:
        header = header_of(path, name)
        if said is None or header.new.name != said.archive or not header.old_sha256.startswith(said.old):
            yield f"{name}: it makes {header.new.name} of {header.old_sha256}, which is not what its name says"
        elif header.new.sha256 != (listed or header.new.sha256) or size not in (None, header.new.size):
            yield (
                f"{name}: it does not make the {said.archive} that {sums.NAME} lists\n"
                f"    expected {listed}{'' if size is None else f', {size} bytes'}\n"
                f"    actual   {header.new.sha256}, {header.new.size} bytes"
            )
        elif before := old(header.old_sha256):
            write_applied(before, path, name, len)
    except IntegrityError as error:
        yield error.message


def _size(there: SidecarFacts, archive: str) -> int | None:
    """The size of an archive in bytes, whole or in parts; None if it is not there."""
    if archive in there.files:
        return there.files[archive][0]
    found = [size for name, (size, _) in there.files.items() if parts.part_of(name) == archive]
    return sum(found) if archive in there.wholes and found else None


def _listed(there: SidecarFacts, text: Text) -> Mapping[str, str]:
    """What SHA256SUMS says; nothing where it says nothing, which its own findings tell."""
    if sums.NAME in there.files:
        with suppress(IntegrityError, UsageError):
            return sums.parse(text(sums.NAME, sums.LARGEST).decode("utf-8", "replace"))
    return {}
