"""The Python that will run a wheelhouse on a target, as markers and wheel tags see it.

Markers: PEP 508 and the dependency-specifiers specification; tags: PEP 425 and packaging.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from packaging.markers import Environment
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.version import Version

from bundler.platforms import named


@dataclass(frozen=True)
class Interpreter:
    """CPython `version` (three numbers) on `platform` (`linux-amd64`), and the oldest system that it will run on.

    `floor` is that system as the platform counts: on Linux, glibc's minor version.
    """

    version: str
    platform: str
    floor: int

    @property
    def minor(self) -> str:
        """The language version: `3.11` of `3.11.2`."""
        return ".".join(self.version.split(".")[:2])

    def at_patch(self, patch: int) -> Interpreter:
        """The same interpreter at another patch version."""
        return replace(self, version=f"{self.minor}.{patch}")

    @property
    def patch(self) -> int:
        """The third number of the version."""
        return Version(self.version).micro

    @property
    def machine(self) -> str:
        """The kernel's and Python's word for the architecture."""
        platform, arch = named(self.platform)
        return platform.MACHINES[arch]

    def environment(self) -> Environment:
        """The marker environment. The kernel's release and version are unknown and left empty."""
        platform, _ = named(self.platform)
        return {
            "implementation_name": "cpython",
            "implementation_version": self.version,
            "os_name": platform.OS_NAME,
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": platform.PLATFORM_SYSTEM,
            "platform_version": "",
            "python_full_version": self.version,
            "python_version": self.minor,
            "sys_platform": platform.SYS_PLATFORM,
        }

    @property
    def tags(self) -> tuple[Tag, ...]:
        """Every wheel tag this interpreter accepts, the most specific first, as pip on the target orders them."""
        return _tags(self.minor, self.platform, self.floor)


@lru_cache(maxsize=64)
def _tags(minor: str, platform: str, floor: int) -> tuple[Tag, ...]:
    version = Version(minor)
    numbers = (version.major, version.minor)
    short = f"cp{version.major}{version.minor}"
    entry, arch = named(platform)
    platforms = list(entry.tags(arch, floor))
    return (
        *cpython_tags(numbers, abis=[short], platforms=platforms),
        *compatible_tags(numbers, interpreter=short, platforms=platforms),
    )
