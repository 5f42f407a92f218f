"""The pack of a locked commit: fetched through Git, written by us."""

from __future__ import annotations

from typing import BinaryIO

from bundler.adapters.git import fetched
from bundler.adapters.git_pack import write_pack
from bundler.adapters.git_tree import walk
from bundler.adapters.mirror import Mirror
from bundler.adapters.process import run
from bundler.errors import UnreachableError
from bundler.payloads.payload import Workbench


def write_fetched(name: str, address: str, commit: str, bench: Workbench, file: BinaryIO) -> None:
    """Write the pack of a commit to `file`. Raises UnreachableError, IntegrityError."""
    if bench.network is None:
        raise UnreachableError(f"{name} at {commit[:12]} is not in the store", "run once without --offline")
    mirrors = [Mirror.parse(text) for text in bench.session.all_mirrors()]
    with fetched(address, commit, mirrors, bench.session.env, run) as found:
        write_pack(found.pack, walk(found.pack, commit).objects(), file)
