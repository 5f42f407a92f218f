"""What the sidecars of a release, or of a folder, find wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from bundler.errors import IntegrityError, UsageError
from bundler.model.sidecar import SidecarFacts, UnreadError
from bundler.model.verdict import Finding
from bundler.sidecars import SIDECARS, facts_of, subjects_of

# Brings the bytes of a file by its name, of at most so many. Raises IntegrityError, UsageError.
Text = Callable[[str, int], bytes]


def findings(there: SidecarFacts, text: Text) -> Iterator[Finding]:
    """Yield what is wrong by every sidecar of the table, whether it is there or not. Raises what `text` does."""
    due = [(sidecar, subject) for sidecar in SIDECARS for subject in subjects_of(sidecar, there)]
    limits = {sidecar.name(subject): sidecar.LARGEST for sidecar, subject in due}

    def read(name: str) -> Iterator[bytes]:
        small = name in limits and name in there.files
        return iter((text(name, limits[name]),)) if small else there.read(name)

    facts = replace(there, read=read)
    for sidecar, subject in due:
        name = sidecar.name(subject)
        try:
            content = text(name, sidecar.LARGEST) if name in there.files else None
            yield from sidecar.findings(content, facts_of(sidecar, subject, facts))
        except (IntegrityError, UsageError) as error:
            yield Finding(error.message)
        except UnreadError:
            yield Finding(f"{name}: not compared, as what it is of is not at hand", "note")
