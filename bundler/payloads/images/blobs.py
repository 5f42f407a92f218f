"""The blobs of an image, brought into the store from its registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bundler.adapters.image_tar import Part
from bundler.adapters.registry import Registry
from bundler.fetch import blob_of, from_store
from bundler.model.pin import Pin
from bundler.session import Session


class BlobPin(Protocol):
    """A blob by its digest, with and without the algorithm, and its size in bytes."""

    @property
    def digest(self) -> str:
        """The digest, `sha256:` and 64 hexadecimal digits."""

    @property
    def sha256(self) -> str:
        """The hexadecimal digits alone."""

    @property
    def size(self) -> int:
        """The size in bytes."""


def fetch_blobs(blobs: Sequence[BlobPin], what: str, registry: Registry | None, session: Session) -> list[Part]:
    """Bring the blobs of an image, which errors call `what`, into the store; without a registry they have to be there.

    Raises UnreachableError, IntegrityError.
    """
    store, parts = session.store(), []
    with session.progress.task(what, sum(blob.size for blob in blobs), brief=True) as task:
        for blob in blobs:
            pin = Pin(f"{what}, {blob.digest}", blob.sha256, blob.size, "")
            if registry is None:
                path = from_store(store)(pin)
            else:
                path = store.fetch(blob_of(pin), iter([registry.blob_address(blob.digest)]), registry, task)
            parts.append(Part(blob.sha256, blob.size, path))
    return parts
