"""What a wheelhouse's archive was made of, as its own manifest.json and lock tell."""

from __future__ import annotations

import hashlib

from bundler.kinds.wheelhouse.lock import Lock
from bundler.kinds.wheelhouse.members import archive_manifest
from bundler.model.bundle import LOCK, MANIFEST
from bundler.model.contents import Head
from bundler.model.materials import Material, Materials, materials_of, of_wheel
from bundler.platforms import short


def materials(head: Head) -> Materials:
    """The materials of an archive that begins so. Raises IntegrityError, LockError."""
    facts = archive_manifest.parse(head.texts.get(MANIFEST, b""))
    text = head.texts.get(LOCK, b"")
    lock = Lock.inside(text)
    items = {Material("lock", LOCK, hashlib.sha256(text).hexdigest()), *map(of_wheel, lock.wheels)}
    items |= set(materials_of(pin for _, pinned in lock.sections for pin in pinned.pins()))
    if source := lock.source:
        items |= {Material("file", f"source of {facts.component}", source.sha256)}
        items |= {Material("repository", facts.component, source.commit)}
    return Materials(
        command="build",
        component=facts.component,
        target=facts.target,
        epoch=head.epoch,
        inputs=facts.inputs,
        portable=short(facts.interpreter.platform) if facts.python.source == "portable" else "",
        items=tuple(sorted(items)),
    )
