"""The kinds of components that a manifest may describe. `KINDS` is the only place that lists them: a line an entry."""

from __future__ import annotations

from pathlib import Path

from bundler.adapters.read_archive import read_first, read_head
from bundler.errors import BundleError, IntegrityError, LockError
from bundler.kinds import offline, prebuilt, wheelhouse
from bundler.kinds.beginning import Beginner, begins
from bundler.kinds.kind import Job, Kind, Said
from bundler.model.contents import Head
from bundler.model.inventory import Inventory
from bundler.model.json_text import parse_json
from bundler.model.materials import Materials

KINDS: tuple[Kind, ...] = (
    wheelhouse,
    prebuilt,
    offline,
)
# Those that can begin a component, of what somebody wants to ship.
BEGINNERS: tuple[Beginner, ...] = tuple(kind for kind in KINDS if begins(kind))
_LARGEST_MANIFEST = 8 << 20
# Where archives say what they are, the most common place first.
_PLACES = tuple(dict.fromkeys(kind.MANIFEST for kind in KINDS))


def kind_of(path: Path, name: str) -> Kind:
    """The kind of an archive, called `name`, as its manifest.json tells; the first of the table if nothing does."""
    return _claimed(*_manifest(path, name))


def said_of(path: Path) -> Said:
    """What an archive of any kind says of itself; nothing if it is none. Raises OSError."""
    place, content = _manifest(path, path.name)
    try:
        return _claimed(place, content).said(content)
    except BundleError:
        return Said()


def held_in(path: Path, name: str) -> Inventory:
    """What an archive of any kind, called `name`, says that it holds: only its beginning is read, nothing is judged.

    Raises IntegrityError if it is none or does not say, OSError.
    """
    place, content = _manifest(path, name)
    if not place:
        raise IntegrityError(f"{name}: does not say what it holds", "is it an archive that aiws-bundle made?")
    kind = _claimed(place, content)
    return kind.held(_head(path, name, kind))


def _head(path: Path, name: str, kind: Kind) -> Head:
    return read_head(path, name, kind.RECORDS, _LARGEST_MANIFEST)


def _manifest(path: Path, name: str) -> tuple[str, bytes]:
    """Where an archive says what it is, and what it says; nothing if there is nothing to be read."""
    try:
        return read_first(path, name, _PLACES, _LARGEST_MANIFEST) or ("", b"")
    except BundleError:
        return "", b""


def _claimed(place: str, content: bytes) -> Kind:
    try:
        facts = parse_json(content, _LARGEST_MANIFEST)
    except ValueError:
        return KINDS[0]
    words = facts if isinstance(facts, dict) else {}
    return next((kind for kind in KINDS if place == kind.MANIFEST and kind.claims(words)), KINDS[0])


def inputs_of(path: Path) -> str:
    """The inputs that an archive of any kind says it was made from; "" if it does not say. Raises OSError."""
    return said_of(path).inputs


def materials_of(path: Path, name: str = "") -> Materials | None:
    """What an archive, called `name` if not as its file, says it was made of; None if others made it.

    Only its beginning is read. Raises IntegrityError if it does not say, OSError.
    """
    name = name or path.name
    kind = kind_of(path, name)
    try:
        return kind.materials(_head(path, name, kind))
    except LockError as error:
        raise IntegrityError(error.message) from error


def recorded_job(path: Path, name: str) -> Job:
    """The work of making an archive, called `name`, anew of what it says of itself.

    Raises UsageError if that is not all that it takes, IntegrityError, OSError.
    """
    kind = kind_of(path, name)
    try:
        return kind.recorded(name, _head(path, name, kind))
    except LockError as error:
        raise IntegrityError(error.message) from error
