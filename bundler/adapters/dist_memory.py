"""What is remembered of an output folder: its files as they were when their digests were computed, as git's index does.

It stands outside the folder. Losing it costs time only; but what nothing remembers, nobody removes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from bundler.adapters.own_folder import open_own
from bundler.adapters.regular import read_regular
from bundler.errors import UsageError
from bundler.model.json_text import parse_json
from bundler.words import archive_of

_FILE = "file://"
_LARGEST = 16 << 20
# So many lines at least are added before all is written anew.
_FEW = 64


@dataclass(frozen=True)
class Seen:
    """A file as it was when its digest was last computed.

    `made`: these bytes were written here, by a run of ours; all else was found. `beside` are the names of the sidecars
    that were made of an archive; None if none were yet.
    """

    size: int
    modified_ns: int
    inode: int
    sha256: str
    inputs: str
    made: bool = False
    beside: Sequence[str] | None = None


class DistMemory:
    """What is remembered of the files in `folder`; it stands in the file `path`.

    The first line of that is a JSON document which says what folder it is, each other tells of files; what is said last
    of one counts. What changes is added at the end, and all is written anew once there are as many lines again.
    """

    def __init__(self, folder: Path, path: Path) -> None:
        self.path, self._folder = path, folder
        self._seen: dict[str, Seen] = {}
        self._around: dict[str, set[str]] = {}
        self._forgotten: dict[str, None] = {}
        self._left = 0

    def load(self) -> None:
        """Remember what was remembered before, of files that are there."""
        self._seen, self._around, self._forgotten, self._left = {}, {}, {}, 0
        for name, seen in self.stored().items():
            if (self._folder / name).is_file():
                self._note(name, seen)

    def stored(self) -> dict[str, Seen]:
        """What was remembered before; nothing if it cannot be read."""
        found: dict[str, Seen | None] = {}
        for document in _documents(self.path):
            files = document.get("files")
            try:
                for name, facts in files.items() if isinstance(files, dict) else ():
                    found[name] = Seen(**facts) if facts is not None else None
            except TypeError:
                return {}
        return {name: seen for name, seen in found.items() if seen is not None}

    def __getitem__(self, name: str) -> Seen:
        """What is remembered of a file. Raises KeyError if nothing is."""
        return self._seen[name]

    def get(self, name: str) -> Seen | None:
        """What is remembered of a file, whatever became of it since."""
        return self._seen.get(name)

    def beside(self, archive: str) -> tuple[str, ...]:
        """The names of all that is remembered of an archive and of what stands beside it."""
        return tuple(sorted(self._around.get(archive, ())))

    def fresh(self, name: str) -> Seen | None:
        """What is remembered of a file, if it has not been touched since."""
        seen = self._seen.get(name)
        stat = (self._folder / name).stat()
        same = seen and (seen.size, seen.modified_ns, seen.inode) == (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        return seen if same else None

    def note(self, name: str, sha256: str, inputs: str, *, made: bool = False, path: Path | None = None) -> Seen:
        """Remember a file as it is now, or as it is at `path` before it is renamed. It has that SHA-256 (hex)."""
        stat = (path or self._folder / name).stat()
        seen = Seen(stat.st_size, stat.st_mtime_ns, stat.st_ino, sha256, inputs, made)
        return self.remember(name, seen)

    def remember(self, name: str, seen: Seen) -> Seen:
        """Remember this of a file."""
        self._note(name, seen)
        if self._left:
            self._left -= 1
            with open_own(self.path) as file:
                file.write(_line({"files": {**self._forgotten, name: asdict(seen)}}))
            self._forgotten = {}
            return seen
        temporary = self.path.with_suffix(".tmp")
        with open_own(temporary, fresh=True) as file:
            file.write(_line({"folder": self._folder.resolve().as_uri()}))
            file.writelines(_line({"files": {n: asdict(s)}}) for n, s in self._seen.items())
        temporary.replace(self.path)
        self._forgotten, self._left = {}, max(_FEW, len(self._seen))
        return seen

    def forget(self, name: str) -> None:
        """Remember nothing of a file, once the next is remembered."""
        if self._seen.pop(name, None):
            self._forgotten[name] = None
            self._around.get(archive_of(name) or "", set()).discard(name)

    def _note(self, name: str, seen: Seen) -> None:
        self._seen[name] = seen
        if archive := archive_of(name):
            self._around.setdefault(archive, set()).add(name)


def remembered_folder(path: Path) -> Path | None:
    """The folder that a file of a memory is about; None if it does not say."""
    address = next(_documents(path), {}).get("folder")
    if not (isinstance(address, str) and address.startswith(_FILE)):
        return None
    return Path(os.fsdecode(unquote_to_bytes(address.removeprefix(_FILE))))


def _line(document: dict[str, object]) -> bytes:
    return json.dumps(document).encode() + b"\n"


def _documents(path: Path) -> Iterator[dict[str, object]]:
    """The documents of a file's lines, up to the first that is none: a killed run may have left half a line."""
    with suppress(OSError, UsageError, ValueError):
        for line in read_regular(path, _LARGEST, follow=False).splitlines():
            found = parse_json(line, _LARGEST)
            if not isinstance(found, dict):
                return
            yield found
