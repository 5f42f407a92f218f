"""Git repositories: checkouts at locked commits, each with a .git that works on a host without network."""

from __future__ import annotations

from bundler.model.target import Target
from bundler.payloads.collection import Collection, CollectionChoice
from bundler.payloads.repository.choice import Repositories
from bundler.payloads.repository.pins import LockedRepositories
from bundler.payloads.repository.places import COPIES, PLACES, REPOSITORIES
from bundler.session import Network, Session

__all__ = ["CHOICE", "COLLECTION", "LINKS", "PINS", "PLACES", "PROGRAMS", "SAME", "TEXTS", "lock"]

COLLECTION = "repositories"
SAME = True
PROGRAMS = (REPOSITORIES, COPIES[0])
LINKS = (REPOSITORIES,)
TEXTS: tuple[str, ...] = ()
CHOICE = Repositories
PINS = LockedRepositories


def lock(choice: CollectionChoice, target: Target, session: Session, network: Network) -> Collection:
    """Fetch each repository at its ref; what is found is the same for every target. Raises BundleError."""
    from bundler.payloads.repository.locking import lock_repositories  # loaded when something is locked

    if not isinstance(choice, Repositories):
        raise TypeError("a choice of repositories is wanted")
    return lock_repositories(choice, session)
