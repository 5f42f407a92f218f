"""The systems that bundles are for: one file an entry, and the table that lists them.

A module that has what `Platform` asks for is a platform; with an architecture it has a name, such as `linux-amd64`.
What a system is called, which wheels it takes, what its programs look like: all of it stands in the entry's file, and
everything else asks the table. To add one, write its file and add it to `PLATFORMS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Protocol, TypeAlias, get_args

from pydantic import Field, StringConstraints

from bundler.code.values import Code, Read, Tree
from bundler.platforms import linux, macos
from bundler.words import Arch

Rehearsed: TypeAlias = Literal["root", "host"]


class Platform(Protocol):
    """A system: the words that others have for it, the wheels that it takes, and the look of its programs.

    `floor` is the oldest release of it that something must run on, as one number that each entry explains.
    """

    WORD: str
    """Its word in selectors and names of assets: letters and digits."""
    ALIASES: tuple[str, ...]
    """Other words for it in selectors; a target whose distro is called so is of this platform."""
    CALLED: Mapping[str, Arch]
    """Words for it with an architecture, as people say them of its machines: `apple-silicon`."""
    OS_NAME: str
    """PEP 508's `os_name`."""
    SYS_PLATFORM: str
    """PEP 508's `sys_platform`."""
    PLATFORM_SYSTEM: str
    """PEP 508's `platform_system`, which is also what uname(2) calls the system."""
    SERVICES: str
    """What runs services on it."""
    PROGRAMS: str
    """Where its own programs are, and then those of its operator: the PATH of install.sh."""
    MACHINES: Mapping[Arch, str]
    """PEP 508's `platform_machine`, which is also what uname(2) calls the machine."""
    TRIPLES: Mapping[Arch, str]
    """The target triple by which python-build-standalone names its archives."""
    QEMU_USER: bool
    """Whether qemu-user runs its programs on a machine of another architecture."""
    ELSEWHERE: str
    """What to do where nothing runs its programs: the end of a refusal to rehearse."""
    RUNNERS: Mapping[Arch, str]
    """The runner of GitHub for each architecture that has one."""
    IMAGES: bool
    """Whether a container's image is called as each of its distros is: `debian:12`."""
    SOURCED: bool
    """Whether its archives have `metadata/host.env`: there, nobody's installer tells pip where the wheels are."""
    REHEARSED: Rehearsed
    """Where its wheelhouses are rehearsed: in a `root` of a distro, or on a `host` of the kind, in its own sandbox."""
    JUDGES_CODE: bool
    """Whether anything is found of its compiled code, so that all of it has to be read."""
    FLOOR_KEY: str
    """The key of its floor in targets.yaml, locks and archives' manifest.json."""

    def floor_version(self, floor: int) -> str:
        """A floor as that key's value: `2.36`."""

    def floor_of(self, version: str) -> int:
        """The floor of such a value. Raises ValueError."""

    def floor_name(self, floor: int) -> str:
        """What people call the oldest system that will do: `glibc 2.36`."""

    def tags(self, arch: Arch, floor: int) -> Iterator[str]:
        """The platform tags (PEP 425) of all wheels that it takes, the most specific first."""

    def own_tag(self, arch: Arch, floor: int) -> str:
        """The platform tag of a wheel of programs that is made here of others' parts."""

    def resolver_word(self, arch: Arch, floor: int) -> str:
        """What uv calls it: the value of `--python-platform`."""

    def resolver_environment(self, floor: int) -> Mapping[str, str]:
        """The variables that uv needs beside that word."""

    def is_program(self, head: bytes, arch: Arch) -> bool:
        """Say whether a file that begins with `head` (up to `HEAD` bytes) is a program, or part of one, for it."""

    def is_code(self, head: bytes) -> bool:
        """Say whether a file that begins with `head` (up to `HEAD` bytes) may be code of it that `read_code` reads."""

    def read_code(self, read: Read, size: int) -> Code | None:
        """What a file of `size` bytes that `is_code` says may be one tells of itself; None if it is none."""

    def code_faults(self, tree: Tree, arch: Arch, floor: int | None) -> Iterator[tuple[str, str]]:
        """What keeps such a host from loading the files of a tree: the path of one, and what is wrong with it.

        Without a floor, nothing is too new.
        """


PLATFORMS: tuple[Platform, ...] = (linux, macos)

# How many bytes of a file say what it is.
HEAD = 64

_ARCHES: tuple[Arch, ...] = get_args(Arch)
_NAMED: dict[str, tuple[Platform, Arch]] = {f"{p.WORD}-{arch}": (p, arch) for p in PLATFORMS for arch in _ARCHES}
NAMES: tuple[str, ...] = tuple(_NAMED)
_CALLED: dict[str, str] = {
    word: f"{platform.WORD}-{arch}" for platform in PLATFORMS for word, arch in platform.CALLED.items()
}
# Every key that a floor can have.
FLOOR_KEYS: tuple[str, ...] = tuple(platform.FLOOR_KEY for platform in PLATFORMS)
_ALIASES: dict[str, str] = {alias: platform.WORD for platform in PLATFORMS for alias in platform.ALIASES}

_WORDS = f"({'|'.join(platform.WORD for platform in PLATFORMS)})"
# A platform's word, and its name: the word and an architecture.
PlatformWord: TypeAlias = Annotated[str, StringConstraints(pattern=f"^{_WORDS}$")]
PlatformName: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=f"^{_WORDS}-({'|'.join(_ARCHES)})$"),
    Field(title=f"{', '.join(NAMES[:-1])} or {NAMES[-1]}", examples=[NAMES[0]]),
]
# A platform's name where one of the table's first is called by its architecture alone, as python.yaml has it.
_SHORT: dict[str, str] = {name: name.removeprefix(f"{PLATFORMS[0].WORD}-") for name in NAMES}
ShortName: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=f"^({'|'.join(_SHORT.values())})$"),
    Field(title=f"{', '.join(tuple(_SHORT.values())[:-1])} or {tuple(_SHORT.values())[-1]}", examples=["amd64"]),
]

Runner: TypeAlias = Literal["native", "qemu-user", "nothing"]


def named(name: str) -> tuple[Platform, Arch]:
    """Return what a name such as `linux-amd64` means. Raises KeyError."""
    return _NAMED[name]


def name_for(distro: str, arch: str) -> str:
    """Return the name of the platform of a target's distro: the one that is called so too, else the table's first."""
    return f"{_ALIASES.get(distro, PLATFORMS[0].WORD)}-{arch}"


def platform_for(distro: str) -> Platform:
    """Return the platform of a target's distro."""
    return named(name_for(distro, _ARCHES[0]))[0]


def short(name: str) -> str:
    """Return the name of a platform as python.yaml has it: `amd64` of `linux-amd64`, `darwin-arm64` as it is."""
    return _SHORT[name]


def told(distro: str) -> Mapping[str, str]:
    """Return a target's distro as manifest.json of archives has it: consumers know a system by its platform's word."""
    word = _ALIASES.get(distro)
    return {"distro": distro} if word is None else {"os": word, "distro": word}


def distro_told(word: str) -> str:
    """Return which distro it is that `told` tells so."""
    return next((alias for alias in _ALIASES if told(alias)["distro"] == word), word)


def endings(distro: str, version: str, arch: str) -> tuple[str, ...]:
    """Return how names of archives for a host may end: with its name, or its platform's if that has no distros."""
    host = f"{distro}-{version}-{arch}"
    return (name_for(distro, arch), host) if distro in _ALIASES else (host,)


def image(distro: str, version: str) -> str:
    """Return the name of a distro's image for containers; "" if it has none."""
    return f"{distro}:{version}" if platform_for(distro).IMAGES else ""


def spellings() -> dict[str, Arch]:
    """Return what else people call an architecture: what uname(1) does on any platform, `x86-64`."""
    return {
        spelling: arch
        for platform in PLATFORMS
        for arch, machine in platform.MACHINES.items()
        for spelling in (machine, machine.replace("_", "-"))
        if spelling not in _ARCHES
    }


def canonical(word: str) -> str:
    """Return a selector in the table's own words: `macos-arm64` is `darwin-arm64`; others are left as they are."""
    if word in _CALLED:
        return _CALLED[word]
    system, dash, arch = word.partition("-")
    return f"{_ALIASES[system]}{dash}{arch}" if system in _ALIASES and arch in ("", *_ARCHES) else word


def marker(name: str) -> str:
    """Return the marker (PEP 508) that holds for CPython on the platform and no other, as locks' `environments` do."""
    platform, arch = named(name)
    return (
        f"sys_platform == '{platform.SYS_PLATFORM}' and platform_machine == '{platform.MACHINES[arch]}' "
        "and implementation_name == 'cpython'"
    )


def programs(head: bytes) -> tuple[str, ...]:
    """Return the names of all platforms that a file with this `head` (up to `HEAD` bytes) is a program for."""
    return tuple(name for name, (platform, arch) in _NAMED.items() if platform.is_program(head, arch))


def is_code(head: bytes) -> bool:
    """Say whether a file that begins with `head` (up to `HEAD` bytes) may be code that some platform judges."""
    return any(platform.is_code(head) for platform in PLATFORMS)


def read_code(head: bytes, read: Read, size: int) -> Code | None:
    """What a file of `size` bytes, beginning with `head`, tells of itself; None if it is no code that is judged."""
    found = next((platform for platform in PLATFORMS if platform.is_code(head)), None)
    return found.read_code(read, size) if found else None


def runner(name: str, system: str, machine: str) -> Runner:
    """Say what runs the platform's programs on a host, as its uname(2) calls `system` and `machine`."""
    platform, arch = named(name)
    if system != platform.PLATFORM_SYSTEM:
        return "nothing"
    if machine == platform.MACHINES[arch]:
        return "native"
    return "qemu-user" if platform.QEMU_USER else "nothing"
