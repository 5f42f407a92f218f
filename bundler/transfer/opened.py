"""A set, opened: its header, its volumes, and its files, made anew and compared with their digests.

Damage is told by the volume that has it, as far as the list of digests tells, and repaired aside if there are recovery
files: the volumes themselves are only read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.digest import sha256_of
from bundler.adapters.par2 import Par2, checked, recovery_files
from bundler.adapters.regular import not_regular, open_regular
from bundler.errors import BundleError, IntegrityError, UsageError, WorkError
from bundler.transfer.form import SET, Delta, RefusedError, Set, Source, read_header
from bundler.transfer.machine import Checked, Write, write_file
from bundler.transfer.volumes import DIGESTS, base_of, listed, there

_FETCH = "copy it anew from where the set is kept"


@dataclass(frozen=True)
class OpenSet:
    """A set: where it is, the files that it consists of, and what its header says."""

    base: Path
    volumes: Mapping[str, Path]
    source: Source
    header: Set

    @property
    def unpacked(self) -> int:
        """How many bytes all of its files have together."""
        return sum(one.size for one in self.header.files.values())

    def write(self, name: str, write: Write) -> None:
        """Make one of its files. Raises IntegrityError if it is not what the header says; some is written then."""
        checked = Checked(write, self.header.files[name])
        try:
            write_file(self.source, self.header, self.header.files[name], checked.write)
            checked.close()
        except RefusedError as error:
            raise IntegrityError(f"{self.base}: {name}: {error}") from error


def is_set(path: Path) -> bool:
    """Say whether a path names a set, or a volume of one: by how it begins, or by a list of volumes beside it."""
    base = base_of(path)
    volumes = there(base)
    first = volumes.get(base.name) or volumes.get(f"{base.name}.001")
    if first is not None:
        with open_regular(first) as file:
            if file.read(len(SET) + 1) == f"{SET}\n".encode():
                return True
    try:
        return f"{base.name}.001" in listed(base)
    except (BundleError, OSError):
        return False


@contextmanager
def opened(path: Path) -> Iterator[OpenSet]:
    """Open a set, by its own path or by that of its first volume.

    Raises IntegrityError if it is none, or not whole; UsageError if nothing is there, OSError.
    """
    base = base_of(path)
    volumes = there(base)
    if not volumes and not listed(base):
        if path.exists():
            raise not_regular(path)
        raise UsageError(f"{path} is not there, nor is {base.name}.001", "give a set that `bundle-set` made")
    _all_there(base, volumes)
    with ExitStack() as stack:
        files = [stack.enter_context(open_regular(one)) for one in volumes.values()]
        source = Source([file.fileno() for file in files])
        try:
            header = read_header(source)
        except RefusedError as error:
            raise IntegrityError(f"{base}: {error}") from error
        if isinstance(header, Delta):
            raise UsageError(f"{base} is a delta, not a set", "`aiws-bundle apply` takes it")
        yield OpenSet(base, volumes, source, header)


def _all_there(base: Path, volumes: Mapping[str, Path]) -> None:
    """Raise IntegrityError for a volume that is missing, as the list of digests or the others' numbers tell."""
    wanted = list(listed(base)) or [f"{base.name}.{number + 1:03}" for number in range(len(volumes))]
    missing = [name for name in wanted if name not in volumes]
    if missing and list(volumes) != [base.name]:
        raise IntegrityError(f"{base}: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")


def damage(path: Path, advance: Callable[[int], None] = lambda size: None) -> tuple[str, ...]:
    """What is wrong with a set's volumes as its list of digests tells: nothing without one. Raises IntegrityError."""
    base = base_of(path)
    volumes, found = there(base), []
    for name, sha256 in listed(base).items():
        if name not in volumes:
            found.append(f"{name} is missing")
        elif sha256_of(volumes[name]) != sha256:
            found.append(f"{name} is damaged")
        advance(volumes[name].stat().st_size if name in volumes else 0)
    return tuple(found)


def explained(path: Path, error: IntegrityError) -> IntegrityError:
    """The same error with the volume that is to blame, if digests tell, and what to do about it."""
    base = base_of(path)
    try:
        found = damage(path)
    except IntegrityError as other:
        return IntegrityError(error.message, other.message)
    told = "".join(f"\n  - {one}" for one in found if one not in error.message)
    if not found:
        digests = f"all digests in {base.name}{DIGESTS} agree: it was made so" if listed(base) else _FETCH
        return IntegrityError(error.message, digests)
    names = recovery_files(base.parent, base.name)
    repair = f"`aiws-bundle emit {base} --repair`, or repair the files themselves: `par2 repair {base}.par2`"
    return IntegrityError(f"{error.message}{told}", repair if names else _FETCH)


@contextmanager
def repaired(path: Path, par2: Par2, folder: Path) -> Iterator[Path]:
    """Give a set that is whole: itself, or its copy in `folder` in which what was damaged or missing is repaired.

    Raises IntegrityError if too much is damaged, or there is nothing to repair with.
    """
    base = base_of(path)
    bad = {one.partition(" ")[0] for one in damage(path)}
    if not bad:
        yield base
        return
    digests, names = listed(base), recovery_files(base.parent, base.name)
    if not names:
        raise IntegrityError(f"{base}: {', '.join(sorted(bad))}: damaged, and no recovery files are there", _FETCH)
    # Recovery files as copies, which are looked at on the way: programs take no links for them.
    for name in names:
        with (folder / name).open("xb") as copy:
            for data in checked(base.parent / name, digests):
                copy.write(data)
    for name, volume in there(base).items():
        (folder / name).symlink_to(volume.absolute())
    if not par2.repair(folder, names[0]):
        raise IntegrityError(f"{base}: {', '.join(sorted(bad))}: more is damaged than can be repaired", _FETCH)
    for name in bad:
        if not (folder / name).is_file() or sha256_of(folder / name) != digests[name]:
            raise WorkError(f"{base}: {name} was repaired to something else than its digest tells", _FETCH)
    for name in names:
        (folder / name).unlink()
    yield folder / base.name


def free_in(folder: Path) -> int:
    """How many bytes may still be written to a folder's file system."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize
