"""The output folder: finished archives and the SHA256SUMS that covers them, and what others put beside them.

Order keeps it true at every instant, also when the process is killed: an archive that changes first loses its line,
then is renamed into place, then gets its new line. No line ever disagrees with the file it names, and no signature with
the SHA256SUMS beside it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from filelock import Timeout as LockTimeout

from bundler.adapters.archive import Written
from bundler.adapters.digest import sha256_of
from bundler.adapters.dist_memory import DistMemory, Seen
from bundler.adapters.dist_sums import DistSums, together
from bundler.adapters.durable import sync_folder
from bundler.adapters.own_folder import (
    check_private,
    is_plain,
    make_folder,
    open_new,
    own_lock,
    private_folder,
)
from bundler.adapters.sweep import Fate, Sweep, swept
from bundler.errors import IntegrityError, WorkError
from bundler.progress import Progress
from bundler.sidecars import sums
from bundler.words import ARCHIVE, archive_of

_TEMPORARY = ".aiws-bundle-"
_LEFTOVER = re.compile(rf"{re.escape(_TEMPORARY)}[0-9a-f]{{16}}\.tmp")  # what `open_new` calls it
_UNKNOWN = "nothing tells that this tool made it"


class Dist:
    """One output folder. What is remembered of it stands in `state`, outside the folder.

    Losing it costs time only; but what `clear` cannot find there, it keeps.

    `inputs_of` reads what an archive says that it was made from; "" if it does not say.
    """

    def __init__(self, folder: Path, state: Path, inputs_of: Callable[[Path], str]) -> None:
        self.folder, self._inputs_of = folder, inputs_of
        key = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
        self._memory = DistMemory(folder, state / f"{key}.json")
        self._lock_path = state / f"{key}.lock"
        self._temporaries: dict[str, Path] = {}
        self._sums = DistSums(folder / sums.NAME, self._write_sums)
        self._expected: deque[str] = deque()
        self._withdrawn: set[str] = set()
        self._signed = True

    @contextmanager
    def opened(self, progress: Progress) -> Iterator[None]:
        """Own the folder while the context is open: other processes wait. Clears what a killed one left behind.

        Its SHA256SUMS lists what is there then. Raises WorkError if others may write where is remembered what it holds.
        """
        with self.held(progress):
            self._settle()
            try:
                yield
            finally:
                if self._withdrawn:  # archives that are as they were after all
                    self._settle()

    @contextmanager
    def held(self, progress: Progress) -> Iterator[None]:
        """The same, but nothing of the folder is changed: it may be one that `build` did not fill."""
        make_folder(self.folder)
        self.folder.mkdir(exist_ok=True)
        private_folder(self._memory.path.parent.parent, self._memory.path.parent.name)
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
            self._memory.load()
            self._sums.forget()
            self._signed = True
            try:
                yield
            finally:
                self._sums.settle()
        finally:
            lock.release()

    def current(self, name: str, inputs: str) -> Written | None:
        """Return the finished archive if it is whole and was made from `inputs`, else None.

        `inputs` may be the archive's own digest.
        """
        path = self.folder / name
        listed = self._sums.lines().get(name)
        if listed is None or not is_plain(path):
            return None
        seen = self._memory.fresh(name)
        if seen is None:
            if sha256_of(path) != listed:
                return None
            before = self._memory.get(name)
            made = before is not None and before.made and before.sha256 == listed
            seen = self._memory.note(name, listed, self._inputs_of(path), made=made)
        # What is known by its own digest needs nothing remembered, nor said inside.
        if inputs not in (seen.inputs, seen.sha256) or seen.sha256 != listed:
            return None
        return Written(seen.size, seen.sha256)

    def expect(self, names: Iterable[str]) -> None:
        """Tell which archives are about to be placed, in their order: lines of several may go at once."""
        self._expected = deque(names)

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

    def written_at(self, name: str) -> Path:
        """Where what `replacing` wrote stands until it is placed."""
        return self._temporaries[name]

    def place(self, name: str, written: Written, inputs: str, beside: Mapping[str, bytes]) -> None:
        """Put the archive that `replacing` wrote in place, its sidecars `beside` it, and their lines into SHA256SUMS.

        An archive that changes loses its line and its sidecars before, also those that `add` put there.
        """
        former = self._former(name)
        if self._sums.lines().get(name) != written.sha256:
            self._drop({name, *self._sidecars(name), *beside}, self._along(name))
        self._withdrawn.discard(name)
        self._put(name, written.sha256, inputs)
        self._put_beside(name, {name: written.sha256}, beside, former)

    def place_beside(self, name: str, beside: Mapping[str, bytes]) -> None:
        """Put the sidecars of an archive that is in its place beside it, and their lines into SHA256SUMS."""
        self._put_beside(name, {}, beside, self._former(name))

    def add(self, files: Mapping[str, bytes]) -> tuple[str, ...]:
        """Put small files beside archives, and their lines into SHA256SUMS; the names of those that were not there yet.

        They stay until their archive changes. Of a folder in which all is there nothing is touched.
        """
        new = self._put_listed(files, {}, set())
        self._sums.settle()
        return new

    def _put_beside(self, name: str, lines: Mapping[str, str], beside: Mapping[str, bytes], former: Set[str]) -> None:
        """Put sidecars in place of the `former` ones, then `lines` and theirs into SHA256SUMS."""
        new = self._put_listed(beside, lines, former - beside.keys())
        for one in beside.keys() - new:
            self._memory.note(one, _sha256(beside[one]), "", made=True)
        self._memory.remember(name, replace(self._memory[name], beside=[*beside]))

    def _put_listed(self, files: Mapping[str, bytes], lines: Mapping[str, str], gone: Set[str]) -> tuple[str, ...]:
        """Put files in place, then `lines` and theirs into SHA256SUMS; what is `gone` is removed before."""
        digests, listed = {name: _sha256(content) for name, content in files.items()}, self._sums.lines()
        new = tuple(name for name in files if not is_plain(self.folder / name) or listed.get(name) != digests[name])
        self._drop({*new, *gone})
        for name in new:
            with self.replacing(name) as file:
                file.write(files[name])
            self._put(name, digests[name], "")
        if new or lines or gone:
            self._sums.add({**lines, **digests})
        return new

    def complete(self, name: str) -> bool:
        """Say whether the sidecars that were made of a finished archive are there as they were made."""
        names, listed = self._memory[name].beside, self._sums.lines()
        return names is not None and all(
            one in listed and (seen := self._memory.get(one)) is not None and seen.made and seen.sha256 == listed[one]
            for one in names
        )

    def _former(self, name: str) -> Set[str]:
        """The sidecars that were made of an archive before, as far as that is remembered."""
        seen = self._memory.get(name)
        return {*(seen.beside or ())} if seen else set()

    def _sidecars(self, name: str) -> Iterator[str]:
        """What stands beside an archive and does not fit another one: what was written here, and all of the table."""
        from bundler.sidecars.table import SIDECARS  # large

        yield from (one for one in self._memory.beside(name) if one != name and self._memory[one].made)
        known = (one.name(name) for one in SIDECARS if one.OF == "archive")
        yield from (one for one in known if is_plain(self.folder / one))

    def _along(self, name: str) -> Iterator[str]:
        """What loses its line together with `name`: some of the archives that are expected next, and their sidecars.

        None whose bytes are not known to be those of its line, which may be all that shows that it was changed.
        """
        listed = self._sums.lines()
        if name not in listed:  # it went along itself
            return
        for _ in range(min(together(len(listed)), len(self._expected))):
            other = self._expected.popleft()
            seen = self._memory.fresh(other) if other in listed and is_plain(self.folder / other) else None
            if other != name and seen and seen.made and seen.sha256 == listed[other]:
                self._withdrawn.add(other)
                yield from (other, *(seen.beside or ()))

    def _drop(self, names: Set[str], along: Iterable[str] = ()) -> None:
        """Take the lines of files away, then the files; an archive itself stays until it is replaced.

        Of what goes `along` only the lines are taken.
        """
        self._sums.drop({*names, *along})
        for name in names:
            if not name.endswith(ARCHIVE):
                (self.folder / name).unlink(missing_ok=True)
                self._memory.forget(name)

    def put(self, name: str, content: bytes) -> None:
        """Put a small file in place that is beside all others, such as a signature."""
        with self.replacing(name) as file:
            file.write(content)
        self._put(name, _sha256(content), "")
        self._signed = self._signed or _signs(name)

    def clear(self, *, dry_run: bool, gone: Collection[Path] = ()) -> Iterator[Fate]:
        """Remove what runs of ours wrote into the folder, then the folder if it is empty, and what is remembered of it.

        A file that is not remembered, or has other bytes, stays; so does all while another process fills the folder.
        `gone` are paths that a dry run has told of already. It can end at any point: what is left, the next call
        removes. Raises WorkError if the state is not ours.
        """
        known = check_private(self._memory.path.parent.parent, link=True) and check_private(self._memory.path.parent)
        if not (known and (self._memory.path.exists() or self._lock_path.exists())):
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
            for fate in self._cleared(self._memory.stored(), dry_run, gone):
                fates.append(fate)
                yield fate
            with swept(self._memory.path.parent, dry_run=dry_run) as state:
                if isinstance(state, Sweep):
                    failed = any(fate.state == "failed" for fate in fates)
                    yield from self._forgotten(state, failed=failed)
        finally:
            lock.release()

    def _cleared(self, seen: Mapping[str, Seen], dry_run: bool, gone: Collection[Path]) -> Iterator[Fate]:
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
        for path in (self._memory.path, self._memory.path.with_suffix(".tmp"), self._lock_path):
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
            before = dict(self._sums.lines())
        except IntegrityError:
            before = {}
        after = {}
        for path in sorted(self.folder.glob(f"*{ARCHIVE}")):
            if not path.is_file() or path.name.startswith("."):
                continue
            if not _can_be_listed(path.name):
                raise WorkError(f"{path}: {sums.NAME} cannot hold this name", "move the file elsewhere")
            seen = self._memory.fresh(path.name)
            after[path.name] = before.get(path.name) or (seen.sha256 if seen else sha256_of(path))
        for path in sorted(self.folder.iterdir()):
            if archive_of(path.name) in after and path.name not in after and _can_be_listed(path.name):
                after |= self._beside(path)
        if after != before or is_plain(self.folder / sums.NAME) != bool(after):
            self._sums.replace(after)

    def _beside(self, path: Path) -> dict[str, str]:
        """The digest of a file that stands beside an archive, by name; nothing for what is no file."""
        if not path.is_file():
            return {}
        seen = self._memory.fresh(path.name) or self._memory.note(path.name, sha256_of(path), "")
        return {path.name: seen.sha256}

    def _write_sums(self, digests: Mapping[str, str]) -> None:
        path, content = self.folder / sums.NAME, sums.compose(digests).encode()
        if not (is_plain(path) and path.stat().st_size == len(content) and sha256_of(path) == _sha256(content)):
            self._unsign()
        if not digests:
            path.unlink(missing_ok=True)
            return
        self.put(sums.NAME, content)

    def _unsign(self) -> None:
        """Remove the signatures of a SHA256SUMS that is about to be another one.

        Nobody else puts any there meanwhile: `sign` waits for the folder.
        """
        if not self._signed:
            return
        self._signed = False
        stale = [path for path in self.folder.glob(f"{sums.NAME}.*") if _signs(path.name) and not path.is_dir()]
        for path in stale:
            path.unlink(missing_ok=True)
            self._memory.forget(path.name)
        if stale:
            sync_folder(self.folder)

    def _put(self, name: str, sha256: str, inputs: str) -> None:
        """Rename what `replacing` wrote into place. It is remembered first: what is there then is known to be ours."""
        temporary = self._temporaries.pop(name)
        self._memory.note(name, sha256, inputs, made=True, path=temporary)
        temporary.replace(self.folder / name)
        sync_folder(self.folder)


def _signs(name: str) -> bool:
    """Say whether a file of this name is a signature of SHA256SUMS."""
    if not name.startswith(f"{sums.NAME}."):
        return False
    from bundler.model.signatures import form_of  # large: there are none in most folders

    return form_of(name) is not None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _can_be_listed(name: str) -> bool:
    try:
        return bool(sums.parse(sums.compose({name: "0" * 64})))
    except IntegrityError:
        return False
