"""`apply`: the new archive, of the old one and a delta."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.adapters.digest import sha256_of
from bundler.adapters.new_files import all_appearing, refuse_taken
from bundler.adapters.regular import read_regular
from bundler.adapters.sums import read_sums
from bundler.errors import IntegrityError, UsageError
from bundler.model.sidecar import SidecarFacts
from bundler.model.signatures import LARGEST, NOBODY, Signed, form_of
from bundler.release.signed import signatures_of
from bundler.sidecars import sums
from bundler.transfer.applied import header_of, write_applied
from bundler.transfer.form import Delta
from bundler.transfer.plain import PlainHeader

_DELTA = ".delta"


@dataclass(frozen=True)
class Applied:
    """An archive that was made: its file, size in bytes, SHA-256 (hex), of what; whether a SHA256SUMS lists it."""

    path: Path
    size: int
    sha256: str
    old: Path
    delta: Path
    listed: bool


@dataclass(frozen=True)
class AppliedReport:
    """What was made, and who signed the SHA256SUMS that lists it."""

    made: tuple[Applied, ...]
    signed: Signed = NOBODY


def apply(old: Path, delta: Path, out: Path, listing: Path | None, told: SidecarFacts) -> AppliedReport:
    """Make what deltas make of old archives, into a folder, over nothing: all of it appears, or none.

    `old` may be a folder, and so may `delta`; of the deltas in one those are applied that an archive is there for. What
    they make has to be as `listing` says, else as the SHA256SUMS beside them does, if there is one; its signatures
    count as `told`, and it is put beside them. Raises UsageError for what is not there, or is there already;
    IntegrityError; OSError.
    """
    listing = listing or _beside(delta)
    listed = read_sums(listing) if listing else {}
    signed = _signed(listing, told)
    chosen = tuple(_chosen(old, delta))
    for _, _, header in chosen:
        _check(header, listed, listing, out / header.new.name)
    with all_appearing(out) as hidden:
        made = tuple(_made(*one, hidden, out, listed=bool(listing)) for one in chosen)
        for path in _to_carry(listing, out) if listing else ():
            (hidden / path.name).write_bytes(read_regular(path, max(LARGEST, sums.LARGEST)))
    return AppliedReport(made, signed)


def _beside(delta: Path) -> Path | None:
    path = (delta if delta.is_dir() else delta.parent) / sums.NAME
    return path if path.is_file() else None


def _signed(listing: Path | None, told: SidecarFacts) -> Signed:
    """Who signed a SHA256SUMS. Raises IntegrityError if that is not as is asked for."""
    if not listing:
        if told.demand and told.demand.insist:
            raise IntegrityError(f"no {sums.NAME} is there whose signatures could count", "put it beside the delta")
        return NOBODY
    names = [one.name for one in _signatures(listing)]
    facts = replace(told, files=dict.fromkeys((sums.NAME, *names), (0, "")))

    def text(name: str, limit: int) -> bytes:
        return read_regular(listing if name == sums.NAME else listing.parent / name, limit)

    signed = signatures_of(facts, text)
    if faults := [finding.message for finding in signed.findings if finding.grade == "integrity"]:
        raise IntegrityError("\n  ".join((f"{listing}:", *faults)), "get the list where the release was published")
    return signed


def _chosen(old: Path, delta: Path) -> Iterator[tuple[Path, Path, Delta | PlainHeader]]:
    """Each delta with the old file that it is for, and what its header says."""
    deltas = _files(delta, _DELTA)
    headers = [(path, header_of(path, path.name)) for path in deltas]
    if not old.is_dir():
        if delta.is_dir():
            digest = sha256_of(old)
            headers = [(path, header) for path, header in headers if header.old_sha256 == digest]
        yield from ((old, path, header) for path, header in _once(headers))
    else:
        sizes = {header.old_size for _, header in headers}
        there = {sha256_of(path): path for path in _files(old) if path.stat().st_size in sizes}
        fitting = [(path, header) for path, header in headers if header.old_sha256 in there]
        yield from ((there[header.old_sha256], path, header) for path, header in _once(fitting))
        headers = fitting
    if not headers:
        raise UsageError(f"no delta of {delta} is for {old}", "a delta's name has the first digits of OLD's SHA-256")


def _once(headers: list[tuple[Path, Delta | PlainHeader]]) -> Iterator[tuple[Path, Delta | PlainHeader]]:
    """One delta to each new archive: the packed one before the plain one, as that is smaller."""
    done: set[str] = set()
    for path, header in sorted(headers, key=lambda one: (one[1].new.name, one[0].stat().st_size)):
        if header.new.name not in done:
            done.add(header.new.name)
            yield path, header


def _files(path: Path, suffix: str = "") -> tuple[Path, ...]:
    if not path.is_dir():
        return (path,)
    return tuple(sorted(one for one in path.iterdir() if one.name.endswith(suffix) and one.is_file()))


def _check(header: Delta | PlainHeader, listed: dict[str, str], listing: Path | None, target: Path) -> None:
    name, sha256 = header.new.name, header.new.sha256
    if listing and listed.get(name) != sha256:
        message = f"{listing} lists no {name} with SHA-256 {sha256}"
        raise IntegrityError(message, "take the SHA256SUMS of the release that the delta is of")
    refuse_taken(target)


def _made(old: Path, delta: Path, header: Delta | PlainHeader, hidden: Path, out: Path, *, listed: bool) -> Applied:
    """Make one archive in a hidden folder, which appears in `out` later."""
    new = header.new
    with (hidden / new.name).open("xb") as file:
        if write_applied(old, delta, delta.name, file.write) != new:
            raise IntegrityError(f"{delta.name}: it changed while it was read", "run again")
    return Applied(out / new.name, new.size, new.sha256, old, delta, listed)


def _to_carry(listing: Path, out: Path) -> tuple[Path, ...]:
    """The list and what signs it, so that `verify` has them beside what was made; none where others are there."""
    if listing.name != sums.NAME or any(out.glob(f"{sums.NAME}*")):
        return ()
    return (listing, *_signatures(listing))


def _signatures(listing: Path) -> tuple[Path, ...]:
    return tuple(one for one in sorted(listing.parent.glob(f"{sums.NAME}.*")) if form_of(one.name) and one.is_file())
