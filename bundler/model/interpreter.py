"""The Python that will run a wheelhouse on a target, as markers and wheel tags see it.

Markers: PEP 508 and the dependency-specifiers specification; tags: PEP 425, PEP 600 (manylinux) and packaging.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from packaging.markers import Environment
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.version import Version

# The oldest glibc that manylinux knows for each machine, and the pre-PEP 600 names of three of its versions.
_OLDEST_GLIBC = {"x86_64": 5, "aarch64": 17}
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


@dataclass(frozen=True)
class Interpreter:
    """CPython `version` (three numbers) on Linux `machine` (x86_64, aarch64) with glibc 2.`glibc_minor`."""

    version: str
    machine: str
    glibc_minor: int

    @property
    def minor(self) -> str:
        """The language version: `3.11` of `3.11.2`."""
        return ".".join(self.version.split(".")[:2])

    def at_patch(self, patch: int) -> Interpreter:
        """The same interpreter at another patch version."""
        return Interpreter(f"{self.minor}.{patch}", self.machine, self.glibc_minor)

    @property
    def patch(self) -> int:
        """The third number of the version."""
        return Version(self.version).micro

    def environment(self) -> Environment:
        """The marker environment. The kernel's release and version are unknown and left empty."""
        return {
            "implementation_name": "cpython",
            "implementation_version": self.version,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": self.version,
            "python_version": self.minor,
            "sys_platform": "linux",
        }

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        """Every wheel tag this interpreter accepts, the most specific first, as pip on the target orders them."""
        version = Version(self.version)
        numbers = (version.major, version.minor)
        short = f"cp{version.major}{version.minor}"
        platforms = list(self._platforms())
        return (
            *cpython_tags(numbers, abis=[short], platforms=platforms),
            *compatible_tags(numbers, interpreter=short, platforms=platforms),
        )

    def _platforms(self) -> Iterator[str]:
        for minor in range(self.glibc_minor, _OLDEST_GLIBC[self.machine] - 1, -1):
            yield f"manylinux_2_{minor}_{self.machine}"
            if minor in _LEGACY:
                yield f"{_LEGACY[minor]}_{self.machine}"
        yield f"linux_{self.machine}"
