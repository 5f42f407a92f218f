"""Where releases stand whose repository nobody named: in the one that the manifests of what they hold say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bundler.errors import UsageError
from bundler.kinds.kind import Component, Home
from bundler.kinds.manifests import Manifests
from bundler.model.release import parse_address, parse_tag
from bundler.words import TAG_PATTERN

_OWN = re.compile(f"@({TAG_PATTERN})")
_NAME_IT = "name it: --repo OWNER/REPO, or OWNER/REPO@TAG"


def home_of(manifests: Manifests | None, tag: str) -> Home:
    """Where a release called `tag` is to stand, and what is to follow it. Raises UsageError if that is not one place.

    What moves is followed only if all of its manifests say the same.
    """
    if manifests is None:
        raise UsageError(f"in which repository is {tag}? There are no manifests here to say", _NAME_IT)
    homes = {one.name: one.home for one in released_as(manifests, tag) if one.home}
    repositories = sorted({home.repository for home in homes.values()})
    if len(repositories) != 1:
        said = f"the manifests of {', '.join(homes)} say {' and '.join(repositories)}" if homes else "no manifest says"
        raise UsageError(f"in which repository is {tag}? {said}", _NAME_IT)
    channels = {home.channel for home in homes.values()}
    if len(channels) > 1:
        raise UsageError(
            f"the manifests of {', '.join(homes)} disagree on what follows {tag}", "give --channel or --no-channel"
        )
    return Home(repositories[0], channels.pop())


def released_as(manifests: Manifests, tag: str) -> Iterator[Component]:
    """The components whose archives a release called `tag` holds: those of a kind that claims it, else of any other."""
    prefixes = {name: manifests.kinds[name].TAG_PREFIX for name, one in manifests.components.items() if one.released}
    claimed = {prefix for prefix in prefixes.values() if prefix and tag.startswith(prefix)} or {""}
    yield from (manifests.components[name] for name, prefix in prefixes.items() if prefix in claimed)


def address_of(word: str, manifests: Callable[[], Manifests | None]) -> tuple[str, str] | None:
    """Take `OWNER/REPO@TAG` apart, or `@TAG` of the manifests' own repository; None if it is something else.

    Raises UsageError.
    """
    if not (own := _OWN.fullmatch(word)):  # @~1 is a revision of git's
        return parse_address(word)
    tag = parse_tag(own[1])
    return home_of(manifests(), tag).repository, tag


def addresses(words: Sequence[str], manifests: Manifests | None) -> dict[str, tuple[str, str]]:
    """Those words that name releases, and no files, with what they name. Raises UsageError."""
    found = {word: address_of(word, lambda: manifests) for word in words if not Path(word).exists()}
    return {word: address for word, address in found.items() if address}
