"""What archives, folders of archives and releases hold, for whoever compares them: read quickly, and not judged.

The SBOM beside an archive tells it, if SHA256SUMS lists that with its digest; else the archive's beginning does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.regular import read_regular
from bundler.adapters.sums import read_sums
from bundler.errors import BundleError, IntegrityError, UsageError
from bundler.model.holding import Holding
from bundler.model.inventory import Inventory
from bundler.progress import Progress
from bundler.sidecars import parts, sbom, sums
from bundler.words import archive_of


def of_archive(path: Path, progress: Progress, *, deep: bool = False) -> Holding:
    """What one archive holds; `deep`: read it whole. Raises IntegrityError if it does not say, OSError."""
    if deep:
        return Holding(_judged({path.name: path}, progress)[path.name], path.stat().st_size)
    return _Folder.of(path.parent).holding(path.name)


def of_archives(folder: Path, names: Iterable[str]) -> Iterator[Holding]:
    """What each archive of a folder holds that is named. Raises IntegrityError if one does not say, OSError."""
    yield from map(_Folder.of(folder).holding, names)


def explained(path: Path, progress: Progress) -> Inventory:
    """What one archive holds with all that its files tell, such as licences and what needs what.

    The SBOM beside it tells that; else it is read whole. Raises IntegrityError if it is not good or does not say,
    OSError.
    """
    if (told := _Folder.of(path.parent).told(path.name)) is not None:
        return told
    from bundler.kinds import held_in
    from bundler.kinds.verify import judge

    (verdict,) = judge([(path, path.name)], progress, {})
    if verdict.integrity:
        raise _not_good(verdict.name, verdict.integrity[0])
    return verdict.inventory or held_in(path, path.name)


def _not_good(name: str, fault: str) -> IntegrityError:
    return IntegrityError(f"{name}: {fault}", "`aiws-bundle verify` tells all")


def holds_archives(folder: Path) -> bool:
    """Say whether a folder holds archives, or what stands beside them."""
    return any(archive_of(path.name) for path in folder.iterdir() if path.is_file())


def of_folder(folder: Path, progress: Progress, *, deep: bool = False) -> tuple[Holding, ...]:
    """What each archive of a folder holds, by name; of one in parts, or that is not there, what its SBOM says.

    `deep`: read the archives whole. Raises IntegrityError, UsageError if it holds none.
    """
    its = _Folder.of(folder)
    if not its.names:
        raise UsageError(f"{folder} holds no archive", "give a folder that `build` filled")
    if not deep:
        return tuple(map(its.holding, its.names))
    whole = {name: folder / name for name in its.names if (folder / name).is_file()}
    held = _judged(whole, progress)
    return tuple(Holding(held[name], its.size(name)) if name in held else its.holding(name) for name in its.names)


def _judged(archives: Mapping[str, Path], progress: Progress) -> Mapping[str, Inventory]:
    """What archives hold by name, as judging them finds. Raises IntegrityError for one that is not good."""
    from bundler.kinds.verify import judge  # kinds are large: loaded where no SBOM tells

    held: dict[str, Inventory] = {}
    for verdict in judge([(path, name) for name, path in archives.items()], progress, {}):
        if verdict.inventory is None or verdict.integrity:
            raise _not_good(verdict.name, next(iter(verdict.integrity), "it does not say what it holds"))
        held[verdict.name] = verdict.inventory
    return held


def told_by(content: bytes, archive: str, sha256: str) -> Inventory:
    """What an archive's SBOM says; `sha256` is the archive's, "" where it is not known.

    Raises IntegrityError if it is malformed or another archive's.
    """
    said = sbom.parse(content, archive)
    if said.subject != archive or sha256 not in (said.sha256, ""):
        raise IntegrityError(
            f"{sbom.name(archive)}: is of another archive\n    expected {archive} {sha256}\n"
            f"    actual   {said.subject} {said.sha256}"
        )
    return said.inventory


@dataclass(frozen=True)
class _Folder:
    """A folder, the archives that it holds or that files in it tell of, and what its SHA256SUMS lists."""

    folder: Path
    names: Sequence[str]
    listed: Mapping[str, str]

    @classmethod
    def of(cls, folder: Path) -> _Folder:
        beside = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
        listed: Mapping[str, str] = {}
        if sums.NAME in beside:
            with suppress(BundleError):  # `verify` tells what is wrong with it
                listed = read_sums(folder / sums.NAME)
        return cls(folder, sorted({archive for name in beside if (archive := archive_of(name))}), listed)

    def holding(self, name: str) -> Holding:
        """What an archive holds. Raises IntegrityError if nothing tells."""
        return Holding(self.told(name) or self._read(name), self.size(name))

    def size(self, name: str) -> int:
        """The size of an archive in bytes, whole or in parts; 0 if it is not there."""
        path = self.folder / name
        if path.is_file():
            return path.stat().st_size
        return sum(one.stat().st_size for one in self.folder.iterdir() if parts.part_of(one.name) == name)

    def told(self, name: str) -> Inventory | None:
        """What its SBOM says, if that is the one that SHA256SUMS lists."""
        beside = self.folder / sbom.name(name)
        expected = self.listed.get(beside.name)
        if expected is None or not beside.is_file():
            return None
        content = read_regular(beside, sbom.LARGEST)
        if hashlib.sha256(content).hexdigest() != expected:
            return None
        return told_by(content, name, self.listed.get(name, ""))

    def _read(self, name: str) -> Inventory:
        """What the archive says, or its first part."""
        from bundler.kinds import held_in

        places = (self.folder / name, self.folder / parts.part_name(name, 0))
        path = next((path for path in places if path.is_file()), None)
        if path is None:
            raise IntegrityError(f"{self.folder}: nothing tells what {name} holds", "put the archive there")
        return held_in(path, name)
