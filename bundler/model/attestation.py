"""A provenance object: the attestations of one file that an index serves (PEP 740), and whose they are said to be."""

from __future__ import annotations

from bundler.model.json_text import parse_json
from bundler.model.publisher import PROVEN, Publisher

# One of PyPI's has 8 kB.
LARGEST_PROVENANCE = 1 << 20
_MOST_BUNDLES = _MOST_ATTESTATIONS = 16


class UnknownKindError(ValueError):
    """A kind of publisher that came later than this program: what it says cannot be verified."""


def read_provenance(content: bytes) -> tuple[Publisher, ...]:
    """Return the publishers that a provenance object names, none of them proven yet.

    Raises ValueError if it is no such object, UnknownKindError for publishers of a kind that is not known.
    """
    document = parse_json(content, LARGEST_PROVENANCE)
    if not isinstance(document, dict) or type(document.get("version")) is not int or document["version"] != 1:
        raise ValueError("it is no provenance object of version 1")
    bundles = document.get("attestation_bundles")
    if not isinstance(bundles, list) or not 0 < len(bundles) <= _MOST_BUNDLES:
        raise ValueError("it has no attestations, or far too many")
    return tuple(sorted({_publisher(bundle) for bundle in bundles}))


def _publisher(bundle: object) -> Publisher:
    told, attestations = (
        bundle.get(key) if isinstance(bundle, dict) else None for key in ("publisher", "attestations")
    )
    if not isinstance(attestations, list) or not 0 < len(attestations) <= _MOST_ATTESTATIONS:
        raise ValueError("a publisher has no attestations, or far too many")
    if not isinstance(told, dict):
        raise ValueError("it names no publisher")  # noqa: TRY004
    kind = told.get("kind")
    if isinstance(kind, str) and kind not in PROVEN:
        raise UnknownKindError(f"publishers of the kind {kind[:50]!r} are not known")
    return Publisher.told(told)
