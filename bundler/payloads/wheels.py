"""Wheels, flat in one folder: what a host without an index installs from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from packaging.utils import canonicalize_name

from bundler.model.bundle import WHEELS, Entry, File, Slice
from bundler.model.contents import Contents
from bundler.model.inventory import Item
from bundler.model.locked_wheel import LockedWheel
from bundler.model.package_url import wheel_url
from bundler.model.pin import Pin
from bundler.model.verdict import Finding
from bundler.payloads.payload import Made, Parts, PathOf

SECTION = ""
PLACES = (f"{WHEELS}/",)
PROGRAMS: tuple[str, ...] = ()
LINKS: tuple[str, ...] = ()
TEXTS: tuple[str, ...] = ()
NOTED: Mapping[re.Pattern[str], Callable[[bytes], object]] = {}


@dataclass(frozen=True)
class Wheels:
    """The wheels that a lock pins."""

    wheels: tuple[LockedWheel, ...]

    def pins(self) -> Iterator[Pin]:
        """Each wheel."""
        return map(Pin.of_wheel, self.wheels)

    def made(self) -> tuple[Made, ...]:
        """Nothing: a wheel that is made is made by whoever pins its parts."""
        return ()

    def entries(self, at: PathOf, spool: BinaryIO) -> Iterator[Entry]:
        """Each wheel as it is in the store."""
        for wheel in self.wheels:
            content = Slice(str(at(wheel.sha256)), 0, wheel.size)
            yield File(f"{WHEELS}/{wheel.filename}", wheel.size, wheel.sha256, content)

    def items(self) -> Iterator[Item]:
        """Each wheel, as the lock knows it."""
        for wheel in self.wheels:
            path = f"{WHEELS}/{wheel.filename}"
            name, purl = canonicalize_name(wheel.project), wheel_url(wheel.project, wheel.version)
            who = ", ".join(map(str, wheel.publishers))
            yield Item(purl, "wheel", name, wheel.version, path, wheel.size, wheel.sha256, publisher=who)

    def findings(self, contents: Contents) -> Iterator[Finding]:
        """Whether exactly the locked wheels are there, flat."""
        if WHEELS not in contents.folders:
            yield Finding(f"missing: the folder {WHEELS}")
        there = {path: contents.files[path].sha256 for path in contents.below(f"{WHEELS}/")}
        for path in there:
            if path.count("/") != WHEELS.count("/") + 1 or not path.endswith(".whl"):
                yield Finding(f"surplus: {path}; {WHEELS} holds wheels, flat")
        locked = {f"{WHEELS}/{wheel.filename}": wheel.sha256 for wheel in self.wheels}
        for path in sorted(locked.keys() | there.keys()):
            if locked.get(path) != there.get(path):
                yield Finding(f"{path}: the lock inside says {locked.get(path)}, the file is {there.get(path)}")


def of(parts: Parts) -> Wheels:
    """The wheels of an archive."""
    return Wheels(parts.wheels)
