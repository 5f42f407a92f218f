"""The npm cache that a lock pins: every package's file, and the cache's own files that are made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, BinaryIO, ClassVar

from pydantic import ConfigDict, Field

from bundler.model.bundle import Entry, File, Slice, text_file
from bundler.model.contents import Contents
from bundler.model.pin import Pin
from bundler.model.verdict import Finding
from bundler.payloads.npm.cache import KEPT, TEMPORARY
from bundler.payloads.npm.pins import CONFIG, PLACE, Closure
from bundler.payloads.payload import Made, PathOf, Workbench
from bundler.words import Sha256


@dataclass(frozen=True)
class Metadata:
    """The cache's own files, its index and what it says of each package: what they are made as, one file.

    `listing` is the SHA-256 (hex) of their list in the archive, which is as sha256sum(1) writes it, sorted by path.
    """

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    size: Annotated[int, Field(gt=0, lt=1 << 30)]
    sha256: Sha256
    listing: Sha256


@dataclass(frozen=True)
class LockedNpm(Closure):
    """An npm cache: the packages' files, and its own files, which are made of them."""

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    metadata: Metadata

    def made(self) -> tuple[Made, ...]:
        """The cache's own files, in one."""
        pin = Pin("the npm cache's index", self.metadata.sha256, self.metadata.size, "")
        return (Made(pin, partial(_write, self)),)

    def entries(self, at: PathOf, spool: BinaryIO) -> Iterator[Entry]:
        """Each package's file as it is in the store, and the cache's own files."""
        from bundler.payloads.npm.metadata import read_metadata  # large: loaded when a package is made

        for one in {one.place: one for one in self.packages}.values():
            yield File(one.place, one.size, one.sha256, Slice(str(at(one.sha256)), 0, one.size))
        for path, content in read_metadata(at(self.metadata.sha256)).items():
            yield text_file(PLACE + path, content)
        yield text_file(PLACE + TEMPORARY, KEPT)

    def findings(self, contents: Contents) -> Iterator[Finding]:
        """Whether exactly the locked files are there."""
        there = {path: contents.files[path] for path in contents.below(PLACE)}
        kept = there.get(PLACE + TEMPORARY)
        if kept is None or kept.sha256 != hashlib.sha256(KEPT).hexdigest():
            yield Finding(f"{PLACE + TEMPORARY}: missing or different; without it only root has a cache")
        for one in self.packages:
            found = there.get(one.place)
            if found is None:
                yield Finding(f"missing: {one.place} ({one.name} {one.version})")
            elif (found.sha256, found.size) != (one.sha256, one.size):
                yield Finding(f"{one.place}: the lock inside says {one.sha256}, the file is {found.sha256}")
        for path in sorted(path for path, file in there.items() if file.executable or file.link is not None):
            yield Finding(f"{path}: a file of an npm cache is neither executable nor a link")
        own = there.keys() - {one.place for one in self.packages} - {PLACE + TEMPORARY}
        if listing((path, str(there[path].sha256)) for path in own) != self.metadata.listing:
            yield Finding(
                f"{PLACE}: {len(own)} files are no package's; they are not the index and the packages' descriptions "
                "that the lock inside pins: one is missing, surplus or different"
            )


def listing(digests: Iterable[tuple[str, str]]) -> str:
    """The SHA-256 (hex) of a list of files: their paths and digests."""
    lines = (f"{sha256}  {path}\n" for path, sha256 in sorted(digests))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _write(locked: LockedNpm, bench: Workbench, out: BinaryIO) -> None:
    from bundler.adapters.npm import default_registry
    from bundler.adapters.process import run
    from bundler.payloads.npm.metadata import write_metadata

    write_metadata(locked, default_registry(bench.session.env, run), bench.at, out)
