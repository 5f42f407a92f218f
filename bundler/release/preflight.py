"""What must hold before a release is touched: one list of everything that does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

from bundler.adapters.digest import sha256_of
from bundler.adapters.github import Committed, GitHub
from bundler.adapters.github_answer import ForbiddenError
from bundler.adapters.http import MissingError, TransientError
from bundler.adapters.sums import read_sums
from bundler.errors import BundleError, IntegrityError, PreflightError, UnreachableError, UsageError, WorkError
from bundler.kinds.manifests import Manifests
from bundler.model.release import (
    CHANNEL,
    OFFLINE_PREFIX,
    RUNTIME_PREFIX,
    TAG_FORMS,
    Asset,
    compare,
    draft_tag,
    next_offline_tag,
    offline_number,
    refuse_mixing,
    runtime_commit,
)
from bundler.model.sidecar import NOTHING_TOLD, Place
from bundler.model.signatures import LARGEST, form_of, is_further
from bundler.model.signing import Signer
from bundler.model.trust import NOTHING_TRUSTED
from bundler.release import notes
from bundler.release.content import NOTHING, Content, beyond_limits, content_of, twice
from bundler.release.deltas import Deltas, last
from bundler.release.evidence import lacking, rehearsed, unlike
from bundler.release.folder import VerifyReport, fill, verify
from bundler.release.parts import Cut
from bundler.release.selection import Selection, by_archives, by_manifests
from bundler.release.signing import release_signer, signatures_in
from bundler.release.sources import builder_here
from bundler.release.switch import Latest
from bundler.session import Session
from bundler.sidecars import channel, sums
from bundler.words import ARCHIVE

T = TypeVar("T")
_UNREAD = VerifyReport((), ())
_UNKNOWN = Committed("")
_SHA1_DIGITS = 40
_COMMIT = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True)
class Publication:
    """What to publish where: `targets` are selectors, `commit` may be "" for what the tag or the workflow says.

    `repository` is "" for the one that manifests say, and then their channel follows unless another is named, or
    `alone` is said.
    `rehearsals` are files with what `--json rehearse` printed. `latest` is None for what manifests, or the tag, say.
    `without` names what archives may be without, though their manifests ask for it. `signer` is whose key is at hand;
    `unsigned` is said where nobody is to sign. Deltas are made from what `delta_from` names: tags, or `last:N`; None is
    for what manifests say.
    """

    repository: str
    tag: str
    targets: tuple[str, ...]
    channel: str
    commit: str
    replace: bool
    rehearsals: tuple[Path, ...] = ()
    latest: bool | None = None
    without: tuple[str, ...] = ()
    signer: Signer | None = None
    unsigned: bool = False
    alone: bool = False
    delta_from: tuple[str, ...] | None = None

    def place(self, at: Committed) -> Place:
        """Where the release stands, once its commit is known."""
        return Place(self.repository, self.tag, at.sha, at.date)


@dataclass(frozen=True)
class Ready:
    """What the preflight found out: the assets, the commit, and files of the folder that are left out.

    `unrehearsed` are the targets that no rehearsal speaks for, `unchecked` is what could not be looked at.
    """

    content: Content
    at: Committed
    left_out: tuple[str, ...]
    unrehearsed: tuple[str, ...]
    unchecked: tuple[str, ...]
    latest: Latest


def preflight(
    session: Session, github: GitHub, folder: Path, order: Publication, manifests: Manifests | None, cut: Cut
) -> Ready:
    """Look at everything, change nothing; `manifests` are those at hand. Raises PreflightError with every problem."""
    problems: list[BundleError] = []

    def caught(work: Callable[[], T], otherwise: T) -> T:
        try:
            return work()
        except BundleError as error:
            problems.extend(error.problems if isinstance(error, PreflightError) else [error])
            return otherwise

    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", fill(folder))
    problems += _misnamed(order)
    selection = by_manifests(session, manifests, order.tag, order.targets, caught) if manifests else None
    session.progress.say(f"verifying {folder}")
    trust, today = selection.trust if selection else NOTHING_TRUSTED, datetime.now(UTC).date()
    told = replace(NOTHING_TOLD, trust=trust, today=today)
    report = caught(lambda: verify([folder], session.progress, told), _UNREAD)
    problems += _unsound(report)
    listed: Mapping[str, str] = caught(lambda: _listed(folder), {})
    if selection is None:
        selection = caught(lambda: by_archives(folder, listed, order.targets), Selection())
    chosen: tuple[str, ...] = caught(lambda: _chosen(selection, listed, folder), ()) if listed else ()
    problems += unlike(folder, selection.orders) if chosen else ()
    problems += lacking(folder, chosen, order.without)
    digests = {name: listed[name] for name in chosen}
    proven: frozenset[str] = caught(lambda: rehearsed(order.rehearsals, digests), frozenset())
    signer = caught(lambda: release_signer(trust, order.signer, today, unsigned=order.unsigned), None)
    told = replace(told, inventories=report.inventories, signer=signer)
    told = replace(told, sources=selection.sources, builder=builder_here(session.env))
    content = caught(lambda: content_of(folder, chosen, listed, cut, told), NOTHING)
    latest: Latest = caught(lambda: _latest(order, selection), "no")
    remote = _Remote(session, github, order)
    at = caught(remote.commit, _UNKNOWN)
    mine: Mapping[str, bytes] = caught(lambda: signatures_in(folder), {})
    theirs: Mapping[str, bytes] = caught(remote.signatures, {}) if trust.keys else {}
    content = replace(content, further={**theirs, **mine})
    problems += beyond_limits(content, order.place(at)) if chosen else ()
    remote = replace(remote, content=content if chosen else None, at=at)
    froms = last(selection.deltas) if order.delta_from is None else order.delta_from
    if froms:
        caught(remote.right, None)
        if not problems:
            deltas = Deltas(session, github, content.told, folder)
            content = caught(lambda: deltas.beside(content, order.place(at), froms), content)
            remote = replace(remote, content=content)
    for look in (remote.right, remote.release, remote.channel, remote.strays):
        if not any(isinstance(problem, TransientError) for problem in problems):  # the others would say the same
            caught(look, None)
    if problems:
        raise PreflightError(f"{order.repository} {order.tag} cannot be published:", problems)
    held = {piece.name: piece.sha256 for piece in content.pieces(order.place(at))}
    for note in _notes(folder, report, held):
        session.progress.say(f"note: {note}")
    left_out = tuple(name for name in listed if name not in content.names)
    left_out += tuple(name for name in mine if name not in held)
    unrehearsed = tuple(words for name, words in selection.wanted if name not in proven)
    return Ready(content, at, left_out, unrehearsed, selection.unchecked, latest)


def _latest(order: Publication, selection: Selection) -> Latest:
    """Whether the release is to be the latest: as asked for, else as the manifests say, else as the tag does.

    Raises UsageError if the manifests disagree.
    """
    if order.latest is not None:
        return "yes" if order.latest else "no"
    said = set(selection.latest.values()) or {offline_number(order.tag) is not None}
    if len(said) > 1:
        names = ", ".join(selection.latest)
        raise UsageError(
            f"the manifests of {names} disagree whether a release of them all is the latest",
            "give --latest or --not-latest",
        )
    return "stays" if said == {True} else "no"


def _misnamed(order: Publication) -> Iterator[BundleError]:
    digits = runtime_commit(order.tag)
    if order.commit and not _COMMIT.fullmatch(order.commit):
        yield UsageError(f"{order.commit!r} is not a commit", "give --commit with 7 to 40 hexadecimal digits")
    elif order.commit and digits and not _same_commit(order.commit, digits):
        yield UsageError(f"the tag {order.tag} names another commit than {order.commit}", "they are one in a release")
    if order.tag == CHANNEL:
        yield UsageError(f"{CHANNEL} is a channel, not a release", f"publish a tag, with --channel {CHANNEL}")
    elif not digits and not offline_number(order.tag):
        yield UsageError(f"{order.tag} is no release's tag", f"give --tag {TAG_FORMS}")
    elif order.channel == CHANNEL and not digits:
        yield UsageError(f"{CHANNEL} follows {RUNTIME_PREFIX}* alone", "leave --channel out")
    if order.channel.startswith((RUNTIME_PREFIX, OFFLINE_PREFIX)):
        yield UsageError(
            f"a channel cannot be called {order.channel}",
            f"consumers take the newest {RUNTIME_PREFIX}* and {OFFLINE_PREFIX}* for releases; {CHANNEL} is a channel",
        )


def _same_commit(one: str, other: str) -> bool:
    """Say whether the first digits of two commits agree."""
    return one.startswith(other) or other.startswith(one)


def immovable(order: Publication, *, alone: bool = False) -> WorkError:
    """What to say where a moving release cannot work; `alone` if only the channel's release is immutable."""
    reserved = f"never delete an immutable {order.channel}: GitHub reserves its name for ever"
    if alone:
        return WorkError(
            f"{order.channel} is immutable, so it cannot move", f"give another name with --channel; {reserved}"
        )
    return WorkError(
        f"releases of {order.repository} are immutable, so {order.channel} cannot move",
        f"leave --channel out (who takes the newest {RUNTIME_PREFIX}* sees this release all the same); where a fixed "
        f"address is needed, keep a file that names the release, such as channel.json on a branch; {reserved}",
    )


def _unsound(report: VerifyReport) -> Iterator[BundleError]:
    for path, verdict in report.verdicts:
        yield from (IntegrityError(f"{path.name}: {finding}") for finding in verdict.integrity)
        yield from (WorkError(f"{path.name}: {finding}") for finding in verdict.closure)
    yield from (IntegrityError(one.message) for one in report.folder_findings if one.grade == "integrity")


def _notes(folder: Path, report: VerifyReport, held: Mapping[str, str]) -> Iterator[str]:
    """What was noted of a folder. What has no line there and is published (`held`) is none: the release has one for it.

    `held` are SHA-256 (hex) by name.
    """
    surplus = {f"{folder}/{sums.surplus(path.name)}": path for path in folder.iterdir()}
    for note in (one.message for one in report.folder_findings if one.grade == "note"):
        path = surplus.get(note)
        if path is None:
            yield note
        elif not (path.is_file() and held.get(path.name) == sha256_of(path)):
            yield f"{note}; it is not published"


def _listed(folder: Path) -> Mapping[str, str]:
    path = folder / sums.NAME
    return read_sums(path) if path.exists() else {}


def _chosen(selection: Selection, listed: Mapping[str, str], folder: Path) -> tuple[str, ...]:
    """The archives to publish. Raises PreflightError."""
    problems: list[BundleError] = []
    names = [name for name, _ in selection.wanted]
    problems += [UsageError(f"{name} is the name of two archives") for name in twice(names)]
    missing: dict[str, list[str]] = {}  # targets by the component that `build` is to be told
    for name, words in selection.wanted:
        if name not in listed or not (folder / name).is_file():
            target, _, which = words.partition(" ")
            missing.setdefault(which, []).append(target)
    for which, targets in missing.items():
        command = " ".join(filter(None, ("aiws-bundle build", *targets, which)))
        hint = f"run `{command}`, or name what there is with --targets"
        problems.append(UsageError(f"{folder} has no archive for {', '.join(targets)}", hint))
    strays = [name for name in listed if name.endswith(ARCHIVE) and name not in selection.known]
    problems += [UsageError(f"{folder / name} belongs to no target", "move it elsewhere") for name in strays]
    if problems:
        raise PreflightError(f"{folder} is not what --targets asks for:", problems)
    return tuple(names)


def _refuse_unsigning(tag: str, assets: Iterable[Asset]) -> None:
    """Raise UsageError for a release that is signed: without the key it could not be made whole again."""
    if signed := [one.name for one in assets if form_of(one.name) and not is_further(one.name)]:
        raise UsageError(
            f"{tag} is published with signatures ({', '.join(signed)}), and no key is at hand",
            "give the key that made them, with --key FILE or AIWS_SIGNING_KEY",
        )


@dataclass(frozen=True)
class _Remote:
    """What GitHub says of the repository, the tag and the channel. `content` is None if it is not known."""

    session: Session
    github: GitHub
    order: Publication
    content: Content | None = None
    at: Committed = _UNKNOWN

    def commit(self) -> Committed:
        """The commit that the release is of. Raises UsageError, UnreachableError, IntegrityError."""
        if not self.github.has_token:
            raise UsageError("no token to publish with", "set GH_TOKEN or GITHUB_TOKEN")
        tagged, digits = self.github.tag_commit(self.order.tag), runtime_commit(self.order.tag)
        env = self.session.env
        named = self.order.commit or digits or tagged
        if not named and env.get("GITHUB_REPOSITORY") == self.order.repository:
            named = env.get("GITHUB_SHA", "").strip().lower()
        if not named:
            raise UsageError(f"which commit is {self.order.tag}?", "give --commit SHA")
        found = self._looked_up(named)
        if found is None or not _same_commit(found.sha, named) or (digits and not found.sha.startswith(digits)):
            raise UnreachableError(f"{self.order.repository} has no commit {named}", "was it pushed?")
        if tagged and tagged != found.sha:
            message = f"the tag {self.order.tag} is at {tagged}, not at {found.sha}"
            raise IntegrityError(message, "publish under another tag, or from that commit")
        return found

    def _looked_up(self, named: str) -> Committed | None:
        try:
            return self.github.commit(named)
        except MissingError:  # not every server that behaves like GitHub has commits to look up
            if len(named) == _SHA1_DIGITS:
                return Committed(named)
            raise

    def signatures(self) -> Mapping[str, bytes]:
        """What others have signed of the release that is published, by name: that is not taken from it."""
        published = self.github.published(self.order.tag) if self.github.has_token else None
        assets = self.github.assets(published) if published else ()
        small = [one for one in assets if is_further(one.name) and one.complete and one.size <= LARGEST]
        return {one.name: self.github.read(self.github.asset_address(one), one.size) for one in small}

    def right(self) -> None:
        """Raise ForbiddenError if the token may not write. A commit is not needed to tell, so any will do."""
        if self.github.has_token and self.github.may_write(self.order.tag, self.order.commit) is False:
            hint = "GH_TOKEN needs write access to contents (in a workflow: `contents: write`)"
            raise ForbiddenError(f"the token may not write to {self.order.repository}", hint)

    def release(self) -> None:
        """Raise if the tag is published with something that is not ours to change, or that nobody can change."""
        published = self.github.published(self.order.tag) if self.github.has_token else None
        if published is None:
            return
        if self.order.replace and offline_number(self.order.tag):
            following = next_offline_tag(self.github.releases())
            message = f"{published.tag_name} is published, and hosts keep for ever what they have of it"
            raise UsageError(f"{message}: it is never replaced", f"take the next number: --tag {following}")
        if self.order.replace and published.immutable:
            message = f"{published.tag_name} is immutable, so it cannot be replaced"
            raise WorkError(message, "publish under another tag")
        if self.content is None:
            return
        assets = self.github.assets(published)
        if self.content.told.signer is None and not (self.order.replace and self.order.unsigned):
            _refuse_unsigning(published.tag_name, assets)
        if not self.order.replace:
            there = compare(assets, self.content.pieces(self.order.place(self.at)))
            refuse_mixing(published, there, self.github.releases)

    def channel(self) -> None:
        """Raise if the channel cannot move, or is no channel."""
        if not self.order.channel or not self.github.has_token:
            return
        moving = self.github.published(self.order.channel)
        others = (one for one in self.github.releases() if not one.draft and one.tag_name != self.order.channel)
        keeps = self.github.keeps_releases()
        if keeps is None:  # this token may not ask: the newest release shows it
            keeps = any(one.immutable for one in islice(others, 1))
        if keeps:
            raise immovable(self.order)
        if moving and moving.immutable:
            raise immovable(self.order, alone=True)
        if moving is None or self.order.channel == CHANNEL:
            return
        if channel.NAME not in {asset.name for asset in self.github.assets(moving)}:
            hint = "it would be replaced as a whole; choose another name, or delete it yourself"
            raise WorkError(f"{self.order.channel} is a release of {self.order.repository} and no channel", hint)

    def strays(self) -> None:
        """Tell of drafts that publishes of other tags left behind: only they can tell what they are good for."""
        ours = (self.order.tag, self.order.channel)
        for release in self.github.releases() if self.github.has_token else ():
            mark = notes.mark_of(release.body) if release.draft else None
            if mark and mark.tag not in ours:
                seen = "" if release.tag_name == draft_tag(mark.tag) else "; who lists drafts takes it for a release"
                self.session.progress.say(f"note: a publish of {mark.tag} was not finished: {release.html_url}{seen}")
