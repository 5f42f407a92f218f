"""`clean`: remove what this tool made, and nothing else; say of every path what became of it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bundler.adapters.cache_folder import STATES, clear_cache
from bundler.adapters.digest import sha256_of
from bundler.adapters.dist import Dist
from bundler.adapters.regular import read_regular
from bundler.adapters.sweep import Fate, swept
from bundler.errors import BundleError, UsageError, from_os
from bundler.kinds import file_list, inputs_of
from bundler.session import Session

# How the consumers' bootstrap leaves a package that it unpacked: a folder of this name, with these files.
_PACKAGE = "ai-workspace-all-in-one-offline-"
_INSTALLER, _TARGET = "scripts/ai-workspace-offline-install.sh", "metadata/target.env"
# What it was made of, as `sha256sum -c` reads it.
_LIST = "metadata/files.sha256"
_LARGEST_LIST = 32 << 20
# Git writes it anew when it is asked how a checkout stands.
_GITS_OWN = re.compile(r"repos/[^/]+/\.git/index")
# It unpacks in a folder of a work folder of a mount.
_DEEPEST = 4


def clean(session: Session, below: Sequence[Path], outs: Sequence[Path], *, dry_run: bool = False) -> Iterator[Fate]:
    """Remove unpacked packages `below` folders, what was written into `outs`, and the store; yield each path's fate.

    What one part fails with is a fate of its own, and does not stop the others. It can end at any point: what is left,
    the next run removes.
    """
    gone: set[Path] = set()

    def told(path: Path, fates: Callable[[], Iterator[Fate]]) -> Iterator[Fate]:
        try:
            for fate in fates():
                if fate.state == "would be removed":
                    gone.add(fate.path)
                yield fate
        except (BundleError, OSError) as error:
            known = from_os(error) if isinstance(error, OSError) else error
            yield Fate(path, "failed", f"{known.message}; {known.hint}" if known.hint else known.message)

    for folder in _distinct(below):
        yield from told(folder, lambda folder=folder: _packages(folder, dry_run=dry_run))  # type: ignore[misc]
    for out in _distinct(outs):
        dist = Dist(out, session.cache_dir / STATES, inputs_of)
        yield from told(out, lambda dist=dist: dist.clear(dry_run=dry_run, gone=gone))  # type: ignore[misc]
    yield from told(session.cache_dir, lambda: clear_cache(session.cache_dir, dry_run=dry_run, gone=gone))


def _distinct(paths: Sequence[Path]) -> list[Path]:
    """The paths, each once however it is written."""
    return list({path.absolute(): path for path in paths}.values())


def _packages(folder: Path, *, dry_run: bool) -> Iterator[Fate]:
    """Remove every unpacked package in a folder, or below it, or that it is itself."""
    if not folder.is_dir():
        yield Fate(folder, "not there")
        return
    places = [folder] if folder.name.startswith(_PACKAGE) else list(_found(folder, folder.lstat().st_dev, 1))
    for place in places:
        with swept(place.parent, dry_run=dry_run) as around:
            if isinstance(around, Fate):
                yield Fate(place, "kept", f"of {around.path}: {around.why}")
            elif place.is_symlink():
                yield around.keep(place.name, "it is a link, and none is followed")
            elif not _is_package(place):
                yield around.keep(place.name, f"it is no unpacked package: it has no {_TARGET} or no {_INSTALLER}")
            elif why := _not_ours(place):
                yield around.keep(place.name, why)
            else:
                yield around.remove_tree(place.name, (_LIST, _INSTALLER, _TARGET))


def _found(folder: Path, device: int, depth: int) -> Iterator[Path]:
    """What is called as packages are, folders and links; neither links nor other file systems are entered."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:  # what may not be read holds nothing that could be removed
        return
    for entry in entries:
        place = folder / entry.name
        if entry.name.startswith(_PACKAGE) and (entry.is_dir(follow_symlinks=False) or entry.is_symlink()):
            yield place
        elif depth < _DEEPEST and entry.is_dir(follow_symlinks=False) and place.lstat().st_dev == device:
            yield from _found(place, device, depth + 1)


def _is_package(folder: Path) -> bool:
    """Say whether a folder is an unpacked package, or all that was left of one when its removal was interrupted."""
    if _is_file(folder, _INSTALLER) and _is_file(folder, _TARGET):
        return True
    files = [Path(path, name).relative_to(folder) for path, _, names in os.walk(folder) for name in names]
    folders = {Path(path, name).relative_to(folder) for path, names, _ in os.walk(folder) for name in names}
    return files in ([], [Path(_TARGET)]) and folders <= {Path(_TARGET).parent, Path(_INSTALLER).parent}


def _not_ours(folder: Path) -> str:
    """Why a package is not, or no longer, only what was unpacked; "" if it is. What is missing was removed before."""
    files = [Path(path, name) for path, _, names in os.walk(folder) for name in names]
    paths = {str(path.relative_to(folder)): path for path in files if not path.is_symlink()}
    if paths.keys() <= {_INSTALLER, _TARGET}:
        return ""
    if _LIST not in paths:
        return f"it has no {_LIST}, so nothing tells what of it is a package's"
    try:
        listed = file_list.parse(read_regular(paths.pop(_LIST), _LARGEST_LIST))
    except UsageError as error:
        return error.message
    for path, place in sorted(paths.items()):
        if _GITS_OWN.fullmatch(path):
            continue
        if path not in listed:
            return f"{path} in it is not the package's: move it away"
        if not place.is_file() or sha256_of(place) != listed[path]:
            return f"{path} in it was changed: move it away"
    return ""


def _is_file(folder: Path, path: str) -> bool:
    """Say whether a regular file stands at a path of two parts in a folder, and no link leads there."""
    place = folder / path
    try:
        return stat.S_ISDIR(place.parent.lstat().st_mode) and stat.S_ISREG(place.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
