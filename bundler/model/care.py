"""What to look at twice when a file takes another's place: signs that it may not come from whom the other came from.

None of them proves anything; each asks for a look. The loudest come first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from bundler.model.changes import targets_of
from bundler.sizes import size_text

if TYPE_CHECKING:  # every command's start loads this module
    from bundler.model.locked_wheel import LockedWheel

# In the order in which they are told.
Sign: TypeAlias = Literal["rebuilt", "yanked", "publisher changed", "attestation lost", "startup files", "grew", "new"]
_RANK = {sign: rank for rank, sign in enumerate(get_args(Sign))}
_WHY: dict[Sign, str] = {
    "rebuilt": "the same version and file name, other bytes: nobody should ever do that; compare the two",
    "yanked": "its makers withdrew it",
    "publisher changed": "who takes a project over publishes it from elsewhere; did its makers say that they moved?",
    "attestation lost": "nothing proves any more where it was built: a stolen token can upload without",
    "startup files": "Python runs them at every start, whatever is started; read them",
    "grew": "more than twice as large; look at what came with it",
    "new": "nothing led to it before; see who makes it, and what asks for it",
}
# So much more is a jump, if it is also more than twice as much.
_JUMP = 5_000_000
_SHOWN_DIGITS = 12


@dataclass(frozen=True)
class Held:
    """One file of a project that is locked. `own`: it is built or made here, of what is locked itself.

    `startup` are files in it that Python runs when it starts; None: not known.
    """

    project: str
    version: str
    filename: str
    size: int
    sha256: str
    publisher: str = ""
    startup: tuple[str, ...] | None = None
    own: bool = False

    @classmethod
    def of_wheel(cls, wheel: LockedWheel, startup: tuple[str, ...] | None = None) -> Held:
        """A wheel that a lock pins."""
        from bundler.model.wheel_name import is_made  # large: loaded where wheels are compared

        publisher = ", ".join(map(str, wheel.publishers))
        own = wheel.source is not None or is_made(wheel.filename)
        return cls(wheel.project, wheel.version, wheel.filename, wheel.size, wheel.sha256, publisher, startup, own)


@dataclass(frozen=True)
class Concern:
    """One sign: of which project, what was there before and what is now, and why that matters."""

    sign: Sign
    project: str
    before: str
    after: str
    why: str

    def __str__(self) -> str:
        """The sign in one line, for people."""
        return f"{self.sign}: {self.project}: {self.before} -> {self.after}: {self.why}"


def concerns_between(
    before: Iterable[Held], after: Iterable[Held], unverified: Mapping[str, str] = MappingProxyType({})
) -> tuple[Concern, ...]:
    """The signs in what takes the place of `before`; none where there was nothing.

    `unverified` says of projects why their publishers are not known, though they have attestations.
    """
    old = {one.project: one for one in before}
    pairs = ((old.get(one.project), one) for one in after)
    found = (concern for was, one in pairs if old for concern in _signs(was, one, unverified.get(one.project, "")))
    return ranked(found)


def ranked(concerns: Iterable[Concern]) -> tuple[Concern, ...]:
    """The loudest first, then by project."""
    return tuple(sorted(concerns, key=lambda one: (_RANK[one.sign], one.project)))


def yanked(before: Iterable[Held], after: Iterable[Held], reasons: Mapping[str, str]) -> Iterator[Concern]:
    """That files which were locked have been yanked since, for `reasons`, by SHA-256; and what came in their place."""
    now = {one.project: one.version for one in after}
    for was in before:
        if was.sha256 in reasons:
            why = f"{_WHY['yanked']}: {reasons[was.sha256]}"
            yield Concern("yanked", was.project, was.version, now.get(was.project, "none"), why)


def _signs(was: Held | None, one: Held, unverified: str) -> Iterator[Concern]:
    if was is None:
        yield _concern("new", one, "none", one.version)
    elif was.sha256 != one.sha256:
        yield from _changed(was, one, unverified)
    if one.startup and (was is None or was.sha256 != one.sha256 or was.startup is not None):
        had = was.startup if was else ()
        if appeared := [name for name in one.startup if name not in (had or ())]:
            told = "not known" if had is None else ", ".join(had) or "none"
            yield _concern("startup files", one, told, ", ".join(appeared))


def _changed(was: Held, one: Held, unverified: str) -> Iterator[Concern]:
    if (was.version, was.filename) == (one.version, one.filename) and not one.own:
        yield _concern("rebuilt", one, *(f"{one.version} sha256 {it.sha256[:_SHOWN_DIGITS]}" for it in (was, one)))
    if was.publisher and one.publisher not in ("", was.publisher):
        yield _concern("publisher changed", one, was.publisher, one.publisher)
    elif was.publisher and not one.publisher and not one.own:
        yield _concern("attestation lost", one, was.publisher, f"not verified: {unverified}" if unverified else "none")
    if one.size > 2 * was.size and one.size - was.size > _JUMP:
        yield _concern("grew", one, *(size_text(it.size) for it in (was, one)))


def _concern(sign: Sign, one: Held, before: str, after: str) -> Concern:
    return Concern(sign, one.project, before, after, _WHY[sign])


def shared_concerns(
    concerns: Iterable[tuple[str, Sequence[Concern]]],
) -> tuple[tuple[Concern, tuple[str, ...]], ...]:
    """Each sign once, with the targets that show it, the loudest first."""
    targets = targets_of(concerns)
    return tuple((concern, targets[concern]) for concern in ranked(targets))
