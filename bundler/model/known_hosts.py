"""The hosts that are known: what each release of a distro is called, and what it ships.

`init` writes targets.yaml from here. `python` is the patch version that the release came with or has now, whichever is
older where it is maintained: what is locked for one holds for all later ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from bundler.model.target import Target
from bundler.model.targets_file import DistroEntry, TargetsFile
from bundler.words import Arch


@dataclass(frozen=True)
class KnownRelease:
    """A release of a distro: its suite's name, by which roots are made of it ("": none are), and what it ships."""

    suite: str
    ships: DistroEntry


# By distro and version, the newest last.
KNOWN: Mapping[str, Mapping[str, KnownRelease]] = {
    "debian": {
        "11": KnownRelease("bullseye", DistroEntry("3.9.2", glibc="2.31", openssl="1.1.x")),
        "12": KnownRelease("bookworm", DistroEntry("3.11.2", glibc="2.36", openssl="3.0.x")),
        "13": KnownRelease("trixie", DistroEntry("3.13.5", glibc="2.41", openssl="3.0.x")),
    },
    "ubuntu": {
        "22.04": KnownRelease("jammy", DistroEntry("3.10.12", glibc="2.35", openssl="3.0.x")),
        "24.04": KnownRelease("noble", DistroEntry("3.12.3", glibc="2.39", openssl="3.0.x")),
        "26.04": KnownRelease("resolute", DistroEntry("3.14.3", glibc="2.43", openssl="3.0.x")),
    },
    "macos": {
        "11": KnownRelease("", DistroEntry("portable", macos="11.0", arches=("arm64",))),
    },
}
_ARCHES: tuple[Arch, ...] = get_args(Arch)
# What is meant where nobody says: the newest of each distro, for the machine that most have.
USUAL: tuple[str, ...] = tuple(
    f"{distro}-{tuple(releases)[-1]}-{_ARCHES[0]}"
    for distro, releases in KNOWN.items()
    if all(release.suite for release in releases.values())
)


def known_targets() -> tuple[Target, ...]:
    """Every release that is known, for each architecture."""
    ships = {distro: {v: one.ships for v, one in releases.items()} for distro, releases in KNOWN.items()}
    return TargetsFile(ships, _ARCHES).targets()


def suite_of(distro: str, version: str) -> str:
    """The suite's name of a release; "" if it is not known."""
    found = KNOWN.get(distro, {}).get(version)
    return found.suite if found else ""
