"""`emit`: files of a set, taken out: those that are asked for, over nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.digest import sha256_of
from bundler.adapters.new_files import all_appearing, refuse_taken
from bundler.adapters.sums import read_sums
from bundler.errors import IntegrityError, UsageError
from bundler.release.from_set import whole_set, write_files
from bundler.session import Session
from bundler.sidecars import sums
from bundler.sidecars.table import over_release
from bundler.transfer.damage import as_word
from bundler.transfer.opened import OpenSet
from bundler.words import ARCHIVE, archive_of

_ELSEWHERE = "give --out another folder"
_MOST_TOLD = 50


@dataclass(frozen=True)
class Emitted:
    """Where files of a set were put, and their sizes in bytes by name."""

    out: Path
    files: Mapping[str, int]


def emit(
    session: Session, path: Path, words: Sequence[str], out: Path, listing: Path | None = None, *, repair: bool = False
) -> Emitted:
    """Take files of a set out, all of it if there are no `words`: all of them or none appear in `out`.

    `listing` is a SHA256SUMS that was verified before; it has to list each. With `repair` the set is repaired aside
    before. Raises UsageError for a word that means none or what is there already, IntegrityError, WorkError.
    """
    with whole_set(session, path, repair=repair) as whole:
        names = _chosen(list(whole.header.files), words, path)
        for name in names:
            refuse_taken(out / name, _ELSEWHERE)
        if listing:
            _agree(whole, names, {sums.NAME: sha256_of(listing), **read_sums(listing)}, listing)
        with all_appearing(out) as hidden:
            write_files(session, whole, names, hidden, _ELSEWHERE)
        return Emitted(out, {name: whole.header.files[name].size for name in names})


def _agree(whole: OpenSet, names: Sequence[str], listed: Mapping[str, str], where: Path) -> None:
    """Raise IntegrityError unless a SHA256SUMS lists each file as the set does; a signature of it signs itself."""
    for name in names:
        actual, expected = whole.header.files[name].sha256, listed.get(name)
        if not name.startswith(f"{sums.NAME}.") and actual != expected:
            raise IntegrityError(
                f"{whole.base}: {name} is not what {where} lists\n    expected {expected}\n    actual   {actual}"
            )


def _chosen(names: Sequence[str], words: Sequence[str], path: Path) -> Sequence[str]:
    """The files that words mean: names, or what archives are for, which brings all that stands beside these too.

    Raises UsageError for a word that means none.
    """
    wanted: set[str] = set()
    for word in words or ["all"]:
        if word in names:
            wanted.add(word)
            continue
        archives = {archive for name in names if (archive := archive_of(name)) and word in _words(archive)}
        if not archives and word != "all":
            raise UsageError(f"nothing in {path} is called {word} or is for it", _choice(names, path))
        beside = {name for name in names if archive_of(name) in archives}
        over = {name for name in names if name in over_release("") or name.startswith(f"{sums.NAME}.")}
        wanted |= set(names) if word == "all" else beside | over
    return [name for name in names if name in wanted]


def _choice(names: Sequence[str], path: Path) -> str:
    """What can be chosen: archives, by what of their names is not the same in all, three words at least."""
    archives = [one.removesuffix(ARCHIVE).split("-") for one in names if archive_of(one) == one]
    shared, most = 0, min(map(len, archives), default=0) - 3
    while shared < most and len({one[shared] for one in archives}) == 1:
        shared += 1
    targets = sorted("-".join(one[shared:]) for one in archives)[:_MOST_TOLD]
    among = f"{', '.join(targets)}; words of these; " if targets else ""
    return f"choose among {among}all; or a file's name, as `aiws-bundle inspect {as_word(path)}` lists them"


def _words(archive: str) -> set[str]:
    """What an archive's name says that it is for: each row of the words at its end, such as debian-12 and amd64."""
    parts = archive.removesuffix(ARCHIVE).split("-")
    return {"-".join(parts[start:end]) for start in range(len(parts)) for end in range(start + 1, len(parts) + 1)}
