"""The metadata inside a wheel (core metadata specification; the binary distribution format says where it stands)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import BinaryIO

from packaging.utils import canonicalize_name
from packaging.version import Version

from bundler.errors import IntegrityError
from bundler.model.closure import Wheel
from bundler.model.declared_licences import licences_of
from bundler.model.headers import read_headers
from bundler.model.wheel_content import WheelContent
from bundler.model.wheel_name import is_made, parse_wheel_name
from bundler.model.zip_file import ZipReader

_LARGEST_METADATA = 4 << 20
_MOST_REQUIREMENTS, _LONGEST_REQUIREMENT = 2000, 4096
# Of the fields, those that decide what a host needs, and how often each may be there.
_FIELDS = {
    "metadata-version": 1,
    "name": 1,
    "version": 1,
    "requires-python": 1,
    "requires-dist": _MOST_REQUIREMENTS,
    "provides-extra": _MOST_REQUIREMENTS,
}
# Those that only describe it.
_LOOSE = {"license-expression": 1, "license": 1, "classifier": _MOST_REQUIREMENTS}
_METADATA_VERSION = re.compile(r"[12]\.[0-9]")


def read_wheel(stream: BinaryIO, filename: str, *, digests: bool = True, code: bool = False) -> Wheel:
    """Read a wheel from its bytes and return what it says of itself.

    Raises IntegrityError for whatever pip, uv or pypa/installer would refuse, or might read in another way
    (`wheel_content`, `zip_file`). With `digests` all of it is inflated and compared with its RECORD; without, only its
    shape, its lists and its METADATA are looked at: enough for bytes that a lock pins. With `code` it is told what its
    compiled code says of itself, where a platform judges that.
    """
    archive = ZipReader(stream, filename)
    content = WheelContent(archive, filename)
    told = parse_metadata(archive.read(content.file("METADATA"), _LARGEST_METADATA), filename)
    compiled = content.read_through(digests=digests, code=code) if digests or code else ()
    recorded = content.recorded() if is_made(filename) else ()
    return replace(told, startup=content.startup, recorded=recorded, sboms=content.sboms(), code=compiled)


def parse_metadata(text: bytes, filename: str) -> Wheel:
    """Parse a METADATA file's bytes.

    Raises IntegrityError if it speaks of another wheel than `filename`, is not UTF-8, or holds a field that matters
    twice, over several lines, or more than 2,000 requirements. A licence that cannot be read so is only not told.
    """
    name = f"{filename}: its METADATA"
    try:
        fields, _ = read_headers(text.decode(), _FIELDS, name, _LOOSE)
        project, version, _, _ = parse_wheel_name(filename)
        named, versioned = "".join(fields["name"]), "".join(fields["version"])
        same = canonicalize_name(named) == project and Version(versioned) == version
    except UnicodeDecodeError as error:
        raise IntegrityError(f"{name} is not UTF-8") from error
    except ValueError as error:
        raise IntegrityError(f"{filename}: {error}") from error
    if not same:
        raise IntegrityError(f"{name} speaks of {named[:200] or None!r} {versioned[:200] or None!r}")
    if not _METADATA_VERSION.fullmatch("".join(fields["metadata-version"])):
        raise IntegrityError(f"{name} is of no version that is known")
    if any(len(value) > _LONGEST_REQUIREMENT for field in _FIELDS for value in fields[field]):
        raise IntegrityError(f"{name} holds a field of more than {_LONGEST_REQUIREMENT} characters")
    extras = frozenset(map(canonicalize_name, fields["provides-extra"]))
    return Wheel(
        filename,
        tuple(fields["requires-dist"]),
        "".join(fields["requires-python"]) or None,
        extras,
        licences=licences_of(fields["license-expression"], fields["classifier"], fields["license"]),
    )
