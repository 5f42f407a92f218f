"""macOS. Its floor is the major version, from 11 on: 11 is macOS 11.0, the first for arm64."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from bundler.code.values import Code, Read, Slice, Tree
from bundler.words import Arch

WORD = "darwin"
ALIASES: tuple[str, ...] = ("macos",)
CALLED: Mapping[str, Arch] = {"apple-silicon": "arm64"}
OS_NAME = "posix"
SYS_PLATFORM = "darwin"
PLATFORM_SYSTEM = "Darwin"
SERVICES = "launchd"
# GNU's programs, which Homebrew may have installed under the same names, do not know what the system's do.
PROGRAMS = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:/opt/homebrew/bin"
MACHINES: Mapping[Arch, str] = {"amd64": "x86_64", "arm64": "arm64"}
TRIPLES: Mapping[Arch, str] = {"amd64": "x86_64-apple-darwin", "arm64": "aarch64-apple-darwin"}
QEMU_USER = False
ELSEWHERE = "rehearse it on a Mac with Apple silicon, or let the workflow's job do it (docs/rehearsal.md)"
RUNNERS: Mapping[Arch, str] = {"arm64": "macos-15"}
IMAGES = False
SOURCED = True
FLOOR_KEY = "macos"
REHEARSED: Literal["root", "host"] = "host"
JUDGES_CODE = True

_FLOOR = re.compile(r"(1[1-9]|[2-9][0-9])\.0")

# PLATFORM_MACOS of <mach-o/loader.h>.
_MACOS = 1
# Those whose kernel runs no code without a signature, and whose linkers always said which macOS it is for.
_STRICT: tuple[Arch, ...] = ("arm64",)
# What belongs to macOS itself (hier(7)). Most of it stands in a cache, not in files; /usr/local is the owner's.
_SYSTEMS = ("/usr/lib/", "/System/Library/")


def floor_version(floor: int) -> str:
    """The deployment target: `11.0`."""
    return f"{floor}.0"


def floor_of(version: str) -> int:
    """The major version of a deployment target. Raises ValueError."""
    if not (match := _FLOOR.fullmatch(version)):
        raise ValueError("not a macOS version such as 11.0, of 11 or later")
    return int(match[1])


def floor_name(floor: int) -> str:
    """What people call the oldest system that will do: `macOS 11`."""
    return f"macOS {floor}"


def tags(arch: Arch, floor: int) -> Iterator[str]:
    """The platform tags of all wheels that it takes, the most specific first, as `packaging` ranks them."""
    from packaging.tags import mac_platforms

    return mac_platforms((floor, 0), MACHINES[arch])


def own_tag(arch: Arch, floor: int) -> str:
    """The tag of a wheel that is made here."""
    return f"macosx_{floor}_0_{MACHINES[arch]}"


def resolver_word(arch: Arch, floor: int) -> str:
    """What uv calls it."""
    return TRIPLES[arch]


def resolver_environment(floor: int) -> Mapping[str, str]:
    """The variables that uv needs beside that word: the floor, which else is one that uv's versions differ in."""
    return {"MACOSX_DEPLOYMENT_TARGET": floor_version(floor)}


def is_program(head: bytes, arch: Arch) -> bool:
    """Say whether a file that begins with `head` is a Mach-O program or library for `arch`, alone or as a slice."""
    from bundler.code.macho import arches_in

    return arch in arches_in(head)


def is_code(head: bytes) -> bool:
    """Say whether a file that begins with `head` may be a Mach-O file."""
    from bundler.code.macho import is_macho

    return is_macho(head)


def read_code(read: Read, size: int) -> Code | None:
    """Read a Mach-O file; None if it holds nothing that is loaded."""
    from bundler.code.macho import read_macho

    return read_macho(read, size)


def code_faults(tree: Tree, arch: Arch, floor: int | None) -> Iterator[tuple[str, str]]:
    """What keeps a Mac with the macOS `floor` from loading the files of a tree; without one, nothing is too new."""
    from bundler.code.linking import missing_libraries

    fitting: dict[str, Slice] = {}
    for path, code in sorted(tree.code.items()):
        one = next((one for one in code.slices if one.arch == arch), None)
        if code.fault:
            yield path, f"it is not a Mach-O file that can be read: {code.fault}"
        elif one is None:
            yield path, f"it has no code for {MACHINES[arch]}"
        else:
            fitting[path] = one
            yield from ((path, fault) for fault in _faults(one, floor))
    for path, library in missing_libraries(tree, fitting, lambda whole: whole.startswith(_SYSTEMS)):
        yield path, f"it asks for {library}, which is neither in the archive nor macOS's own"


def _faults(one: Slice, floor: int | None) -> Iterator[str]:
    """What is wrong with the code for one architecture, all by itself."""
    strict = one.arch in _STRICT
    if one.system not in (_MACOS, None) or (strict and one.system is None):
        yield "it does not say that it is for macOS"
    elif floor is not None and one.minimum and one.minimum > (floor, 0, 0):
        version = ".".join(map(str, one.minimum)).removesuffix(".0")
        yield f"it is for macOS {version} and later, not for {floor_name(floor)}"
    if strict and not one.signed:
        yield f"it is not signed: {MACHINES[one.arch]} runs no such code"
    elif one.signature:
        yield f"its signature is wrong: {one.signature}"
