"""A set, opened: its header, its volumes, and its files, made anew and compared with their digests."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.regular import not_regular, open_regular
from bundler.errors import IntegrityError, UsageError, WorkError
from bundler.sizes import size_text
from bundler.transfer.damage import absent, refused, told
from bundler.transfer.form import SET, Delta, RefusedError, Set, Source, read_header
from bundler.transfer.machine import Checked, Write, write_file
from bundler.transfer.volumes import SCRIPT, base_of, listed, there, volume_name


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
    """Say whether a path names a set, or a volume of one: by how it begins, or by what of one is there or listed."""
    base = base_of(path)
    volumes = there(base)
    first = volumes.get(base.name) or volumes.get(volume_name(base.name, 1))
    if first is None:
        return bool(volumes or _listed(base)) and not base.exists()
    with suppress(OSError), open_regular(first) as file:
        if file.read(len(SET) + 1) == f"{SET}\n".encode():
            return True
    # Damaged where it begins: what stands beside it tells.
    script = base.parent / f"{base.name}{SCRIPT}"
    return volume_name(base.name, 1) in _listed(base) or (base.name in _listed(base) and script.is_file())


@contextmanager
def opened(path: Path) -> Iterator[OpenSet]:
    """Open a set, by its own path or by that of its first volume.

    Raises IntegrityError if it is none, or not whole; UsageError if nothing is there, WorkError for too many files.
    """
    base = base_of(path)
    volumes, digests = there(base), _listed(base)
    if not volumes and not (digests := digests or told(base).digests):
        if path.exists():
            raise not_regular(path)
        raise UsageError(f"{path} is not there, nor is {base.name}.001", "give a set that `bundle-set` made")
    if found := absent(base, {} if base.name in volumes else digests):
        raise refused(base, found, told(base))
    with ExitStack() as stack:
        try:
            files = [stack.enter_context(open_regular(one)) for one in volumes.values()]
            source = Source([file.fileno() for file in files], list(volumes))
            header = read_header(source)
        except RefusedError as error:
            raise IntegrityError(f"{base}: {error}") from error
        except OSError as error:
            if error.errno == errno.EMFILE:
                hint = f"`ulimit -n {len(volumes) + 100}`, and run again"
                raise WorkError(f"{base}: fewer files may be open at once than it has volumes", hint) from error
            raise IntegrityError(f"{base}: {error.filename} cannot be read: {error.strerror}") from error
        if isinstance(header, Delta):
            raise UsageError(f"{base} is a delta, not a set", "`aiws-bundle apply` takes it")
        yield OpenSet(base, volumes, source, header)


def _listed(base: Path) -> Mapping[str, str]:
    """The digests beside a set, or none where their list is malformed: what is taken out tells whether it is whole."""
    try:
        return listed(base)
    except IntegrityError:
        return {}


def refuse_full(folder: Path, size: int, elsewhere: str, taken: str = "") -> None:
    """Raise WorkError if a hidden folder has no room for so many bytes; `elsewhere` is how another one is given."""
    if size > _free_in(folder):
        raise WorkError(f"{folder.parent} has no room for {size_text(size)}{taken}", f"free some space, or {elsewhere}")


def _free_in(folder: Path) -> int:
    """How many bytes may still be written to a folder's file system."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize
