"""Lock git repositories: find the commit that a ref is at, fetch it, and see what its checkout becomes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bundler.adapters.digest import sha256_of
from bundler.adapters.git import fetched
from bundler.adapters.git_pack import write_pack
from bundler.adapters.git_tree import walk
from bundler.adapters.mirror import Mirror
from bundler.adapters.process import run
from bundler.adapters.store import Blob
from bundler.payloads.repository.checkout import entries_of
from bundler.payloads.repository.choice import Repositories, Repository
from bundler.payloads.repository.pins import (
    LockedAddition,
    LockedCopy,
    LockedFiles,
    LockedPack,
    LockedRepositories,
    LockedRepository,
)
from bundler.payloads.repository.places import folder_of
from bundler.payloads.repository.proof import prove
from bundler.session import Session


def lock_repositories(chosen: Repositories, session: Session) -> LockedRepositories:
    """Lock each repository; its pack is in the store then.

    Raises UnreachableError if a commit cannot be had, IntegrityError if it cannot be checked out safely, UsageError.
    """
    found = (_lock(repository, session) for repository in chosen.repositories)
    return LockedRepositories(tuple(sorted(found, key=lambda checkout: checkout.name)))


def _lock(chosen: Repository, session: Session) -> LockedRepository:
    mirrors = [Mirror.parse(text) for text in session.all_mirrors()]
    with tempfile.TemporaryDirectory(prefix="aiws-bundle-repository-") as folder:
        path = Path(folder, "pack")
        with fetched(chosen.address, chosen.ref, mirrors, session.env, run) as found, path.open("wb") as file:
            commit, tree = found.commit, walk(found.pack, found.commit)
            write_pack(found.pack, tree.objects(), file)
        with Path(folder, "spool").open("wb") as spool:
            entries = entries_of(chosen, commit, path, spool)
        prove(chosen.name, entries, Path(folder, "proof"), session.env)
        pack = LockedPack(path.stat().st_size, sha256_of(path))
        session.store().join(Blob(f"{chosen.name} at {commit[:12]}", pack.sha256, pack.size), [path])
    return LockedRepository(
        name=chosen.name,
        address=chosen.address,
        ref=chosen.ref,
        commit=commit,
        tree=tree.root.hex(),
        pack=pack,
        files=LockedFiles.of_entries(entries, folder_of(chosen.name)),
        branch=chosen.branch,
        origin=chosen.origin,
        branches=tuple(sorted(chosen.branches)),
        copies=tuple(LockedCopy(path, place) for path, place in sorted(chosen.copies.items())),
        additions=tuple(LockedAddition(path, text) for path, text in sorted(chosen.additions.items())),
    )
