"""An archive of ours, read whole and once: what every kind of them is judged by."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath

from bundler.adapters.code_copy import CodeCopy, CodeFound
from bundler.adapters.own_archive import OwnReader, open_own
from bundler.adapters.tar_reader import Member
from bundler.adapters.wheel_reading import WheelReading
from bundler.errors import IntegrityError
from bundler.kinds import file_list
from bundler.model.bundle import FILE_LIST, WHEELS
from bundler.model.closure import Wheel
from bundler.model.contents import Contents, ListedFile
from bundler.model.paths import link_fault

_LARGEST_TEXT = 8 << 20
# Of all texts together: they are kept until the archive is judged.
_LARGEST_TEXTS = 32 << 20
_LARGEST_FILE = 1 << 31
_LARGEST_NOTED = 1 << 20
_MOST_NAMED = 3
# Archives are read one after another: other threads inflate the wheels of one, and judge the one before it. A second
# reader would only wait for these, and hold memory.
_READING = threading.Lock()


def _nothing(path: str) -> None:
    return None


@dataclass(frozen=True)
class Interest:
    """What is kept of an archive's files beside their digests; each is asked with a path below the top folder.

    `text`: whether all of its bytes are kept; `note`: what is made of the bytes of a small file; `copy`: what
    takes its bytes too, piece by piece.
    """

    text: Callable[[str], bool]
    note: Callable[[str], Callable[[bytes], object] | None] = _nothing
    copy: Callable[[str], Callable[[bytes], object] | None] = _nothing


@dataclass
class _Reading:
    wheels: WheelReading
    files: dict[str, ListedFile] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    texts: dict[str, bytes] = field(default_factory=dict)
    text_left: int = _LARGEST_TEXTS
    noted: dict[str, object] = field(default_factory=dict)
    code: CodeFound = field(default_factory=CodeFound)
    reads_code: bool = True


def read_contents(path: Path, name: str, interest: Interest, *, digests: bool = True) -> Contents:
    """Read a whole archive, which messages call `name`.

    Without `digests` wheels are not compared with their RECORD, which takes longest, and no compiled code is read:
    enough where nothing is judged. Raises IntegrityError if it is damaged, or not as `build` writes archives.
    """
    reading = _Reading(WheelReading(digests=digests), reads_code=digests)
    with open_own(path, name) as reader, reading.wheels:
        try:
            with _READING:
                for member in reader.members():
                    _take(reading, reader, member, interest)
        except IntegrityError as error:
            named = islice(_damaged(reading), _MOST_NAMED)
            raise IntegrityError("\n    ".join((error.message, *named)), error.hint) from error
        wheels = list(reading.wheels.wheels())
        return Contents(
            top=reader.top,
            files=reading.files,
            folders=frozenset(reading.folders),
            texts=reading.texts,
            wheels=tuple(wheel for wheel in wheels if isinstance(wheel, Wheel)),
            tar_sha256=reader.tar_sha256,
            tar_size=reader.tar_size,
            noted=reading.noted,
            unreadable=tuple(fault.message for fault in wheels if isinstance(fault, IntegrityError)),
            sha256=reader.sha256,
            code=reading.code.files,
        )


def _damaged(reading: _Reading) -> Iterator[str]:
    """Name the files that are not what the archive's own list says, as far as both were read."""
    for path, sha256 in file_list.parse(reading.texts.get(FILE_LIST, b"")).items():
        file = reading.files.get(path)
        if file and file.sha256 != sha256:
            yield f"{path}: sha256 differs from {FILE_LIST}"


def _take(reading: _Reading, reader: OwnReader, member: Member, interest: Interest) -> None:
    inner = member.path.partition("/")[2]
    if member.kind == "folder":
        reading.folders.add(inner)
    elif member.kind == "link":
        if fault := link_fault(member.path, member.target, reader.top):
            raise IntegrityError(f"refused member {member.path!r}: {fault}")
        reading.files[inner] = ListedFile(inner, link=member.target)
    else:
        _take_file(reading, reader, member, inner, interest)


def _take_file(reading: _Reading, reader: OwnReader, member: Member, inner: str, interest: Interest) -> None:
    text, note, copy = interest.text(inner), interest.note(inner), interest.copy(inner)
    if member.size > (_LARGEST_TEXT if text else _LARGEST_FILE):
        raise IntegrityError(f"refused member {member.path!r}: {member.size} bytes are too many for it")
    reading.text_left -= member.size if text else 0
    if reading.text_left < 0:
        raise IntegrityError(f"refused member {member.path!r}: the texts before it have {_LARGEST_TEXTS} bytes already")
    digest = hashlib.sha256()
    kept: list[bytes] = []
    with CodeCopy(member.size) as code:
        for data in reader.read():
            digest.update(data)
            if text or (note and member.size <= _LARGEST_NOTED):
                kept.append(data)
            if copy:
                copy(data)
            if reading.reads_code:
                code.take(data)
        reading.code.add(inner, code, member.path)
    if text:
        reading.texts[inner] = b"".join(kept)
    elif note:
        reading.noted[inner] = note(b"".join(kept))
    elif inner.startswith(f"{WHEELS}/") and inner.endswith(".whl"):
        reading.wheels.put(reader.take_copy(), PurePosixPath(inner).name, digest.hexdigest())
    reading.files[inner] = ListedFile(inner, member.size, digest.hexdigest(), member.executable)
