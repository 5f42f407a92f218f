"""The kinds of components that a manifest may describe. `KINDS` is the only place that lists them: a line an entry."""

from __future__ import annotations

from pathlib import Path

from bundler.adapters.read_archive import read_first
from bundler.errors import BundleError
from bundler.kinds import offline, prebuilt, wheelhouse
from bundler.kinds.kind import Kind, Said
from bundler.model.json_text import parse_json

KINDS: tuple[Kind, ...] = (
    wheelhouse,
    prebuilt,
    offline,
)
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
