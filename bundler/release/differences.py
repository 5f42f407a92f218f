"""Where two archives differ that should be the same: which member, then what of it, then what holds them together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.read_archive import open_archive
from bundler.adapters.tar_reader import Member
from bundler.errors import BundleError

_MOST_TOLD = 20


@dataclass(frozen=True)
class _Seen:
    """A member as it was read: what it is, and the SHA-256 (hex) of its bytes."""

    member: Member
    sha256: str


@dataclass(frozen=True)
class _Read:
    """An archive's members by path, in their order, and the digest of its tar."""

    members: dict[str, _Seen]
    tar_sha256: str


def differences(given: Path, rebuilt: Path, name: str) -> Iterator[str]:
    """Yield how an archive, called `name`, differs from the one that was made anew; they are known to differ."""
    try:
        one = _read(given, name)
    except BundleError as error:
        yield f"it cannot be read as an archive: {error.message}"
        return
    other = _read(rebuilt, name)
    found = list(_of_members(one, other))
    yield from found[:_MOST_TOLD]
    if len(found) > _MOST_TOLD:
        yield f"… and {len(found) - _MOST_TOLD} more"
    if found:
        return
    if one.tar_sha256 != other.tar_sha256:
        yield "its members are the same; headers or padding of the tar around them differ"
    else:
        yield "the tar inside is the same; only its gzip compression differs"


def _of_members(one: _Read, other: _Read) -> Iterator[str]:
    for path in sorted(other.members.keys() - one.members.keys()):
        yield f"missing: {path}"
    for path in sorted(one.members.keys() - other.members.keys()):
        yield f"surplus: {path}"
    both = [path for path in one.members if path in other.members]
    for path in both:
        yield from _of_member(path, one.members[path], other.members[path])
    rebuilt = [path for path in other.members if path in one.members]
    if moved := [path for path, expected in zip(both, rebuilt, strict=True) if path != expected]:
        yield f"the order of its members differs, first at {moved[0]}"


def _of_member(path: str, one: _Seen, other: _Seen) -> Iterator[str]:
    """Yield what of a member differs: of two values the first is the one that was rebuilt."""
    a, b = one.member, other.member
    if one.sha256 != other.sha256:
        yield _values(path, "content", f"{b.size} bytes, SHA-256 {other.sha256}", f"{a.size} bytes, {one.sha256}")
    pairs = {
        "kind": (b.kind, a.kind),
        "mode": ("executable" if b.executable else "plain", "executable" if a.executable else "plain"),
        "target": (b.target, a.target),
        "time": (str(b.mtime), str(a.mtime)),
    }
    for word, (expected, actual) in pairs.items():
        if expected != actual:
            yield _values(path, word, expected, actual)


def _values(path: str, word: str, expected: str, actual: str) -> str:
    return f"{path}: {word} differs\n    rebuilt  {expected}\n    actual   {actual}"


def _read(path: Path, name: str) -> _Read:
    """Read an archive to its end. Raises IntegrityError."""
    members: dict[str, _Seen] = {}
    with open_archive(path, name) as reader:
        for member in reader.members():
            digest = hashlib.sha256()
            if member.kind == "file":
                for data in reader.read():
                    digest.update(data)
            members[member.path] = _Seen(member, digest.hexdigest())
        return _Read(members, reader.tar_sha256)
