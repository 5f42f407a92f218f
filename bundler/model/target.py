"""Targets: which distro, version and architecture a bundle is for, and the words people use to select them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bundler.errors import UsageError
from bundler.platforms import NAMES, canonical, name_for, spellings
from bundler.words import Arch

_SPELLINGS = spellings()
_SLUG = re.compile(r"-([0-9]+)-([0-9]+)(?=-|$)")  # a version as the names of locks spell it: ubuntu-22-04


@dataclass(frozen=True, order=True)
class Target:
    """One kind of host: `debian` `12` `amd64`, its platform's floor (on Linux, glibc's minor version) and its Python.

    `system_python` is the distro's own patch version, or None where it ships none that the components accept.
    `openssl` is the distro's OpenSSL, by the numbers that decide what runs with it (`3.0.x`), or None if nobody said.
    """

    distro: str
    version: str
    arch: Arch
    floor: int
    system_python: str | None
    openssl: str | None = None

    @property
    def name(self) -> str:
        """The target's spelling in every name people see: `debian-12-amd64`."""
        return f"{self.distro}-{self.version}-{self.arch}"

    @property
    def slug(self) -> str:
        """The name without dots, as PEP 751 wants it in `pylock.<name>.toml`."""
        return self.name.replace(".", "-")

    @property
    def host(self) -> str:
        """The host as one text: `debian 12 amd64`."""
        return f"{self.distro} {self.version} {self.arch}"

    @property
    def platform(self) -> str:
        """The name of its platform, `linux-amd64`, as archives have it that fit many distros."""
        return name_for(self.distro, self.arch)

    @cached_property
    def words(self) -> frozenset[str]:
        """Every selector that includes this target."""
        return frozenset(
            {"all", *self.platform.split("-"), self.platform, self.distro, f"{self.distro}-{self.arch}"}
            | {f"{self.distro}-{self.version}", self.name}
        )


def platform_of(name: str) -> str:
    """Return the platform of the target called `name`, such as `debian-12-amd64`. Raises ValueError if none can be."""
    platform = name_for(name.partition("-")[0], name.rpartition("-")[2])
    if platform not in NAMES:
        raise ValueError(f"{name[:100]!r} is not the name of a target")
    return platform


def select(targets: Sequence[Target], selectors: Sequence[str]) -> tuple[Target, ...]:
    """Return the targets that any selector includes, in the order of `targets`.

    Raises UsageError for a selector that includes none, naming the nearest words.
    """
    wanted = [_canonical(word) for word in selectors]
    known = sorted({word for target in targets for word in target.words})
    for asked, word in zip(selectors, wanted, strict=True):
        if word not in known:
            nearest = difflib.get_close_matches(word, known, n=3, cutoff=0.4)
            raise UsageError(
                f"unknown target {asked!r}",
                f"did you mean {' or '.join(nearest)}?" if nearest else f"one of: {', '.join(known)}",
            )
    return tuple(target for target in targets if not target.words.isdisjoint(wanted))


def selects(selectors: Sequence[str], target: Target) -> bool:
    """Say whether any selector includes `target`."""
    return not target.words.isdisjoint(map(_canonical, selectors))


def select_platforms(platforms: Sequence[str], targets: Sequence[Target], selectors: Sequence[str]) -> tuple[str, ...]:
    """Return those of `platforms` (such as `linux-amd64`) that any selector means, for archives that fit many distros.

    A selector of targets means their platforms; a platform's own word, its name and `all` mean what they say.
    """
    wanted: set[str] = set()
    for word in selectors:
        name = _canonical(word)
        chosen = {p for p in platforms if name in ("all", p, *p.split("-"))}
        wanted |= chosen or {target.platform for target in select(targets, [word])}
    return tuple(platform for platform in platforms if platform in wanted)


def _canonical(word: str) -> str:
    lowered = word.strip().lower()
    for spelling, arch in _SPELLINGS.items():
        if lowered == spelling or lowered.endswith(f"-{spelling}"):
            lowered = lowered.removesuffix(spelling) + arch
            break
    return canonical(_SLUG.sub(r"-\1.\2", lowered))
