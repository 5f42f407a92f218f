"""Debian packages and everything that they need, for hosts whose apt sees nothing else."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bundler.model.target import Target
from bundler.payloads.apt.choice import AptChoice
from bundler.payloads.apt.pins import INDEX, METADATA, PACKAGES, LockedPackages
from bundler.payloads.collection import CollectionChoice
from bundler.session import Network, Session

COLLECTION = "apt"
SAME = False
PLACES = (f"{PACKAGES}/", f"{METADATA}/")
PROGRAMS: tuple[str, ...] = ()
LINKS: tuple[str, ...] = ()
TEXTS = (INDEX,)
CHOICE = AptChoice
PINS = LockedPackages


def lock(choice: CollectionChoice, target: Target, session: Session, network: Network) -> LockedPackages:
    """Solve for a target with apt, from the archives as they are now.

    Raises IntegrityError if an archive is not to be trusted, LockError if apt cannot solve, UnreachableError.
    """
    from bundler.payloads.apt.locking import lock_packages  # loaded when something is locked

    if not isinstance(choice, AptChoice):
        raise TypeError(f"{type(choice)} is no choice of packages")
    with tempfile.TemporaryDirectory(prefix="aiws-bundle-keys-") as keys:
        return lock_packages(choice, target, session, network, Path(keys))
