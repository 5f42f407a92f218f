"""`advisories.json`: what was known on a day of exactly the packages of a release, for hosts that can ask nobody.

Its contents are `model/snapshot`: large, so they are loaded when there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bundler.errors import IntegrityError
from bundler.model.sidecar import ADVISORIES, LARGEST_ADVISORIES, SidecarFacts
from bundler.model.verdict import Finding

OF: Final = "release"
NAME, LARGEST = ADVISORIES, LARGEST_ADVISORIES
_FEW = 5


def name(subject: str) -> str:
    """The file's name, the same on every release."""
    return NAME


def render(facts: SidecarFacts) -> bytes | None:
    """What lies in the folder; None if nothing does. Raises IntegrityError if that is too large."""
    return facts.there(NAME, LARGEST)


def findings(content: bytes | None, facts: SidecarFacts) -> Iterator[Finding]:
    """Yield that it is malformed, or, as a note, which packages of the archives it tells nothing of."""
    if content is None:
        return
    from bundler.model.advisories import packages_of
    from bundler.model.snapshot import parse

    try:
        known = parse(content)
    except IntegrityError as error:
        yield Finding(error.message)
        return
    held = {package for inventory in facts.inventories.values() for package in packages_of(inventory)}
    if missing := sorted(package for package in held if not known.covers(package)):
        named = ", ".join(f"{one.name} {one.version}" for one in missing[:_FEW])
        more = f" and {len(missing) - _FEW} more" if len(missing) > _FEW else ""
        yield Finding(f"{NAME}: of {known.made}, and tells nothing of {named}{more}", "note")
