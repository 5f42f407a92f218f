"""What the sidecars of a release, or of a folder, find wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from bundler.adapters.regular import chunks
from bundler.errors import IntegrityError, UsageError
from bundler.kinds import materials_of
from bundler.model.materials import Materials
from bundler.model.sidecar import SidecarFacts, UnreadError
from bundler.model.verdict import Finding
from bundler.sidecars.table import SIDECARS, facts_of_each, subjects_of

# Brings the bytes of a file by its name, of at most so many. Raises IntegrityError, UsageError.
Text = Callable[[str, int], bytes]


def findings(there: SidecarFacts, text: Text, of: Literal["archive", ""] = "") -> Iterator[Finding]:
    """Yield what is wrong by every sidecar of the table, whether it is there or not, or by those `of` archives alone.

    Raises what `text` does.
    """
    asked = [sidecar for sidecar in SIDECARS if of in ("", sidecar.OF)]
    limits = {sidecar.name(subject): sidecar.LARGEST for sidecar in asked for subject in subjects_of(sidecar, there)}

    def read(name: str) -> Iterator[bytes]:
        small = name in limits and name in there.files
        return iter((text(name, limits[name]),)) if small else there.read(name)

    facts = replace(there, read=read)
    for sidecar, (subject, own) in ((one, each) for one in asked for each in facts_of_each(one, facts)):
        name = sidecar.name(subject)
        try:
            content = text(name, sidecar.LARGEST) if name in there.files else None
            yield from sidecar.findings(content, own)
        except (IntegrityError, UsageError) as error:
            yield Finding(error.message)
        except UnreadError:
            yield Finding(f"{name}: not compared, as what it is of is not at hand", "note")


def reading(told: SidecarFacts, at_hand: Callable[[str], Path | None]) -> SidecarFacts:
    """The same facts, and how files are read: `at_hand` finds one by its name, None for what is not there."""

    def found(name: str) -> Path:
        path = at_hand(name)
        if path is None:
            raise UnreadError(name)
        return path

    def read(name: str) -> Iterator[bytes]:
        return chunks(found(name))

    def materials(name: str) -> Materials | None:
        return materials_of(found(name), name)

    return replace(told, read=read, materials=materials)
