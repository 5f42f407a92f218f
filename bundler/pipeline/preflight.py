"""What must hold before a release is touched: one list of everything that does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bundler.adapters.github import ForbiddenError, GitHub
from bundler.adapters.http import MissingError
from bundler.errors import BundleError, IntegrityError, PreflightError, UnreachableError, UsageError, WorkError
from bundler.model.manifest import Manifests
from bundler.model.release import MOST_ASSETS, RUNTIME_PREFIX, compare, refuse_mixing, runtime_commit
from bundler.model.target import Target, select
from bundler.pipeline.settings import Settings, load_manifests
from bundler.pipeline.verify import verify
from bundler.sidecars import sha256sums
from bundler.steps.release_content import Content, content_of

T = TypeVar("T")
_LONGEST_NAME = 255
_SHA1_DIGITS = 40


@dataclass(frozen=True)
class Order:
    """What to publish where: `targets` are selectors, `commit` may be "" for what the tag or the workflow says."""

    repository: str
    tag: str
    targets: tuple[str, ...]
    channel: str
    commit: str
    replace: bool


@dataclass(frozen=True)
class Ready:
    """What the preflight found out: the assets, the full commit, and files of the folder that are left out."""

    content: Content
    commit: str
    left_out: tuple[str, ...]


def preflight(settings: Settings, github: GitHub, folder: Path, order: Order, part_size: int) -> Ready:
    """Look at everything, change nothing. Raises PreflightError with every problem."""
    problems: list[BundleError] = []

    def caught(work: Callable[[], T], otherwise: T) -> T:
        try:
            return work()
        except BundleError as error:
            problems.extend(error.problems if isinstance(error, PreflightError) else [error])
            return otherwise

    if not folder.is_dir():
        raise UnreachableError(f"{folder} is not a folder", "give the folder that `build` filled")
    problems += _misnamed(order)
    manifests = load_manifests(settings.workspace())
    targets = select(manifests.targets, order.targets or ("all",))
    settings.progress.say(f"verifying {folder}")
    problems += caught(lambda: list(_unsound(settings, folder)), [])
    listed: Mapping[str, str] = caught(lambda: _listed(folder), {})
    nothing: tuple[dict[str, str], tuple[str, ...]] = ({}, ())
    chosen, left_out = caught(lambda: _chosen(manifests, targets, listed, folder), nothing)
    content = caught(lambda: content_of(folder, chosen, part_size), Content((), {}))
    problems += _beyond_limits(content)
    remote = _Remote(settings, github, order, content if chosen else None)
    commit = caught(lambda: remote.checked(problems), "")
    if problems:
        raise PreflightError(f"{order.repository} {order.tag} cannot be published:", problems)
    return Ready(content, commit, left_out)


def _misnamed(order: Order) -> Iterator[BundleError]:
    digits = runtime_commit(order.tag)
    if order.commit and digits and not order.commit.startswith(digits):
        yield UsageError(f"the tag {order.tag} names another commit than {order.commit}", "they are one in a release")
    if order.channel.startswith(RUNTIME_PREFIX) or (order.channel and order.channel == order.tag):
        yield UsageError(
            f"a channel cannot be called {order.channel}",
            f"consumers take the newest {RUNTIME_PREFIX}* for a release; latest-runtime is a channel",
        )


def _unsound(settings: Settings, folder: Path) -> Iterator[BundleError]:
    report = verify([folder], settings.progress)
    for path, verdict in report.verdicts:
        yield from (IntegrityError(f"{path.name}: {finding}") for finding in verdict.integrity)
        yield from (WorkError(f"{path.name}: {finding}") for finding in verdict.closure)
    yield from (IntegrityError(finding) for finding in report.folder_findings)


def _listed(folder: Path) -> Mapping[str, str]:
    path = folder / sha256sums.NAME
    return sha256sums.parse(path.read_text("utf-8", "replace"), str(path)) if path.is_file() else {}


def _chosen(
    manifests: Manifests, targets: tuple[Target, ...], listed: Mapping[str, str], folder: Path
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The digests of the archives to publish, and the names of other targets' ones. Raises PreflightError."""
    wheelhouses = manifests.wheelhouses.values()
    wanted = [(wheelhouse.asset_name(target), target.name) for wheelhouse in wheelhouses for target in targets]
    known = {wheelhouse.asset_name(target) for wheelhouse in wheelhouses for target in manifests.targets}
    problems: list[BundleError] = []
    names = [name for name, _ in wanted]
    problems += [
        UsageError(f"{name} is the name of two archives") for name in sorted({n for n in names if names.count(n) > 1})
    ]
    for name, target in wanted:
        if name not in listed or not (folder / name).is_file():
            hint = f"run `aiws-bundle build {target}`, or name what there is with --targets"
            problems.append(UnreachableError(f"{folder / name} is missing", hint))
    problems += [
        UsageError(f"{folder / name} belongs to no target", "move it elsewhere") for name in listed if name not in known
    ]
    if problems:
        raise PreflightError(f"{folder} is not what --targets asks for:", problems)
    return {name: listed[name] for name in names}, tuple(name for name in listed if name not in names)


def _beyond_limits(content: Content) -> Iterator[BundleError]:
    pieces = content.pieces()
    if len(pieces) > MOST_ASSETS:
        yield UsageError(
            f"{len(pieces)} assets are more than the {MOST_ASSETS} that a release can hold", "give --targets"
        )
    for piece in pieces:
        if not piece.size:
            yield WorkError(f"{piece.name} is empty, which GitHub does not store")
        if len(piece.name) > _LONGEST_NAME:
            yield UsageError(f"{piece.name}: the name is too long")
    names = [piece.name.lower() for piece in pieces]
    yield from (
        UsageError(f"{name} is the name of two assets") for name in sorted({n for n in names if names.count(n) > 1})
    )


@dataclass(frozen=True)
class _Remote:
    """What GitHub says of the repository, the tag and the channel. `content` is None if it is not known."""

    settings: Settings
    github: GitHub
    order: Order
    content: Content | None

    def checked(self, problems: list[BundleError]) -> str:
        """Add what is wrong to `problems`; return the release's commit, "" if it cannot be told."""
        if not self.github.has_token:
            problems.append(ForbiddenError("no token to publish with", "set GH_TOKEN or GITHUB_TOKEN"))
            return ""
        tagged = self.github.tag_commit(self.order.tag)
        commit = self._commit(tagged)
        if tagged and tagged != commit:
            message = f"the tag {self.order.tag} is at {tagged}, not at {commit}"
            problems.append(IntegrityError(message, "publish under another tag, or from that commit"))
        if self.github.may_write(self.order.tag, commit) is False:
            hint = "GH_TOKEN needs write access to contents (in a workflow: `contents: write`)"
            problems.append(ForbiddenError(f"the token may not write to {self.order.repository}", hint))
        problems += self._standing()
        return commit

    def _commit(self, tagged: str | None) -> str:
        """The full commit that the release is of. Raises UsageError, UnreachableError."""
        env = self.settings.env
        named = self.order.commit or runtime_commit(self.order.tag) or tagged
        if not named and env.get("GITHUB_REPOSITORY") == self.order.repository:
            named = env.get("GITHUB_SHA", "").strip().lower()
        if not named:
            raise UsageError(f"which commit is {self.order.tag}?", "give --commit SHA")
        found = self._looked_up(named)
        if found is None:
            raise UnreachableError(f"{self.order.repository} has no commit {named}", "was it pushed?")
        return found

    def _looked_up(self, named: str) -> str | None:
        try:
            return self.github.commit(named)
        except MissingError:  # not every server that behaves like GitHub has commits to look up
            if len(named) == _SHA1_DIGITS:
                return named
            raise

    def _standing(self) -> Iterator[BundleError]:
        """A published release that is not ours to change, or that nobody can change."""
        published = self.github.published(self.order.tag)
        if published and self.order.replace and published.immutable:
            yield WorkError(f"{published.tag_name} is immutable, so it cannot be replaced", "publish under another tag")
        elif published and self.content and not self.order.replace:
            try:
                refuse_mixing(published, compare(self.github.assets(published), self.content.pieces()))
            except IntegrityError as error:
                yield error
        if not self.order.channel:
            return
        channel = self.github.published(self.order.channel)
        if (channel and channel.immutable) or self.github.keeps_releases():
            yield WorkError(
                f"releases of {self.order.repository} are immutable, so {self.order.channel} cannot move",
                f"leave --channel out (who takes the newest {RUNTIME_PREFIX}* sees this release all the same), "
                "or turn off immutable releases in the repository's settings and delete the immutable "
                f"{self.order.channel}",
            )
