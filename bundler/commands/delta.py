"""`delta`: from archives that a host has to those that it shall have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.digest import sha256_of
from bundler.adapters.durable import sync_folder, write_whole
from bundler.adapters.regular import not_regular, read_regular
from bundler.errors import BundleError, UsageError
from bundler.model.signatures import LARGEST, form_of
from bundler.progress import Progress
from bundler.sidecars import sums
from bundler.transfer import script
from bundler.transfer.deflated import is_zlib
from bundler.transfer.delta import Made, write_delta
from bundler.words import ARCHIVE

_OTHER_ZLIB = (
    "note: the zlib of this Python gives other bytes than zlib 1.2 and 1.3 (as zlib-ng does), so changed files are "
    "carried as they are packed; a Python with one of these makes smaller deltas"
)


@dataclass(frozen=True)
class Step:
    """An archive, what it was before, and the delta between; None if they are the `same`, or it would be too large."""

    old: Path
    new: Path
    delta: Made | None
    same: bool = False


@dataclass(frozen=True)
class Steps:
    """Deltas that were made into a folder, and the names of new archives of which nothing old is there."""

    folder: Path
    made: tuple[Step, ...]
    alone: tuple[str, ...]


def delta(old: Path, new: Path, out: Path, progress: Progress, *, plain: bool = False) -> Steps:
    """Make the deltas from one archive to another, or from those of one folder to those of another.

    Beside them stand `apply-delta.sh`, and the SHA256SUMS of the new archives with what signs it. Raises UsageError if
    nothing of one goes with anything of the other, or `out` is where the old ones are; OSError.
    """
    if _folder(out) == _folder(old) != _folder(new):
        raise UsageError(f"{out} holds the old archives, and their {sums.NAME} is kept", "choose another place: --out")
    paired = pairs(files_of(old), files_of(new), progress)
    if not paired:
        raise UsageError(f"{old} and {new} have no archive in common", "give the same archive of two releases")
    if not plain and not is_zlib():
        progress.say(_OTHER_ZLIB)
    out.mkdir(parents=True, exist_ok=True)
    made = tuple(_step(before, after, out, progress, plain=plain) for before, after in paired)
    write_whole(out / script.NAME, script.script())
    for one in _signed_list(_folder(new)):
        if one.parent != out.resolve():
            write_whole(out / one.name, read_regular(one, max(LARGEST, sums.LARGEST)))
    sync_folder(out)
    there = {after for _, after in paired}
    return Steps(out, made, tuple(one.name for one in files_of(new) if one not in there))


def _folder(path: Path) -> Path:
    """The folder that a path is, or is in."""
    return (path.parent if path.is_file() else path).resolve()


def files_of(path: Path) -> tuple[Path, ...]:
    """The archive that a path is, or those in the folder that it is, by name. Raises UsageError if there is none."""
    if path.is_dir():
        if found := tuple(sorted(one for one in path.iterdir() if one.name.endswith(ARCHIVE) and one.is_file())):
            return found
        raise UsageError(f"{path} holds no archive", "give an archive, or a folder of archives")
    if path.is_file():
        return (path,)
    if path.exists():
        raise not_regular(path)
    raise UsageError(f"{path} is not there", "give an archive, or a folder of archives")


def pairs(old: Sequence[Path], new: Sequence[Path], progress: Progress) -> tuple[tuple[Path, Path], ...]:
    """Which old archive goes with which new one: that of its name, else of its component for its target."""
    if len(old) == len(new) == 1:
        return ((old[0], new[0]),)
    named = {path.name: path for path in old}
    if all(path.name in named for path in new):
        return tuple((named[path.name], path) for path in new)
    held = _places(old, progress)
    found: list[tuple[Path, Path]] = []
    for path in new:
        if path.name in named:
            found.append((named[path.name], path))
            continue
        for place in _places((path,), progress):
            if place in held:
                found.append((held[place], path))
    return tuple(found)


def _places(paths: Sequence[Path], progress: Progress) -> Mapping[tuple[str, str], Path]:
    """Archives of ours by component and target."""
    from bundler.release.holdings import of_archive  # kinds are large: loaded where names do not tell

    found: dict[tuple[str, str], Path] = {}
    for path in paths:
        with suppress(BundleError):  # of others, or damaged: it goes with one of its name only
            told = of_archive(path, progress).inventory
            found.setdefault((told.component, told.host), path)
    return found


def _step(old: Path, new: Path, out: Path, progress: Progress, *, plain: bool) -> Step:
    if old.stat().st_size == new.stat().st_size and sha256_of(old) == sha256_of(new):
        return Step(old, new, None, same=True)
    made = write_delta(old, new, out, plain=plain)
    if made is None:
        progress.say(f"note: {new.name}: a delta would not be smaller than nine tenths of it; carry the archive")
    return Step(old, new, made)


def _signed_list(folder: Path) -> Iterator[Path]:
    """The SHA256SUMS of a folder, and what signs it."""
    for path in sorted(folder.glob(f"{sums.NAME}*")):
        if path.is_file() and (path.name == sums.NAME or form_of(path.name)):
            yield path
