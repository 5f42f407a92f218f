"""The cache folder: what this tool keeps there, and how all of that is removed again.

sha256/XX/<digest>     whole files (`store.Store`)
partial/<digest>       what of a file is there, with its lock file
dist/<key>.json        what of an output folder was written by this tool (`dist.Dist`), with its lock file
tmp/                   folders of runs that are at work; what killed ones left behind
rehearsal/             where rehearsals mount, each for itself
npm/<digest>           which whole file is that npm package, by what is left of its SHA-512 (`payloads.npm`)
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import Timeout

from bundler.adapters.dist_memory import remembered_folder
from bundler.adapters.own_folder import check_private, own_lock, private_folder
from bundler.adapters.sweep import Fate, Sweep, is_home, removed_folder, swept, try_alone
from bundler.words import SHA256_PATTERN

TEMPORARY, MOUNTPOINT, STATES, NOTES = "tmp", "rehearsal", "dist", "npm"
_STORE, _PARTIAL = "sha256", "partial"
_SHELF = re.compile("[0-9a-f]{2}")
_DIGEST = re.compile(SHA256_PATTERN)
_DOWNLOAD = re.compile(rf"({SHA256_PATTERN})(\.lock)?")
_STATE = re.compile(r"([0-9a-f]{32})\.(json|lock|tmp)")
_NOTE = re.compile("[0-9a-f]{124}")
_SCRATCH = re.compile(r"tmp[a-z0-9_]{8}")  # what tempfile.mkdtemp calls them
_NOT_OURS = "this tool keeps nothing of this name here"


def clear_cache(root: Path, *, dry_run: bool, gone: Collection[Path] = ()) -> Iterator[Fate]:
    """Remove all that this tool keeps in the cache folder `root`, then the folder if it is empty.

    While a run is at work all of it stays; what tells of output folders that are there stays, too. `gone` are paths
    that a dry run has told of already. It can end at any point: what is left, the next call removes. Raises WorkError
    if others may write there.
    """
    with ExitStack() as stack:
        cache = stack.enter_context(swept(root, dry_run=dry_run))
        if isinstance(cache, Fate):
            yield cache
            return
        if is_home(root):
            yield Fate(root, "kept", "your home folder is it, or in it")
            return
        check_private(root)
        held = [stack.enter_context(_alone(root, name, dry_run=dry_run)) for name in (TEMPORARY, MOUNTPOINT)]
        if not all(held):
            yield Fate(root, "kept", "a run of this tool is at work with it")
            return
        known = {_STORE: _store, _PARTIAL: _partial, STATES: _states, TEMPORARY: _scratch, MOUNTPOINT: _nothing}
        known[NOTES] = _notes
        for name in sorted(cache.entries):
            if name not in known:
                yield cache.keep(name, _NOT_OURS)
                continue
            with cache.below(name) as folder:
                if isinstance(folder, Fate):
                    yield folder
                    continue
                check_private(folder.path)
                folder.entries -= {path.name for path in gone if path.parent == folder.path}
                yield from known[name](folder)
                yield cache.drop(folder.leave())
    # What was made above only to be locked is gone now.
    yield cache.leave()


@contextmanager
def _alone(root: Path, name: str, *, dry_run: bool) -> Iterator[bool]:
    """Say whether nobody else uses a folder of the cache; nobody begins to while the context is open.

    One that is not there is made to be locked, and goes with the context.
    """
    made = not dry_run and not os.path.lexists(root / name)
    if made:
        private_folder(root, name)
    with swept(root / name, dry_run=dry_run) as folder:
        try:
            yield isinstance(folder, Fate) or try_alone(folder.descriptor)
        finally:
            if made:
                removed_folder(root / name, dry_run=False)


def _store(folder: Sweep) -> Iterator[Fate]:
    for name in sorted(folder.entries):
        if not _SHELF.fullmatch(name):
            yield folder.keep(name, _NOT_OURS)
            continue
        with folder.below(name) as shelf:
            if isinstance(shelf, Fate):
                yield shelf
                continue
            for file in sorted(shelf.entries):
                ours = _DIGEST.fullmatch(file) and file.startswith(name) and shelf.is_file(file)
                yield shelf.remove(file) if ours else shelf.keep(file, _NOT_OURS)
            yield folder.drop(shelf.leave())


def _partial(folder: Sweep) -> Iterator[Fate]:
    yield from _locked(folder, {name: match[1] for name in folder.entries if (match := _DOWNLOAD.fullmatch(name))})


def _states(folder: Sweep) -> Iterator[Fate]:
    keys: dict[str, str] = {}
    for name in sorted(folder.entries):
        if not (match := _STATE.fullmatch(name)):
            continue
        place = remembered_folder(folder.path / f"{match[1]}.json")
        if place is not None and os.path.lexists(place):
            yield folder.keep(name, f"it tells what of {place} is this tool's: give that folder with --out")
        else:
            keys[name] = match[1]
    told = {name for name in folder.entries if _STATE.fullmatch(name) and name not in keys}
    yield from _locked(folder, keys, told)


def _locked(folder: Sweep, keys: dict[str, str], told: Collection[str] = ()) -> Iterator[Fate]:
    """Remove files by the key in their names, those of each key under the lock that they share; keep all others."""
    for name in sorted(folder.entries - keys.keys() - set(told)):
        yield folder.keep(name, _NOT_OURS)
    for key in sorted(set(keys.values())):
        names = sorted(name for name, of_it in keys.items() if of_it == key)
        odd = [name for name in names if not folder.is_file(name)]
        yield from (folder.keep(name, _NOT_OURS) for name in odd)
        ours = sorted(set(names) - set(odd), key=lambda name: (name.endswith(".lock"), name))  # the lock file last
        with ExitStack() as stack:
            if f"{key}.lock" in ours:
                try:
                    stack.enter_context(own_lock(folder.path / f"{key}.lock", timeout=0))
                except Timeout:
                    yield from (folder.keep(name, "a run of this tool is at work with it") for name in ours)
                    continue
            yield from map(folder.remove, ours)


def _notes(folder: Sweep) -> Iterator[Fate]:
    for name in sorted(folder.entries):
        ours = _NOTE.fullmatch(name) and folder.is_file(name)
        yield folder.remove(name) if ours else folder.keep(name, _NOT_OURS)


def _scratch(folder: Sweep) -> Iterator[Fate]:
    for name in sorted(folder.entries):
        status = folder.status(name)
        if not (_SCRATCH.fullmatch(name) and status and stat.S_ISDIR(status.st_mode)):
            yield folder.keep(name, _NOT_OURS)
            continue
        yield folder.drop(folder.remove_tree(name))


def _nothing(folder: Sweep) -> Iterator[Fate]:
    yield from (folder.keep(name, _NOT_OURS) for name in sorted(folder.entries))
