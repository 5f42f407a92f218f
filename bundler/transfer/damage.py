"""What is wrong with the volumes of a set, as what stands beside them tells, and what to do about it.

That is the list of their digests; where it is lost or damaged itself, recovery files tell digests too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from bundler.adapters.digest import md5_of, sha256_of
from bundler.adapters.par2 import recovery_files
from bundler.adapters.par2_packets import recovery_sets
from bundler.errors import BundleError, IntegrityError
from bundler.transfer.volumes import DIGESTS, base_of, listed, there, volume_name

# name of a volume -> what is wrong with it.
Faults = Mapping[str, str]

SURPLUS = "does not belong to it"
MISSING, DAMAGED = "is missing", "is damaged"
_MOST_TOLD = 20
ANEW = "copy it anew from where the set is kept"


@dataclass(frozen=True)
class Told:
    """The digests of a set's volumes, by name; which file tells them, and how; what is wrong with the list."""

    digests: Mapping[str, str]
    source: str = ""
    digest_of: Callable[[Path], str] = sha256_of
    fault: str = ""


def told(base: Path) -> Told:
    """What is told of a set's volumes beside them; no digests if nothing is. Raises OSError."""
    fault = ""
    try:
        if digests := _own(base, listed(base)):
            return Told(digests, f"{base.name}{DIGESTS}")
    except IntegrityError as error:
        fault = error.message
    if names := recovery_files(base.parent, base.name):
        with suppress(BundleError):  # of no use: that is told when a repair is tried
            found = recovery_sets([base.parent / name for name in names], own_names(base))[0]
            digests = _own(base, {name: found.files[name].md5 for name in sorted(found.files)})
            return Told(digests, names[0], md5_of, fault)
    return Told({}, fault=fault)


def own_names(base: Path) -> re.Pattern[str]:
    """How a set's volumes may be called."""
    return re.compile(rf"{re.escape(base.name)}(\.[0-9]{{3}})?")


def _own(base: Path, digests: Mapping[str, str]) -> Mapping[str, str]:
    """The same, unless they are of volumes that were put together since."""
    return {} if base.is_file() and base.name not in digests else digests


def absent(base: Path, digests: Mapping[str, str]) -> Faults:
    """What of a set is missing or too much, by names: those of `digests`, else as the highest number tells."""
    volumes = there(base)
    last = 0 if base.name in volumes else max((int(name[-3:]) for name in volumes), default=0)
    wanted = digests or ([volume_name(base.name, number) for number in range(1, last + 1)] if last else volumes)
    found = {name: _lacking(base.parent / name) for name in wanted if name not in volumes}
    return found | {name: SURPLUS for name in volumes if name not in wanted}


def _lacking(path: Path) -> str:
    return "is no regular file" if path.exists() or path.is_symlink() else MISSING


def faults(base: Path, known: Told, advance: Callable[[int], None] = lambda size: None) -> Faults:
    """What is wrong with a set's volumes, as far as it is told: each is read."""
    found, volumes = dict(absent(base, known.digests)), there(base)
    for name, wanted in known.digests.items():
        if name not in volumes:
            continue
        try:
            if known.digest_of(volumes[name]) != wanted:
                found[name] = DAMAGED
        except OSError as error:
            found[name] = f"cannot be read: {error.strerror}"
        advance(volumes[name].stat().st_size)
    return dict(sorted(found.items()))


def refuse_damaged(path: Path, advance: Callable[[int], None]) -> None:
    """Compare a set's volumes with what is told of them. Raises IntegrityError for any fault, of the list too."""
    base = base_of(path)
    known = told(base)
    if (found := faults(base, known, advance)) or known.fault:
        raise refused(base, found, known)


def refused(base: Path, found: Faults, known: Told) -> IntegrityError:
    """The error for a set with faults."""
    return IntegrityError(f"{base} is not whole{fault_lines(found, known.fault)}", _advice(base, found, known))


def explained(path: Path, error: IntegrityError) -> IntegrityError:
    """The same error with the volumes that are to blame, if digests tell, and what to do about it."""
    base = base_of(path)
    known = told(base)
    found = faults(base, known)
    more = {name: fault for name, fault in found.items() if f"{name} {fault}" not in error.message}
    lines = fault_lines(more, known.fault)
    return IntegrityError(f"{error.message}{lines}", _advice(base, found, known))


def fault_lines(found: Faults, more: str = "") -> str:
    """Faults as lines of a message, the first of very many, and `more` to be told."""
    lines = [*(f"{name} {fault}" for name, fault in found.items()), *([more] if more else [])]
    rest = len(lines) - _MOST_TOLD
    return "".join(f"\n  - {one}" for one in [*lines[:_MOST_TOLD], *([f"… and {rest} more"] if rest > 0 else [])])


def _advice(base: Path, found: Faults, known: Told) -> str:
    """What to do about a set with faults, or whose content is not what it says."""
    if found and set(found.values()) == {SURPLUS}:
        return f"move {', '.join(found)} away: of another set, or left from one before"
    if known.digests and not found and not known.fault:
        return f"all digests in {known.source} agree: it was made so"
    if known.fault and known.digests and not found:
        return f"the volumes are as {known.source} tells: copy the list anew, or remove it"
    if names := recovery_files(base.parent, base.name):
        themselves = f"`par2 repair {as_word(base.parent / names[0])}`"
        return f"`aiws-bundle emit {as_word(base)} --repair`, or the volumes themselves: {themselves}"
    if known.fault and not found:
        return "copy the list anew, or remove it: what is taken out is compared with digests in the set all the same"
    return ANEW


def as_word(path: Path) -> str:
    """A path as a word of a command, which is no option."""
    text = str(path)
    return quote(f"./{text}" if text.startswith("-") else text)
