"""What the all-in-one package has beside its parts. `COLLECTIONS` is the only place that lists it, a line an entry."""

from __future__ import annotations

from bundler.payloads import apt, browsers, files, images, npm, repository
from bundler.payloads.collection import CollectionModule

COLLECTIONS: tuple[CollectionModule, ...] = (
    repository,
    apt,
    npm,
    files,
    browsers,
    images,
)
