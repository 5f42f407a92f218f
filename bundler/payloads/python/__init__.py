"""The Python of an archive: a portable CPython where the target's own will not do, else an empty folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from bundler.model.bundle import PYTHON, Entry, Folder
from bundler.model.contents import Contents
from bundler.model.inventory import Item
from bundler.model.package_url import package_url
from bundler.model.pin import Pin
from bundler.model.verdict import Finding
from bundler.payloads.payload import Made, Parts, PathOf, PythonPart

SECTION = ""
PLACES = (f"{PYTHON}/",)
PROGRAMS = LINKS = PLACES
TEXTS: tuple[str, ...] = ()
NOTED: Mapping[re.Pattern[str], Callable[[bytes], object]] = {}


@dataclass(frozen=True)
class Python:
    """The Python that the wheels are for, and the tree of a portable one."""

    part: PythonPart

    def pins(self) -> Iterator[Pin]:
        """The portable CPython's archive."""
        if pin := self.part.pin:
            name = f"portable CPython {self.part.version} for {self.part.platform}"
            yield Pin(name, pin.sha256, None, pin.address)

    def made(self) -> tuple[Made, ...]:
        """Nothing: the archive is taken as it is."""
        return ()

    def entries(self, at: PathOf, spool: BinaryIO) -> Iterator[Entry]:
        """The folder where installers look for a Python, and what a runtime needs of the portable one."""
        from bundler.payloads.python.tree import take_runtime  # large: loaded when an archive is made

        yield Folder(PYTHON)
        if pin := self.part.pin:
            part = self.part
            yield from take_runtime(at(pin.sha256), part.version, part.leave_out, part.platform, spool)

    def items(self) -> Iterator[Item]:
        """The portable CPython; its digest is that of the archive that it is taken from."""
        if self.part.portable:
            version = self.part.version
            path, purl = f"{PYTHON}/cpython-{version}", package_url("generic", "cpython", version)
            yield Item(purl, "python", "cpython", version, path, sha256=self.part.sha256)

    def findings(self, contents: Contents) -> Iterator[Finding]:
        """Whether a Python is there exactly if the wheels are for it, and its interpreter where installers look."""
        if PYTHON not in contents.folders:
            yield Finding(f"missing: the folder {PYTHON}")
        carried = contents.below(f"{PYTHON}/")
        for path in carried:
            if not path.startswith(f"{PYTHON}/cpython-{self.part.version}/"):
                yield Finding(f"surplus: {path}; {PYTHON} holds CPython {self.part.version}")
            if path.endswith("/EXTERNALLY-MANAGED"):
                yield Finding(f"surplus: {path} keeps pip from installing")
        if not self.part.portable:
            if carried:
                yield Finding(
                    f"surplus: {PYTHON} is not empty, so the installer would take a Python that the wheels are not for"
                )
            return
        program = f"/bin/python{self.part.version.rpartition('.')[0]}"
        if not any(path.endswith(program) and contents.files[path].executable for path in carried):
            yield Finding(f"missing: no executable …{program} below {PYTHON}, where the installer looks for it")


def of(parts: Parts) -> Python:
    """The Python of an archive; every archive has the place for one."""
    return Python(parts.python)
