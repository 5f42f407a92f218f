"""Headers of a tar (POSIX.1-2017, pax; GNU tar manual, "Basic Tar Format"), in the forms that all programs read alike.

A tar can be written so that two programs unpack two different trees of it. What is accepted here is what GNU tar,
bsdtar, busybox tar, 7-Zip and Python's tarfile agree on (tests/adapters/test_tar_alike.py asks them); the rest is
refused. Standard library only: it runs inside the sandbox too.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

BLOCK = 512
_FIELDS = struct.Struct("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12s")
_CHECKSUM = slice(148, 156)
_POSIX, _GNU = b"ustar\x0000", b"ustar  \0"
_OCTAL = re.compile(rb" *([0-7]+)[ \0]+")
_LONG_LINK = b"././@LongLink"
# A record of a pax header: its own length, a key, a value. The value is taken by the length.
_RECORD = re.compile(rb"([1-9][0-9]{0,6}) ([^=\n\0]+)=")
_SECONDS, _NUMBER = re.compile(rb"[0-9]{1,11}(\.[0-9]{1,18})?"), re.compile(rb"0|[1-9][0-9]{0,9}")
_COMMIT = re.compile(rb"[0-9a-f]{40}([0-9a-f]{24})?")
# Times, owners and remarks: no program makes another tree of them. Apple's extended attributes are in every archive
# that was made on macOS, and ignored everywhere else.
_TIMES = frozenset({b"mtime", b"atime", b"ctime", b"LIBARCHIVE.creationtime"})
_NUMBERS = frozenset({b"uid", b"gid", b"size", b"SCHILY.dev", b"SCHILY.ino", b"SCHILY.nlink"})
_WORDS = frozenset({b"path", b"linkpath", b"uname", b"gname", b"comment"})
_APPLE = re.compile(rb"(SCHILY|LIBARCHIVE)\.xattr\.com\.apple\.[A-Za-z0-9._#-]+")
# Some programs look for these words anywhere in a pax header, not for keys alone.
_NOWHERE = (b"hdrcharset", b"GNU.sparse")


class OddHeaderError(ValueError):
    """A header in a form that programs read differently; the text says which."""


@dataclass(frozen=True)
class Header:
    """One block: `name` and `link` as bytes, `kind` the type flag, times in seconds since 1970, `gnu` the dialect."""

    name: bytes
    kind: bytes
    mode: int
    size: int
    mtime: int
    link: bytes
    gnu: bool


def parse_header(block: bytes) -> Header:
    """Parse a block of 512 bytes. Raises OddHeaderError if it is in no form that all programs read alike."""
    (
        name, mode, uid, gid, size, mtime, checksum, kind, link, magic, uname, gname, major, minor, prefix, rest,
    ) = _FIELDS.unpack(block)  # fmt: skip
    if _octal(checksum, "checksum") != sum(block) - sum(block[_CHECKSUM]) + 8 * 32:
        raise OddHeaderError("its checksum is wrong")
    if magic not in (_POSIX, _GNU):
        raise OddHeaderError("it is neither a POSIX nor a GNU header")
    for field, what in ((uid, "owner"), (gid, "group"), (major, "device"), (minor, "device")):
        if field.strip(b"\0"):
            _octal(field, what)
    for field, what in ((uname, "owner's name"), (gname, "group's name")):
        _text(field, what, ended=True)
    if rest.strip(b"\0") or (prefix.strip(b"\0") and magic == _GNU):
        raise OddHeaderError("it holds more than its form has a place for")
    front, back = _text(prefix, "prefix", ended=False), _text(name, "name", ended=False)
    return Header(
        name=front + b"/" + back if front else back,
        kind=kind,
        mode=_octal(mode, "mode"),
        size=_octal(size, "size"),
        mtime=_octal(mtime, "time"),
        link=_text(link, "link's target", ended=False),
        gnu=magic == _GNU,
    )


def parse_long(header: Header, content: bytes) -> bytes:
    """Return the name that a GNU `L` or `K` header carries. Raises OddHeaderError."""
    if not header.gnu or header.name != _LONG_LINK or content.find(b"\0") != len(content) - 1:
        raise OddHeaderError("a long name is not in GNU tar's own form")
    return content[:-1]


def parse_pax(header: Header, content: bytes) -> Mapping[bytes, bytes]:
    """Return the records of a pax `x` header. Raises OddHeaderError if programs could read them differently."""
    records: dict[bytes, bytes] = {}
    if header.gnu or any(word in content for word in _NOWHERE):
        raise OddHeaderError("its pax header is not one that all programs know")
    place = 0
    while place < len(content):
        found = _RECORD.match(content, place)
        end = place + int(found[1]) if found else 0
        if found is None or not found.end() < end <= len(content) or content[end - 1] != ord("\n"):
            raise OddHeaderError("its pax header is damaged")
        key, value = found[2], content[found.end() : end - 1]
        if key in records or not _is_known(key, value):
            raise OddHeaderError(f"its pax header says {key[:40].decode('ascii', 'backslashreplace')!r} in an odd way")
        records[key] = value
        place = end
    return records


def is_commit_note(header: Header, content: bytes) -> bool:
    """Say whether a global pax header is the one that `git archive` writes: the commit, as a comment."""
    records = {} if header.gnu else parse_pax(header, content)
    return set(records) == {b"comment"} and bool(_COMMIT.fullmatch(records[b"comment"]))


def _is_known(key: bytes, value: bytes) -> bool:
    if key in _TIMES:
        return bool(_SECONDS.fullmatch(value))
    if key in _NUMBERS:
        return bool(_NUMBER.fullmatch(value))
    if key in _WORDS:
        return bool(value) and not set(b"\0\n") & set(value) and _is_utf8(value)
    return bool(_APPLE.fullmatch(key))


def _octal(field: bytes, what: str) -> int:
    found = _OCTAL.fullmatch(field)
    if found is None:
        raise OddHeaderError(f"its {what} is not a plain octal number")
    return int(found[1], 8)


def _text(field: bytes, what: str, *, ended: bool) -> bytes:
    text, end, rest = field.partition(b"\0")
    if rest.strip(b"\0") or (ended and not end):
        raise OddHeaderError(f"its {what} goes on after its end")
    return text


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
