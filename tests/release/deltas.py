"""Releases of a few bytes with deltas between them, put together by hand: what is made of them is told byte by byte."""

from __future__ import annotations

import bz2
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from bundler.progress import Silent
from bundler.session import Session
from bundler.sidecars import sums
from bundler.transfer.program import Program
from tests.github import GitHub

REPO = "example/demo"
ARCHIVE = "demo-debian-12-amd64.tar.gz"
SIZE = 20_000


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def archive(number: int) -> bytes:
    """What stands for an archive: most of it is the same in each."""
    return b"same" * (SIZE // 4) + hashlib.shake_256(bytes([number])).digest(SIZE)


def delta(old: bytes, new: bytes, name: str = ARCHIVE, *, said: bytes = b"", more: int = 0) -> bytes:
    """A delta that copies how both archives begin; it says that it makes `said`, if given. `more` are random bytes."""
    program, alike = Program(), (one == other for one, other in zip(old, new, strict=False))
    common = new[: sum(takewhile(bool, alike))]
    rest = new[len(common) :] + hashlib.shake_256(b"more").digest(more)
    if common:
        program.copy(0, len(common))
    if rest:
        program.stored(len(rest))
    said = said or common + rest
    code, nothing = program.end(), bz2.compress(b"")
    streams = {"program": (bz2.compress(code), len(code)), "stored": (rest, len(rest))}
    streams |= {"text": (nothing, 0), "differences": (nothing, 0)}
    lines = ["aiws-delta 1", f"old {sha256(old)} {len(old)}", f"new {sha256(said)} {len(said)} {name}"]
    lines += [f"{which} {len(packed)} {size}" for which, (packed, size) in streams.items()]
    return ("\n".join(lines) + "\n\n").encode() + b"".join(packed for packed, _ in streams.values())


def named(old: bytes, name: str = ARCHIVE) -> str:
    """What a delta from an archive is called."""
    return f"{name}.from-{sha256(old)[:12]}.delta"


@dataclass
class Releases:
    """A server with releases, and a reader with a folder and a store of its own."""

    hub: GitHub
    root: Path
    said: list[str] = field(default_factory=list)

    def tag(self, number: int) -> str:
        return f"runtime-{number:012x}"

    def add(self, number: int, files: Mapping[str, bytes], *, listed: Mapping[str, bytes] | None = None) -> None:
        """Publish a release with its SHA256SUMS over `files`, or over what else is `listed`."""
        lines = sums.compose({name: sha256(content) for name, content in {**files, **(listed or {})}.items()})
        commit = f"{number:012x}" + "0" * 28
        self.hub.add_release(self.tag(number), {**files, sums.NAME: lines.encode()}, commit=commit)

    def chain(self, *numbers: int, **more: bytes) -> None:
        """Publish releases, each with a delta from the one before it."""
        for before, number in zip((None, *numbers), numbers, strict=False):
            files = {ARCHIVE: archive(number)}
            if before is not None:
                files[named(archive(before))] = delta(archive(before), archive(number))
            self.add(number, files)

    @property
    def session(self) -> Session:
        said = self.said

        class Heard(Silent):
            def say(self, text: str) -> None:
                said.append(text)

        env = {"GITHUB_API_URL": self.hub.api}
        return Session(None, self.root / "cache", env, Heard())

    def old(self, number: int, name: str = ARCHIVE) -> Path:
        """An archive at hand."""
        path = self.root / "old" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(archive(number))
        return path

    def downloads(self) -> list[str]:
        """The assets whose bytes were asked for."""
        names = {str(asset.id): name for one in self.hub.releases() for name, asset in one.assets.items()}
        asked = [seen.path.rpartition("/")[2] for seen in self.hub.asked("GET", "/releases/assets/")]
        return [names[number] for number in asked if names.get(number, sums.NAME) != sums.NAME]
