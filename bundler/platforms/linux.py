"""Linux with glibc: every distro that no other platform claims. Its floor is glibc's minor version: 36 is 2.36."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from typing import Literal

from bundler.code.values import Code, Read, Tree
from bundler.words import Arch

WORD = "linux"
ALIASES: tuple[str, ...] = ()
CALLED: Mapping[str, Arch] = {}
OS_NAME = "posix"
SYS_PLATFORM = "linux"
PLATFORM_SYSTEM = "Linux"
SERVICES = "systemd"
PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MACHINES: Mapping[Arch, str] = {"amd64": "x86_64", "arm64": "aarch64"}
TRIPLES: Mapping[Arch, str] = {"amd64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
QEMU_USER = True
ELSEWHERE = "rehearse on a host of that kind"
RUNNERS: Mapping[Arch, str] = {"amd64": "ubuntu-24.04", "arm64": "ubuntu-24.04-arm"}
IMAGES = True
SOURCED = False
FLOOR_KEY = "glibc"
REHEARSED: Literal["root", "host"] = "root"
# manylinux promises what there would be to find, and auditwheel held whoever uploads to it.
JUDGES_CODE = False

# The oldest glibc that manylinux knows for each machine, and the pre-PEP 600 names of three of its versions.
_OLDEST: Mapping[Arch, int] = {"amd64": 5, "arm64": 17}
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
# Those that uv knows by name; a newer glibc runs every older wheel.
_UVS = (17, 28, *range(31, 41))

# ELF, 64 bits, little-endian; EI_OSABI: none named, as mostly, or GNU; e_type: executables, and shared objects, which
# position-independent executables are too; e_machine: the System V ABI,
# https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
_MAGIC = b"\x7fELF\x02\x01"
_ABIS = (0, 3)
_RUNS = (2, 3)
_FLOOR = re.compile(r"2\.(0|[1-9][0-9]?)")
_E_MACHINE: Mapping[Arch, int] = {"amd64": 62, "arm64": 183}


def floor_version(floor: int) -> str:
    """The version of glibc: `2.36`."""
    return f"2.{floor}"


def floor_of(version: str) -> int:
    """The minor version of a glibc version. Raises ValueError."""
    if not (match := _FLOOR.fullmatch(version)):
        raise ValueError("not a glibc version such as 2.36")
    return int(match[1])


def floor_name(floor: int) -> str:
    """What people call the oldest system that will do: `glibc 2.36`."""
    return f"glibc 2.{floor}"


def tags(arch: Arch, floor: int) -> Iterator[str]:
    """The platform tags of all wheels that it takes, the most specific first (PEP 600 and what came before it)."""
    for minor in range(floor, _OLDEST[arch] - 1, -1):
        yield f"manylinux_2_{minor}_{MACHINES[arch]}"
        if minor in _LEGACY:
            yield f"{_LEGACY[minor]}_{MACHINES[arch]}"
    yield f"linux_{MACHINES[arch]}"


def own_tag(arch: Arch, floor: int) -> str:
    """The tag of a wheel that is made here: one that claims nothing of the libraries that it needs."""
    return f"linux_{MACHINES[arch]}"


def resolver_word(arch: Arch, floor: int) -> str:
    """What uv calls it: the newest manylinux that both know."""
    return f"{MACHINES[arch]}-manylinux_2_{max((minor for minor in _UVS if minor <= floor), default=_UVS[0])}"


def resolver_environment(floor: int) -> Mapping[str, str]:
    """The variables that uv needs beside that word: none."""
    return {}


def is_program(head: bytes, arch: Arch) -> bool:
    """Say whether a file that begins with `head` is an ELF program or library for `arch`."""
    if not head.startswith(_MAGIC) or len(head) < 20:
        return False
    kind, machine = struct.unpack_from("<HH", head, 16)
    return head[7] in _ABIS and kind in _RUNS and machine == _E_MACHINE[arch]


def is_code(head: bytes) -> bool:
    """Nothing of it is judged."""
    return False


def read_code(read: Read, size: int) -> Code | None:
    """Nothing is read."""
    return None


def code_faults(tree: Tree, arch: Arch, floor: int | None) -> Iterator[tuple[str, str]]:
    """Nothing is found."""
    return iter(())
