"""The metadata inside a wheel (core metadata specification; PEP 427 says where it stands)."""

from __future__ import annotations

import zipfile
import zlib
from typing import BinaryIO

from packaging.metadata import parse_email
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from bundler.errors import IntegrityError
from bundler.model.closure import Wheel

_LARGEST_METADATA = 4 << 20
_COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Of the fields, those that decide what a host needs.
_FIELDS = frozenset({"name", "version", "requires-dist", "requires-python"})
# What zipfile raises for broken input.
_FAULTS = (zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, EOFError, ValueError, RuntimeError)


def read_wheel(stream: BinaryIO, filename: str) -> Wheel:
    """Read a wheel's own metadata from its bytes. Raises IntegrityError if it is not a wheel of its file name."""
    try:
        with zipfile.ZipFile(stream) as archive:
            member = archive.getinfo(_metadata_path(archive, filename))
            if member.compress_type not in _COMPRESSION or member.header_offset < 0:
                raise IntegrityError(f"{filename} is not a readable wheel: its METADATA is not stored or deflated")
            if member.file_size > _LARGEST_METADATA:
                raise IntegrityError(f"{filename}: its METADATA is larger than {_LARGEST_METADATA >> 20} MiB")
            text = archive.read(member)
    except _FAULTS as error:
        raise IntegrityError(f"{filename} is not a readable wheel: {error}") from error
    return parse_metadata(text, filename)


def parse_metadata(text: bytes, filename: str) -> Wheel:
    """Parse a METADATA file's bytes.

    Raises IntegrityError if it speaks of another wheel than `filename`, or if a field that matters cannot be decoded
    or is there twice: packaging leaves such a field out, and what it says would be missed.
    """
    headers, _, _ = text.replace(b"\r\n", b"\n").partition(b"\n\n")  # the description is long and of no use here
    raw, unclear = parse_email(headers)
    try:
        project, version, _, _ = parse_wheel_filename(filename)
        same = canonicalize_name(raw.get("name", "")) == project and Version(raw.get("version", "")) == version
    except ValueError as error:
        raise IntegrityError(f"{filename}: {error}") from error
    if not same:
        raise IntegrityError(f"{filename}: its METADATA speaks of {raw.get('name')!r} {raw.get('version')!r}")
    if fields := sorted(_FIELDS.intersection(unclear)):
        raise IntegrityError(f"{filename}: its METADATA holds a field that cannot be read: {', '.join(fields)}")
    return Wheel(filename, tuple(raw.get("requires_dist", ())), raw.get("requires_python"))


def _metadata_path(archive: zipfile.ZipFile, filename: str) -> str:
    found = [
        name
        for name in archive.namelist()
        if name.count("/") == 1
        and name.endswith(".dist-info/METADATA")
        and canonicalize_name(name.split("-")[0]) == canonicalize_name(filename.split("-")[0])
    ]
    if len(found) != 1:
        raise IntegrityError(f"{filename}: has {len(found)} METADATA files for its project, not one")
    return found[0]
