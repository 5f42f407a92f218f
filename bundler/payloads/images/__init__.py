"""Container images: each one a tar below packages/images that `docker load` takes, made without a container engine.

A registry is asked for a tag when it is locked, and for digests ever after.
"""

from __future__ import annotations

from bundler.model.target import Target
from bundler.payloads.collection import CollectionChoice
from bundler.payloads.images.choice import PLACE, Images
from bundler.payloads.images.pins import LockedImages
from bundler.session import Network, Session

COLLECTION = "images"
SAME = False
PLACES = (PLACE,)
PROGRAMS: tuple[str, ...] = ()
LINKS: tuple[str, ...] = ()
TEXTS: tuple[str, ...] = ()
CHOICE = Images
PINS = LockedImages


def lock(choice: CollectionChoice, target: Target, session: Session, network: Network) -> LockedImages:
    """Find out which image each tag means for the target, fetch it, and pin it and the tar that it makes.

    Raises LockError if there is none for the target or it cannot be loaded everywhere, IntegrityError if the registry
    says something else than it has, UnreachableError.
    """
    from bundler.payloads.images.locking import lock_image  # large: loaded when something is locked

    images = choice.images if isinstance(choice, Images) else ()
    found = [lock_image(one, target, session, network) for one in images if one.is_for(target)]
    return LockedImages(tuple(sorted(found, key=lambda one: one.name)))
