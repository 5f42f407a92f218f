"""Files of advisories: snapshots of ours, or records of OSV (https://ossf.github.io/osv-schema/) as it exports them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from io import BufferedReader
from pathlib import Path

from pydantic import TypeAdapter

from bundler.adapters.regular import open_regular
from bundler.errors import IntegrityError, from_os
from bundler.model import snapshot
from bundler.model.advisories import Advisories
from bundler.model.advisory import LARGEST_RECORD, Advisory, parse_advisory
from bundler.model.json_text import first_fault, limited
from bundler.model.sidecar import LARGEST_ADVISORIES
from bundler.model.zip_file import ZipReader

_LARGEST_LIST = 64 << 20
_MOST_RECORDS, _MOST_VALUES = 200_000, 4_000_000
_LONGEST_NAME = 80


def read_advisories(path: Path) -> Advisories:
    """Read a snapshot of ours, or records of OSV: one, a list, one a line, or a ZIP of them (all.zip).

    Raises IntegrityError for what is none of these, UsageError for what is no regular file, WorkError.
    """
    try:
        with open_regular(path) as file:
            start = file.read(64)
            file.seek(0)
            if start.startswith(b"PK"):
                return _of_records(path, file, _zipped(path, file))
            if start.lstrip().startswith(b'{"format"') or start.startswith(b'{\n "format"'):
                return _snapshot(path, file)
            return _of_records(path, file, _plain(path, file))
    except OSError as error:
        raise from_os(error) from error


def _snapshot(path: Path, file: BufferedReader) -> Advisories:
    try:
        return snapshot.parse(file.read(LARGEST_ADVISORIES + 1))
    except IntegrityError as error:
        raise IntegrityError(f"{path}: {error.message}", error.hint) from error


def _of_records(path: Path, file: BufferedReader, records: Iterator[Advisory]) -> Advisories:
    found: list[Advisory] = []
    for record in records:
        if len(found) == _MOST_RECORDS:
            raise _refused(path, f"it holds more than {_MOST_RECORDS} advisories")
        found.append(record)
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        return Advisories.of_records(found, f"OSV ({path.name[:_LONGEST_NAME]}, sha256 {digest})")
    except ValueError as error:
        raise _refused(path, str(error)) from error


def _zipped(path: Path, file: BufferedReader) -> Iterator[Advisory]:
    """The records of OSV's export: a file each, in no folder. Raises IntegrityError."""
    reader = ZipReader(file, str(path))
    for member in reader.members:
        if member.kind != "file" or not member.path.endswith(".json") or "/" in member.path:
            raise _refused(path, f"{member.path} is no record of OSV")
        record = _record(path, member.path, reader.read(member, LARGEST_RECORD))
        if record.id != member.path.removesuffix(".json"):
            raise _refused(path, f"{member.path} is the record of {record.id}")
        yield record


def _plain(path: Path, file: BufferedReader) -> Iterator[Advisory]:
    """One record, a list of them, or one a line. Raises IntegrityError."""
    first = file.readline(LARGEST_RECORD + 1)
    if first.lstrip().startswith(b"["):
        yield from _listed(path, first + file.read(_LARGEST_LIST + 1))
        return
    if not first.rstrip().endswith(b"}"):  # one record in many lines
        yield _record(path, "it", first + file.read(LARGEST_RECORD + 1))
        return
    line, number = first, 1
    while line:
        if line.strip():
            yield _record(path, f"line {number}", line)
        line, number = file.readline(LARGEST_RECORD + 1), number + 1


def _listed(path: Path, content: bytes) -> Sequence[Advisory]:
    if len(content) > _LARGEST_LIST:
        raise _refused(path, f"a list of records is larger than {_LARGEST_LIST} bytes; write one a line")
    try:
        return _list_adapter().validate_json(limited(content, _MOST_VALUES))
    except ValueError as error:
        raise _refused(path, first_fault(error)) from error


def _record(path: Path, where: str, content: bytes) -> Advisory:
    try:
        return parse_advisory(content)
    except ValueError as error:
        raise _refused(path, f"{where}: {error}") from error


def _refused(path: Path, why: str) -> IntegrityError:
    return IntegrityError(f"{path} holds no advisories that can be used: {why}", "fetch it again, from whom you trust")


@cache
def _list_adapter() -> TypeAdapter[tuple[Advisory, ...]]:
    return TypeAdapter(tuple[Advisory, ...])
