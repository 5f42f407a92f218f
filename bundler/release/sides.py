"""What deltas lead from and to where it is released: its archives in a folder, with the list that is signed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bundler.adapters.cache_folder import TEMPORARY
from bundler.adapters.own_folder import in_use
from bundler.errors import UsageError
from bundler.kinds.manifests import Manifests
from bundler.model.sidecar import SidecarFacts
from bundler.model.signatures import form_of
from bundler.progress import Task
from bundler.release.brought import Brought, followed
from bundler.release.home import address_of
from bundler.session import Session
from bundler.words import ARCHIVE


@contextmanager
def sides(
    session: Session, old: str, new: str, told: SidecarFacts, manifests: Callable[[], Manifests | None]
) -> Iterator[tuple[Path, Path]]:
    """Give two sides as paths: what is there as it is, and each release (OWNER/REPO@TAG) as a folder of its archives.

    Of a release only those are brought to the store that the other side has, too, if any is. It has to be signed as
    `told` wants it. The folders are gone when the context ends. Raises UsageError for a word that means nothing,
    UnreachableError, IntegrityError.
    """
    with ExitStack() as stack:
        found = [_side(session, word, told, manifests, stack) for word in (old, new)]
        names = [_names(one) for one in found]
        common = (names[0] & names[1]) or (names[0] | names[1])
        before, after = (one if isinstance(one, Path) else _folder(session, one, common, stack) for one in found)
        yield before, after


def _side(
    session: Session,
    word: str,
    told: SidecarFacts,
    manifests: Callable[[], Manifests | None],
    stack: ExitStack,
) -> Path | Brought:
    if Path(word).exists():
        return Path(word)
    address = address_of(word, manifests)
    if address is None:
        raise UsageError(f"{word} is not there", "give an archive, a folder of archives, or OWNER/REPO@TAG")
    its = followed(session.store(), stack.enter_context(session.github(address[0])), address[1])
    its.check_signed(told)
    return its


def _names(side: Path | Brought) -> frozenset[str]:
    if isinstance(side, Brought):
        return frozenset(side.archives)
    return frozenset(one.name for one in (side.iterdir() if side.is_dir() else (side,)) if one.name.endswith(ARCHIVE))


def _folder(session: Session, its: Brought, names: frozenset[str], stack: ExitStack) -> Path:
    """A folder with archives of a release, its SHA256SUMS and what signs that."""
    place = stack.enter_context(in_use(session.cache_dir, TEMPORARY))
    folder = Path(stack.enter_context(TemporaryDirectory(dir=place)))
    wanted = sorted(names & its.archives.keys())

    def bring(name: str, task: Task) -> None:
        _called(its.bring(name, task), folder / name)

    label, size = f"{its.github.repository}@{its.tag}", sum(map(its.needed, wanted))
    with session.progress.task(label, size) as task, ThreadPoolExecutor(session.jobs, "download") as pool:
        try:
            list(pool.map(lambda name: bring(name, task), wanted))
        except BaseException:
            session.cancelled.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for asset in its.listing.all():
        if asset == its.listing.sums or form_of(asset.name):
            (folder / asset.name).write_bytes(its.small(asset))
    return folder


def _called(path: Path, name: Path) -> None:
    """Let the same file have another name, as a delta is to say it."""
    try:
        os.link(path, name)
    except OSError:  # a store on another file system, or on one without links
        shutil.copyfile(path, name)
