"""The output folder: finished archives and the SHA256SUMS that covers them, and what others put beside them.

Order keeps it true at every instant, also when the process is killed: an archive that changes first loses its line,
then is renamed into place, then gets its new line. No line ever disagrees with the file it names.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from filelock import Timeout as LockTimeout

from bundler.adapters.archive import Written
from bundler.adapters.digest import sha256_of
from bundler.adapters.durable import sync_folder
from bundler.adapters.own_folder import is_plain, make_folder, open_new, open_own, own_lock, private_folder
from bundler.adapters.regular import read_regular
from bundler.adapters.sums import read_sums
from bundler.errors import IntegrityError, UsageError, WorkError
from bundler.model.json_text import parse_json
from bundler.progress import Progress
from bundler.sidecars import archive_of, sums
from bundler.words import ARCHIVE

_TEMPORARY = ".aiws-bundle-"
_LARGEST_STATE = 1 << 20


@dataclass(frozen=True)
class _Seen:
    """A finished archive as it was when its digest was last computed, as git's index remembers files."""

    size: int
    modified_ns: int
    inode: int
    sha256: str
    inputs: str


class Dist:
    """One output folder. What is remembered of it stands in `state`, outside the folder; losing it costs time only.

    `inputs_of` reads what an archive says that it was made from; "" if it does not say.
    """

    def __init__(self, folder: Path, state: Path, inputs_of: Callable[[Path], str]) -> None:
        self.folder, self._inputs_of = folder, inputs_of
        key = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
        self._state_path = state / f"{key}.json"
        self._lock_path = state / f"{key}.lock"
        self._seen: dict[str, _Seen] = {}
        self._temporaries: dict[str, Path] = {}

    @contextmanager
    def opened(self, progress: Progress) -> Iterator[None]:
        """Own the folder while the context is open: other processes wait. Clears what a killed one left behind.

        Raises WorkError if others may write where is remembered what it holds.
        """
        make_folder(self.folder)
        self.folder.mkdir(exist_ok=True)
        private_folder(self._state_path.parent.parent, self._state_path.parent.name)
        lock = own_lock(self._lock_path)
        try:
            lock.acquire(timeout=0)
        except LockTimeout:
            progress.say(f"waiting for another aiws-bundle that fills {self.folder}")
            lock.acquire()
        try:
            for leftover in self.folder.glob(f"{_TEMPORARY}*"):
                with suppress(PermissionError, IsADirectoryError):  # another user's: no name of ours can meet it
                    leftover.unlink(missing_ok=True)
            self._seen = self._load()
            self._settle()
            yield
        finally:
            lock.release()

    def current(self, name: str, inputs: str) -> Written | None:
        """Return the finished archive if it is whole and was made from `inputs`, else None.

        `inputs` may be the archive's own digest.
        """
        path = self.folder / name
        listed = self._sums().get(name)
        if listed is None or not is_plain(path):
            return None
        seen = self._fresh(name)
        if seen is None:
            if sha256_of(path) != listed:
                return None
            seen = self._note(name, listed, self._inputs_of(path))
        # What is known by its own digest needs nothing remembered, nor said inside.
        if inputs not in (seen.inputs, seen.sha256) or seen.sha256 != listed:
            return None
        return Written(seen.size, seen.sha256)

    @contextmanager
    def replacing(self, name: str) -> Iterator[BinaryIO]:
        """Open a hidden file to write the next content of `name`; it is gone after the context unless placed."""
        temporary, new = open_new(self.folder, _TEMPORARY)
        self._temporaries[name] = temporary
        try:
            with new as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def place(self, name: str, written: Written, inputs: str) -> None:
        """Put the archive that `replacing` wrote in place, and its line into SHA256SUMS."""
        listed = self._sums()
        path = self.folder / name
        if listed.get(name, written.sha256) != written.sha256:
            self._write_sums({other: digest for other, digest in listed.items() if other != name})
        self._temporaries.pop(name).replace(path)
        sync_folder(self.folder)
        self._note(name, written.sha256, inputs)
        self._write_sums({**listed, name: written.sha256})

    def _settle(self) -> None:
        """Make SHA256SUMS cover exactly the archives that are there, and what stands beside one (a signature).

        A line that an archive disagrees with is kept until the archive is made anew. What stands beside one is made by
        others, so no run could mend its line: it is listed as it is.
        """
        try:
            before = self._sums()
        except IntegrityError:
            before = {}
        after = {}
        for path in sorted(self.folder.glob(f"*{ARCHIVE}")):
            if not path.is_file() or path.name.startswith("."):
                continue
            if not _can_be_listed(path.name):
                raise WorkError(f"{path}: {sums.NAME} cannot hold this name", "move the file elsewhere")
            seen = self._fresh(path.name)
            after[path.name] = before.get(path.name) or (seen.sha256 if seen else sha256_of(path))
        for path in sorted(self.folder.iterdir()):
            if archive_of(path.name) in after and path.name not in after and _can_be_listed(path.name):
                after |= self._beside(path)
        if after != before or is_plain(self.folder / sums.NAME) != bool(after):
            self._write_sums(after)

    def _beside(self, path: Path) -> dict[str, str]:
        """The digest of a file that stands beside an archive, by name; nothing for what is no file."""
        if not path.is_file():
            return {}
        seen = self._fresh(path.name) or self._note(path.name, sha256_of(path), "")
        return {path.name: seen.sha256}

    def _sums(self) -> Mapping[str, str]:
        path = self.folder / sums.NAME
        return read_sums(path) if is_plain(path) else {}

    def _write_sums(self, digests: Mapping[str, str]) -> None:
        path = self.folder / sums.NAME
        if not digests:
            path.unlink(missing_ok=True)
            return
        with self.replacing(sums.NAME) as file:
            file.write(sums.compose(digests).encode())
        self._temporaries.pop(sums.NAME).replace(path)
        sync_folder(self.folder)

    def _fresh(self, name: str) -> _Seen | None:
        """What is remembered of an archive, if the file has not been touched since."""
        seen = self._seen.get(name)
        stat = (self.folder / name).stat()
        same = seen and (seen.size, seen.modified_ns, seen.inode) == (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        return seen if same else None

    def _note(self, name: str, sha256: str, inputs: str) -> _Seen:
        stat = (self.folder / name).stat()
        seen = self._seen[name] = _Seen(stat.st_size, stat.st_mtime_ns, stat.st_ino, sha256, inputs)
        temporary = self._state_path.with_suffix(".tmp")
        with open_own(temporary, fresh=True) as file:
            file.write(json.dumps({n: asdict(s) for n, s in self._seen.items()}).encode())
        temporary.replace(self._state_path)
        return seen

    def _load(self) -> dict[str, _Seen]:
        try:
            stored = parse_json(read_regular(self._state_path, _LARGEST_STATE, follow=False), _LARGEST_STATE)
            known = stored if isinstance(stored, dict) else {}
            return {name: _Seen(**facts) for name, facts in known.items() if (self.folder / name).is_file()}
        except (OSError, UsageError, ValueError, TypeError):
            return {}


def _can_be_listed(name: str) -> bool:
    try:
        return bool(sums.parse(sums.compose({name: "0" * 64})))
    except IntegrityError:
        return False
