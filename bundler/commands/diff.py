"""`diff`: what differs between two sets of archives or locks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bundler.errors import UnreachableError, UsageError
from bundler.kinds.manifests import manifests_at_hand
from bundler.model.comparison import Advisories, Comparison, compare
from bundler.model.holding import Holding
from bundler.release.holdings import holds_archives, of_archive, of_folder
from bundler.release.home import address_of
from bundler.session import Session

_FORMS = (
    "give an archive, a folder of archives, a folder of manifests, OWNER/REPO@TAG, or a git revision such as HEAD~1 or "
    "HEAD~1:manifests"
)
_MANIFESTS = "manifests"


@dataclass(frozen=True)
class DiffReport:
    """What two sides are called, how they compare, and what the new one holds."""

    old: str
    new: str
    comparison: Comparison
    after: tuple[Holding, ...] = ()


def diff(
    session: Session, old: str, new: str = "", *, deep: bool = False, advisories: Path | None = None
) -> DiffReport:
    """Compare two sides; without `new`, `old` with the locks at hand. `deep`: read archives whole.

    What `advisories` (a snapshot, or records of OSV) tell of only one side is told, too.
    What is there as a path is that path. Raises UsageError if a word means nothing, or both have nothing in common.
    """
    before = _side(session, old, deep=deep)
    after = _side(session, new, deep=deep) if new else _locked(session.workspace().folder)
    known = _known(advisories, (*before, *after)) if advisories else None
    return DiffReport(old, new or "the locks at hand", compare(before, after, known), after)


def page_of(report: DiffReport) -> str:
    """A page of what differs (HTML), with the way that leads to what was added."""
    from bundler.model.dependencies import Dependencies
    from bundler.pages.differences import differences_page

    added = {
        (change.kind, change.name)
        for group in report.comparison.shared
        for change in group.changes
        if change.event == "added"
    }
    ways: dict[tuple[str, str], tuple[str, ...]] = {}
    for graph in (Dependencies(one.inventory) for one in report.after):
        for item in graph.inventory.items:
            if (item.kind, item.name) in added and (way := graph.way_to(item.purl)):
                ways.setdefault((item.kind, item.name), tuple(one.name for one in way))
    return differences_page(report.old, report.new, report.comparison, ways)


def _known(file: Path, held: Sequence[Holding]) -> Advisories:
    from bundler.adapters.advisories import read_advisories
    from bundler.model.advisories import known_of

    lookup = known_of(read_advisories(file), [one.inventory for one in held])
    return Advisories(lookup, lookup)


def _side(session: Session, word: str, *, deep: bool) -> tuple[Holding, ...]:
    if not word:
        raise UsageError("an empty word names nothing to compare", _FORMS)
    path = Path(word)
    if path.is_dir():
        return _folder(session, path, deep=deep)
    if path.exists():
        return (of_archive(path, session.progress, deep=deep),)
    if address := address_of(word, lambda: manifests_at_hand(session)):
        from bundler.release.released import of_release  # HTTP and TLS: large

        return of_release(session, *address)
    return _revision(session, word)


def _folder(session: Session, folder: Path, *, deep: bool) -> tuple[Holding, ...]:
    """What a folder holds: archives, or manifests. Raises UsageError if it is both or neither."""
    manifests = next((one for one in (folder, folder / _MANIFESTS) if (one / "targets.yaml").is_file()), None)
    archives = holds_archives(folder)
    if manifests and archives:
        hint = "give the archives a folder of their own, or name them one by one"
        if manifests != folder:
            hint = f"{manifests} means the locks; {hint}"
        raise UsageError(f"{folder} holds archives and manifests: which are meant?", hint)
    if archives:
        return of_folder(folder, session.progress, deep=deep)
    if manifests:
        return _locked(manifests)
    raise UsageError(f"{folder} holds neither archives nor manifests", _FORMS)


def _locked(folder: Path) -> tuple[Holding, ...]:
    from bundler.adapters.workspace import Workspace
    from bundler.kinds.manifests import locked

    return tuple(map(Holding, locked(Workspace(folder))))


def _revision(session: Session, word: str) -> tuple[Holding, ...]:
    """What the locks of a git revision say. Raises UsageError if it is none."""
    from bundler.adapters.git_revision import Repository
    from bundler.adapters.process import run
    from bundler.adapters.workspace import Recorded, is_lock, is_manifest
    from bundler.kinds.manifests import locked

    revision, colon, inner = word.partition(":")
    start, below = _start(session)
    try:
        repository = Repository(start, session.env, run)
        prefix = repository.prefix()
    except UnreachableError as error:
        raise UsageError(f"{word} is not there, and without git it is no revision", _FORMS) from error
    commit = repository.commit(revision) if prefix is not None else None
    if prefix is None or commit is None:
        raise UsageError(f"{word} is not there, and no revision of a git repository here", _FORMS)
    folder = inner.rstrip("/") if colon else f"{prefix}/{below}".strip("/")
    texts = repository.texts(commit, folder, lambda path: is_manifest(path) or is_lock(path))
    if "targets.yaml" not in texts:
        hint = f"name their folder: {revision}:FOLDER, from the repository's top"
        raise UsageError(f"{word} holds no manifests in {folder or 'its top folder'}", hint)
    return tuple(map(Holding, locked(Recorded(Path(f"{revision}:{folder}"), texts))))


def _start(session: Session) -> tuple[Path, str]:
    """A folder in the repository, and where below that manifests are: at hand, else where they used to be."""
    try:
        return session.workspace().folder, ""
    except UsageError:
        if session.manifests:
            raise
        return Path.cwd(), _MANIFESTS
