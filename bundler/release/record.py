"""The delivery record that maintainers file after a release, as Markdown and as JSON; and the documents it draws on.

The documents are what `aiws-bundle --json verify` and `aiws-bundle --json rehearse` printed. They come from other jobs,
so they are checked; what they say is never taken for markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import ClassVar, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from bundler.errors import UsageError
from bundler.model.json_text import limited
from bundler.model.markdown import escaped
from bundler.model.ways import DeltaName
from bundler.sidecars.table import over_release
from bundler.sizes import size_text
from bundler.terminal import Json

_CONFIG = ConfigDict(extra="ignore")
# CommonMark, 2.4: every ASCII punctuation character may be escaped.


@dataclass(frozen=True)
class Reason:
    """Why a command came to no result."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    message: str


@dataclass(frozen=True)
class Judged:
    """The verdict on one archive."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    path: str
    ok: bool
    integrity: tuple[str, ...] = ()
    closure: tuple[str, ...] = ()


@dataclass(frozen=True)
class PublishedAsset:
    """One asset as it was found on a release: its size in bytes, and its SHA-256 (hex), "" if it is not known."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    name: str
    size: int
    sha256: str = ""


@dataclass(frozen=True)
class VerifiedRelease:
    """The verdict on a published release."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    repository: str
    tag: str
    ok: bool
    commit: str = ""
    url: str = ""
    findings: tuple[str, ...] = ()
    archives: tuple[Judged, ...] = ()
    assets: tuple[PublishedAsset, ...] = ()
    error: Reason | None = None


@dataclass(frozen=True)
class Verification:
    """What `aiws-bundle --json verify` prints."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    ok: bool
    archives: tuple[Judged, ...] = ()
    folders: tuple[str, ...] = ()
    releases: tuple[VerifiedRelease, ...] = ()
    errors: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class RehearsedStep:
    """One step of a rehearsal."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    name: str
    ok: bool
    seconds: float = 0.0
    attempts: tuple[Mapping[str, str | None], ...] = ()


@dataclass(frozen=True)
class RehearsalRecord:
    """What `aiws-bundle --json rehearse` prints; `sha256` is the archive's, "" where that was not told."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    archive: str
    ok: bool
    sha256: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    integrity: tuple[str, ...] = ()
    closure: tuple[str, ...] = ()
    steps: tuple[RehearsedStep, ...] = ()
    unlisted: str | None = None

    @property
    def name(self) -> str:
        """The archive's file name."""
        return self.archive.rpartition("/")[2]

    @property
    def failures(self) -> list[str]:
        """The steps that failed, and what was found of the archive."""
        return [step.name for step in self.steps if not step.ok] + [*self.integrity, *self.closure]

    @property
    def attempts(self) -> str:
        """How often it tried to reach a network, as far as that is known."""
        return "not known" if self.unlisted else str(sum(len(step.attempts) for step in self.steps))


@dataclass(frozen=True)
class Failure:
    """What `aiws-bundle --json` prints where a command came to no result."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    error: Reason


@dataclass(frozen=True)
class DeliveredAsset:
    """One asset: its size in bytes and SHA-256, and what it says it is; `component` is "" for a list of others.

    `inputs` is the digest of the manifests and locks that it was made of; `commit` is that of another repository's
    component, where it has one. The release's own commit is the record's.
    """

    name: str
    size: int
    sha256: str
    component: str = ""
    version: str = ""
    host: str = ""
    inputs: str = ""
    commit: str = ""


@dataclass(frozen=True)
class DeliveryRecord:
    """Everything about one delivery. `run` is the workflow run's address, "" outside of one.

    `unverified` and `unrehearsed` tell why there is no result, by the file that says so.
    """

    repository: str
    tag: str
    commit: str
    run: str
    attempt: str
    assets: tuple[DeliveredAsset, ...]
    findings: tuple[str, ...]
    verifications: tuple[Verification, ...]
    rehearsals: tuple[RehearsalRecord, ...]
    unverified: Mapping[str, str] = field(default_factory=dict)
    unrehearsed: Mapping[str, str] = field(default_factory=dict)


T = TypeVar("T")


def parse(kind: type[T], content: bytes, where: str) -> T | Failure:
    """Read a document that another command printed, be it its failure. Raises UsageError for anything else."""
    try:
        limited(content)
    except ValueError as error:
        raise UsageError(f"{where}: {error}", "give a file with what --json printed") from error
    try:
        return cast("TypeAdapter[T]", _adapter(kind)).validate_json(content)  # type: ignore[arg-type]
    except ValidationError as error:
        with suppress(ValidationError):
            return cast("TypeAdapter[Failure]", _adapter(Failure)).validate_json(content)
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        command = "verify" if kind is Verification else "rehearse"
        hint = f"give a file with what `aiws-bundle --json {command}` printed"
        raise UsageError(f"{where}: {place + ': ' if place else ''}{first['msg']}", hint) from error


def only_published(
    assets: Sequence[DeliveredAsset], verifications: Sequence[Verification]
) -> tuple[list[DeliveredAsset], list[str]]:
    """Compare what was delivered with what was found on releases.

    Returns the assets that are on a release alone, such as parts, and where the two disagree. What is over
    a release as a whole, such as its checksums, is its own.
    """
    ours = {asset.name: asset for asset in assets}
    more: dict[str, DeliveredAsset] = {}
    findings = []
    for release in (release for one in verifications for release in one.releases):
        for found in release.assets:
            mine = ours.get(found.name)
            if mine is None:
                more[found.name] = DeliveredAsset(found.name, found.size, found.sha256)
            elif found.name not in over_release(release.tag) and found.sha256 and found.sha256 != mine.sha256:
                where = f"{release.repository}@{release.tag}"
                findings.append(f"{found.name}: expected {mine.sha256}, actual {found.sha256} on {where}")
    return list(more.values()), findings


@cache
def _adapter(kind: type[object]) -> TypeAdapter[object]:
    return TypeAdapter(kind)


def document(record: DeliveryRecord) -> dict[str, Json]:
    """The record as plain data for JSON."""
    return asdict(record)


def markdown(record: DeliveryRecord) -> str:
    """The record as Markdown."""
    return "\n".join((*_heading(record), *_assets(record), *_verified(record), *_rehearsed(record))) + "\n"


def _heading(record: DeliveryRecord) -> Iterator[str]:
    yield f"# Delivery record: {escaped(record.tag or 'not published')}"
    yield ""
    yield "| | |"
    yield "|---|---|"
    for what, value in (
        ("repository", record.repository),
        ("tag", record.tag),
        ("commit", record.commit),
        ("workflow run", f"{record.run} (attempt {record.attempt})" if record.run else ""),
        ("components", ", ".join(sorted({f"{a.component} {a.version}".strip() for a in record.assets if a.component}))),
        *_deltas(record),
    ):
        yield f"| {what} | {escaped(value) or 'unknown'} |"
    for finding in record.findings:
        yield f"\n**Wrong:** {escaped(finding)}"


def _deltas(record: DeliveryRecord) -> Iterator[tuple[str, str]]:
    """How many deltas a release has, from how many older archives, in one line; nothing where it has none."""
    named = {a.name: said for a in record.assets if (said := DeltaName.parse(a.name))}
    if named:
        size = sum(a.size for a in record.assets if a.name in named)
        old = len({said.old for said in named.values()})
        yield "deltas", f"{len(named)} from {old} older archives, {size_text(size)}"


def _assets(record: DeliveryRecord) -> Iterator[str]:
    yield "\n## Assets\n"
    yield "| asset | component | host | bytes | SHA-256 | made from |"
    yield "|---|---|---|--:|---|---|"
    for a in record.assets:
        what = f"{a.component} {a.version}".strip()
        made_from = f"inputs {a.inputs}" if a.inputs else f"commit {a.commit}" if a.commit else ""
        cells = (a.name, what, a.host, str(a.size), a.sha256, made_from)
        yield f"| {' | '.join(map(escaped, cells))} |"


def _verified(record: DeliveryRecord) -> Iterator[str]:
    yield "\n## Verification\n"
    if not record.verifications and not record.unverified:
        yield "Not verified."
    for where, why in record.unverified.items():
        yield f"- {_mark(False)} {escaped(f'{where}: no result: {why}')}"
    for one in record.verifications:
        for release in one.releases:
            where = f"{release.repository}@{release.tag} {release.url}".rstrip()
            yield f"- {_mark(release.ok)} {escaped(where)}"
            yield from _findings(
                (
                    *((release.error.message,) if release.error else ()),
                    *release.findings,
                    *(f for a in release.archives for f in (*a.integrity, *a.closure)),
                )
            )
        bad = [archive for archive in one.archives if not archive.ok]
        if one.archives:
            yield f"- {_mark(not bad and not one.folders)} {len(one.archives)} archives in a folder"
        yield from _findings(one.folders)
        yield from (f"- {_mark(False)} {escaped(f'no result: {error.message}')}" for error in one.errors)
        for archive in bad:
            yield from _findings([f"{archive.path}: {finding}" for finding in (*archive.integrity, *archive.closure)])


def _rehearsed(record: DeliveryRecord) -> Iterator[str]:
    yield "\n## Rehearsals without a network\n"
    yield "| archive | result | versions | attempts to reach a network |"
    yield "|---|---|---|--:|"
    for where, why in record.unrehearsed.items():
        yield f"| {escaped(where)} | {escaped(f'FAILED: no result: {why}')} | | |"
    there = {rehearsal.name: rehearsal for rehearsal in record.rehearsals}
    names = [asset.name for asset in record.assets if asset.host] + list(there)
    for name in dict.fromkeys(names):
        rehearsal = there.get(name)
        if rehearsal is None:
            yield f"| {escaped(name)} | not rehearsed | | |"
            continue
        result = "ok" if rehearsal.ok else f"FAILED: {'; '.join(rehearsal.failures)}"
        versions = ", ".join(f"{what} {version}" for what, version in rehearsal.versions.items())
        yield f"| {escaped(name)} | {escaped(result)} | {escaped(versions)} | {rehearsal.attempts} |"


def _findings(findings: Sequence[str]) -> Iterator[str]:
    yield from (f"  - {escaped(finding)}" for finding in findings)


def _mark(good: bool) -> str:
    return "ok:" if good else "**NOT ok:**"
