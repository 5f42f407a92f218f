"""The index of packages that lie flat in a folder, as dpkg-scanpackages(1) with --multiversion writes one.

Of each package's control file it has what apt goes by. The archive's own index says the same of the package, so the
lock knows these bytes before any package is fetched, and a package that says otherwise of itself is found.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Mapping

from bundler.model.deb822 import render_stanza

# Section and priority are the archive's to say, and are not what the package says of itself.
_FIELDS = (
    "Package", "Version", "Architecture", "Maintainer", "Installed-Size", "Essential", "Protected", "Multi-Arch",
    "Pre-Depends", "Depends", "Recommends", "Suggests", "Enhances", "Provides", "Conflicts", "Breaks", "Replaces",
)  # fmt: skip
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LARGEST_BLOCK = 0xFFFF
_LARGEST_INDEX = 64 << 20


def stanza_of(fields: Mapping[str, str], name: str, size: int, sha256: str) -> str:
    """The stanza of the package in the file `name`, from the fields of its control file, or of an archive's index."""
    given = {field.lower(): value for field, value in fields.items()}
    # Folded or not, a relation is the same.
    said = {field: " ".join(given[field.lower()].split()) for field in _FIELDS if given.get(field.lower())}
    summary = given.get("description", "").partition("\n")[0].strip()
    last = {"Description": summary} if summary else {}
    return render_stanza({**said, "Filename": f"./{name}", "Size": str(size), "SHA256": sha256, **last})


def provided(fields: Mapping[str, str]) -> tuple[str, ...]:
    """The names that a package stands in for, sorted: its field `Provides` (Debian Policy 7.5)."""
    named = (part.partition("(")[0].partition(":")[0].strip() for part in fields.get("Provides", "").split(","))
    return tuple(sorted({name for name in named if name}))


def digest_of(stanza: str) -> str:
    """The SHA-256 (hex) of a stanza."""
    return hashlib.sha256(stanza.encode()).hexdigest()


def stanzas_in(content: bytes) -> list[str]:
    """The stanzas of an index as `packages_gz` writes one. Raises ValueError for another one, or more than 64 MiB."""
    stream = zlib.decompressobj(wbits=31)
    try:
        text = stream.decompress(content, _LARGEST_INDEX).decode("utf-8")
    except zlib.error as error:
        raise ValueError("not gzip") from error
    stanzas = [f"{part}\n" for part in text.removesuffix("\n").split("\n\n")] if text else []
    if packages_gz(stanzas) != content:
        raise ValueError("not as aiws-bundle writes one")
    return stanzas


def packages_gz(stanzas: Iterable[str]) -> bytes:
    """The index of stanzas in their order, as a gzip file (RFC 1952) of stored blocks (RFC 1951, 3.2.4).

    What compresses well is compressed with the archive. So no compressor's version decides on the bytes.
    """
    text = "\n".join(stanzas).encode()
    blocks = [text[at : at + _LARGEST_BLOCK] for at in range(0, len(text), _LARGEST_BLOCK)] or [b""]
    stored = b"".join(
        struct.pack("<BHH", block is blocks[-1], len(block), len(block) ^ _LARGEST_BLOCK) + block for block in blocks
    )
    return _HEADER + stored + struct.pack("<II", zlib.crc32(text), len(text) & 0xFFFFFFFF)
