"""What the tests' own processes do (see tests/forks.py)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from bundler.adapters import retry as retry_module
from bundler.adapters.archive import Written
from bundler.adapters.dist import Dist
from bundler.adapters.http import Http
from bundler.adapters.store import Blob, Store
from bundler.kinds import inputs_of
from bundler.progress import Silent


def fetch(root: str, name: str, sha256: str, size: int, address: str) -> None:
    """Fetch one file into the store at `root`."""
    retry_module._backoff = lambda state: 0.0
    with Silent().task("", size) as task:
        Store(Path(root)).fetch(Blob(name, sha256, size), iter([address]), Http(), task)


def replace_archives(folder: str, state: str, names: list[str], rounds: int) -> None:
    """Put other bytes into each of the archives, again and again."""
    dist = Dist(Path(folder), Path(state), inputs_of)
    with dist.opened(Silent()):
        for _ in range(rounds):
            for name in names:
                content = os.urandom(60_000)
                with dist.replacing(name) as file:
                    file.write(content)
                digest = hashlib.sha256(content).hexdigest()
                dist.place(name, Written(len(content), digest), "inputs", {f"{name}.cdx.json": digest.encode()})


def hold_folder(folder: str, state: str, ready: str, go_on: str) -> None:
    """Own the folder; say so by making the file `ready`; let go when `go_on` is there."""
    from tests.server import wait_until

    with Dist(Path(folder), Path(state), inputs_of).opened(Silent()):
        Path(ready).touch()
        wait_until(Path(go_on).exists)
