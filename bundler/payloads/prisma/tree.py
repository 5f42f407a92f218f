"""The files of an npm package, as npm would install them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bundler.adapters.read_archive import open_archive
from bundler.errors import IntegrityError
from bundler.payloads.prisma.pins import NpmPackage

_LARGEST_FILE = 64 << 20


def unpacked(package: NpmPackage, archive: Path) -> Iterator[tuple[str, bytes, bool]]:
    """Yield path, content and whether it is executable of each file in `archive`, where npm puts it.

    The top folder, whatever it is called, becomes the package's place. npm drops links from packages; here they are
    refused, as is whatever would climb out or meet another file. Raises IntegrityError.
    """
    name = f"npm package {package.name} {package.version}"
    spelled: dict[str, str] = {}
    with open_archive(archive, name) as reader:
        for member in reader.members():
            _, _, inner = member.path.partition("/")
            if member.kind == "folder":
                continue
            if member.kind != "file" or not inner:
                raise IntegrityError(f"{name}: refused {member.path!r}: no file below the package's folder")
            if (other := spelled.setdefault(inner.casefold(), inner)) != inner:
                raise IntegrityError(f"{name}: {inner!r} and {other!r} differ only in case")
            if member.size > _LARGEST_FILE:
                raise IntegrityError(f"{name}: {inner!r} has {member.size} bytes")
            yield f"{package.at}/{inner}", b"".join(reader.read()), member.executable
