"""An npm cache: what `npm install` needs to install named packages on a target without any network."""

from __future__ import annotations

from bundler.errors import UsageError
from bundler.model.target import Target
from bundler.payloads.collection import Collection, CollectionChoice
from bundler.payloads.npm.choice import NpmPackages
from bundler.payloads.npm.locked import LockedNpm
from bundler.payloads.npm.pins import PLACE
from bundler.session import Network, Session

COLLECTION = "npm"
SAME = False
PLACES = (PLACE,)
PROGRAMS: tuple[str, ...] = ()
LINKS: tuple[str, ...] = ()
TEXTS: tuple[str, ...] = ()
CHOICE = NpmPackages
PINS = LockedNpm


def lock(choice: CollectionChoice, target: Target, session: Session, network: Network) -> Collection:
    """Resolve the packages that a choice names, and pin what they need on a target. Raises BundleError."""
    from bundler.payloads.npm.locking import lock_packages  # large: loaded when something is locked

    if not isinstance(choice, NpmPackages):
        raise UsageError(f"{COLLECTION}: not a choice of npm packages")
    return lock_packages(choice, target, session, network)
