"""The output folder: finished archives and the SHA256SUMS that covers them, and what others put beside them.

Order keeps it true at every instant, also when the process is killed: an archive that changes first loses its line,
then is renamed into place, then gets its new line. No line ever disagrees with the file it names.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

from filelock import Timeout as LockTimeout

from bundler.adapters.archive import Written
from bundler.adapters.digest import sha256_of
from bundler.adapters.durable import sync_folder
from bundler.adapters.own_folder import (
    check_private,
    is_plain,
    make_folder,
    open_new,
    open_own,
    own_lock,
    private_folder,
)
from bundler.adapters.regular import read_regular
from bundler.adapters.sums import read_sums
from bundler.adapters.sweep import Fate, Sweep, swept
from bundler.errors import IntegrityError, UsageError, WorkError
from bundler.model.json_text import parse_json
from bundler.progress import Progress
from bundler.sidecars import archive_of, sums
from bundler.words import ARCHIVE

_TEMPORARY = ".aiws-bundle-"
_LEFTOVER = re.compile(rf"{re.escape(_TEMPORARY)}[0-9a-f]{{16}}\.tmp")  # what `open_new` calls it
_FILE = "file://"
_UNKNOWN = "nothing tells that this tool made it"
_LARGEST_STATE = 1 << 20


@dataclass(frozen=True)
class _Seen:
    """A file as it was when its digest was last computed, as git's index remembers files.

    `made`: these bytes were written here, by a run of ours; all else was found.
    """

    size: int
    modified_ns: int
    inode: int
    sha256: str
    inputs: str
    made: bool = False


class Dist:
    """One output folder. What is remembered of it stands in `state`, outside the folder.

    Losing it costs time only; but what `clear` cannot find there, it keeps.

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
            before = self._seen.get(name)
            made = before is not None and before.made and before.sha256 == listed
            seen = self._note(name, listed, self._inputs_of(path), made=made)
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
        if listed.get(name, written.sha256) != written.sha256:
            self._write_sums({other: digest for other, digest in listed.items() if other != name})
        self._put(name, written.sha256, inputs)
        self._write_sums({**listed, name: written.sha256})

    def clear(self, *, dry_run: bool, gone: Collection[Path] = ()) -> Iterator[Fate]:
        """Remove what runs of ours wrote into the folder, then the folder if it is empty, and what is remembered of it.

        A file that is not remembered, or has other bytes, stays; so does all while another process fills the folder.
        `gone` are paths that a dry run has told of already. It can end at any point: what is left, the next call
        removes. Raises WorkError if the state is not ours.
        """
        known = check_private(self._state_path.parent.parent, link=True) and check_private(self._state_path.parent)
        if not (known and (self._state_path.exists() or self._lock_path.exists())):
            yield from self._cleared({}, dry_run, gone)
            return
        lock = own_lock(self._lock_path, timeout=0)
        try:
            lock.acquire()
        except LockTimeout:
            yield Fate(self.folder, "kept", "another aiws-bundle is filling it")
            return
        try:
            fates = []
            for fate in self._cleared(self._stored(), dry_run, gone):
                fates.append(fate)
                yield fate
            with swept(self._state_path.parent, dry_run=dry_run) as state:
                if isinstance(state, Sweep):
                    failed = any(fate.state == "failed" for fate in fates)
                    yield from self._forgotten(state, failed=failed)
        finally:
            lock.release()

    def _cleared(self, seen: Mapping[str, _Seen], dry_run: bool, gone: Collection[Path]) -> Iterator[Fate]:
        made = {name: one.sha256 for name, one in seen.items() if one.made and _can_be_listed(name)}
        with swept(self.folder, dry_run=dry_run) as folder:
            if isinstance(folder, Fate):
                yield folder
                return
            if not seen:
                yield Fate(self.folder, "kept", _UNKNOWN)
                return
            folder.entries -= {path.name for path in gone if path.parent == self.folder}
            # First what lists the others: no line of it may name what is gone.
            for name in sorted(folder.entries | made.keys(), key=lambda name: (name != sums.NAME, name)):
                yield self._fate(folder, name, made)
            yield folder.leave()

    @staticmethod
    def _fate(folder: Sweep, name: str, made: Mapping[str, str]) -> Fate:
        if _LEFTOVER.fullmatch(name) and folder.is_file(name):
            return folder.remove(name)
        if name not in made:
            return folder.keep(name, _UNKNOWN)
        if folder.status(name) is None:
            return folder.remove(name)
        if not folder.is_file(name):
            return folder.keep(name, "this tool wrote a file here, and this is none, or another user's")
        try:
            same = folder.sha256(name) == made[name]
        except OSError as error:
            return Fate(folder.path / name, "failed", error.strerror or "it cannot be read")
        return folder.remove(name) if same else folder.keep(name, "it is not what this tool wrote: its bytes differ")

    def _forgotten(self, state: Sweep, *, failed: bool) -> Iterator[Fate]:
        """What became of what is remembered. It is needed as long as something of ours could not be removed."""
        for path in (self._state_path, self._state_path.with_suffix(".tmp"), self._lock_path):
            if state.status(path.name) is None:
                continue
            why = f"it tells what of {self.folder} is this tool's"
            yield state.keep(path.name, why) if failed else state.remove(path.name)

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
        content = sums.compose(digests).encode()
        with self.replacing(sums.NAME) as file:
            file.write(content)
        self._put(sums.NAME, hashlib.sha256(content).hexdigest(), "")

    def _put(self, name: str, sha256: str, inputs: str) -> None:
        """Rename what `replacing` wrote into place. It is remembered first: what is there then is known to be ours."""
        temporary = self._temporaries.pop(name)
        self._note(name, sha256, inputs, made=True, path=temporary)
        temporary.replace(self.folder / name)
        sync_folder(self.folder)

    def _fresh(self, name: str) -> _Seen | None:
        """What is remembered of an archive, if the file has not been touched since."""
        seen = self._seen.get(name)
        stat = (self.folder / name).stat()
        same = seen and (seen.size, seen.modified_ns, seen.inode) == (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        return seen if same else None

    def _note(self, name: str, sha256: str, inputs: str, *, made: bool = False, path: Path | None = None) -> _Seen:
        stat = (path or self.folder / name).stat()
        seen = self._seen[name] = _Seen(stat.st_size, stat.st_mtime_ns, stat.st_ino, sha256, inputs, made)
        temporary = self._state_path.with_suffix(".tmp")
        files = {n: asdict(s) for n, s in self._seen.items()}
        with open_own(temporary, fresh=True) as file:
            file.write(json.dumps({"folder": self.folder.resolve().as_uri(), "files": files}).encode())
        temporary.replace(self._state_path)
        return seen

    def _load(self) -> dict[str, _Seen]:
        """What is remembered of files that are there."""
        return {name: seen for name, seen in self._stored().items() if (self.folder / name).is_file()}

    def _stored(self) -> dict[str, _Seen]:
        """What is remembered; nothing if it cannot be read."""
        try:
            stored = parse_json(read_regular(self._state_path, _LARGEST_STATE, follow=False), _LARGEST_STATE)
            files = stored.get("files") if isinstance(stored, dict) else None
            return {name: _Seen(**facts) for name, facts in files.items()} if isinstance(files, dict) else {}
        except (OSError, UsageError, ValueError, TypeError):
            return {}


def remembered_folder(state_path: Path) -> Path | None:
    """The folder that a file of the state is about; None if it does not say."""
    try:
        stored = parse_json(read_regular(state_path, _LARGEST_STATE, follow=False), _LARGEST_STATE)
    except (OSError, UsageError, ValueError):
        return None
    address = stored.get("folder") if isinstance(stored, dict) else None
    if not (isinstance(address, str) and address.startswith(_FILE)):
        return None
    return Path(os.fsdecode(unquote_to_bytes(address.removeprefix(_FILE))))


def _can_be_listed(name: str) -> bool:
    try:
        return bool(sums.parse(sums.compose({name: "0" * 64})))
    except IntegrityError:
        return False
