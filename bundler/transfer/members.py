"""ZIP files in an archive, as their list tells them: where each member stands, and how it is packed.

The list is not believed: what it says wrong makes a delta larger, or is dropped here. `model.zip_file` judges ZIPs.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from zlib_ng import zlib_ng

from bundler.transfer.layout import Run, View

# APPNOTE.TXT 4.3.7, 4.3.12, 4.3.16.
_LOCAL, _LOCAL_MAGIC = struct.Struct("<4s22xHH"), b"PK\x03\x04"
_ENTRY, _ENTRY_MAGIC = struct.Struct("<4s6xH4xIIIHHH8xI"), b"PK\x01\x02"
_END, _END_MAGIC = struct.Struct("<4s8xII2x"), b"PK\x05\x06"
_LARGEST_LIST, _MOST_MEMBERS = 16 << 20, 50_000
_DEFLATED = 8
_VERSIONED = re.compile(r"^([^/]+?)-[^/]+(\.(?:dist-info|data)/)")
_INFO = re.compile(r"^([^/]+)\.dist-info/")


class Key(NamedTuple):
    """What a member's content is known by."""

    crc: int
    size: int


@dataclass(frozen=True)
class Member:
    """A member of a ZIP: a header from `start` on, `packed` bytes from `data` on, and what follows up to `end`."""

    name: str
    start: int
    data: int
    packed: int
    end: int
    deflated: bool
    key: Key


@dataclass(frozen=True)
class Zip:
    """A ZIP's members, in the order in which they stand; its project, if it is a wheel."""

    view: View
    members: tuple[Member, ...]
    project: str


def zip_of(view: View, follower: bytes) -> Zip | None:
    """Return what stands in a ZIP, whose list is at its end or follows it; None if it is none."""
    if view.size < _LOCAL.size or view.read(0, 4) != _LOCAL_MAGIC:
        return None
    listed = follower if follower.startswith(_ENTRY_MAGIC) else _own_list(view)
    members = tuple(_members(view, sorted(_entries(listed))))
    if not members:
        return None
    return Zip(view, members, next((match[1].lower() for one in members if (match := _INFO.match(one.name))), ""))


def list_behind(view: View, run: Run | None) -> bytes:
    """What a run of deflated data holds, if it begins with a ZIP's list."""
    if not run or run.size or run.length > _LARGEST_LIST:
        return b""
    inflate = zlib_ng.decompressobj(-zlib_ng.MAX_WBITS)
    try:
        start = inflate.decompress(view.read(run.start, min(run.length, 1 << 12)), len(_ENTRY_MAGIC))
        if start != _ENTRY_MAGIC:
            return b""
        inflate = zlib_ng.decompressobj(-zlib_ng.MAX_WBITS)
        return inflate.decompress(view.read(run.start, run.length), _LARGEST_LIST)
    except zlib_ng.error:  # type: ignore[misc]  # its stub calls the class an instance
        return b""


def _own_list(view: View) -> bytes:
    if view.size < _END.size:
        return b""
    magic, size, start = _END.unpack(view.read(view.size - _END.size, _END.size))
    if magic != _END_MAGIC or size > _LARGEST_LIST or start + size > view.size:
        return b""
    return view.read(start, size)


def _entries(listed: bytes) -> Iterator[tuple[int, str, int, bool, Key]]:
    at = 0
    for _ in range(_MOST_MEMBERS):
        if at + _ENTRY.size > len(listed):
            return
        magic, method, crc, packed, size, name, extra, comment, start = _ENTRY.unpack_from(listed, at)
        if magic != _ENTRY_MAGIC:
            return
        text = listed[at + _ENTRY.size : at + _ENTRY.size + name].decode("utf-8", "replace")
        yield start, _VERSIONED.sub(r"\1\2", text), packed, method == _DEFLATED, Key(crc, size)
        at += _ENTRY.size + name + extra + comment


def _members(view: View, entries: list[tuple[int, str, int, bool, Key]]) -> Iterator[Member]:
    ends = [*(start for start, *_ in entries), view.size]
    for (start, name, packed, deflated, key), (_, end) in zip(entries, pairwise(ends), strict=True):
        if start + _LOCAL.size > view.size:
            return
        magic, named, extra = _LOCAL.unpack(view.read(start, _LOCAL.size))
        data = start + _LOCAL.size + named + extra
        if magic != _LOCAL_MAGIC or data + packed > end:
            return
        yield Member(name, start, data, packed, end, deflated, key)
