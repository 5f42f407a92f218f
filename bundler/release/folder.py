"""A folder of archives on this machine: what it holds, against its SHA256SUMS and the sidecars beside the archives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from bundler.adapters.digest import sha256_of
from bundler.adapters.regular import read_regular
from bundler.adapters.sums import read_sums
from bundler.errors import BundleError, UsageError, gravest
from bundler.kinds.verify import judge
from bundler.model.inventory import Inventory
from bundler.model.known_bad import KnownBad
from bundler.model.sidecar import NOTHING_TOLD, Files, SidecarFacts
from bundler.model.signatures import NOBODY, Signed, form_of
from bundler.model.verdict import Finding, Verdict
from bundler.model.ways import DeltaName
from bundler.progress import Progress
from bundler.release import beside
from bundler.release.delta_findings import delta_findings, faults
from bundler.release.signed import signatures_of
from bundler.sidecars import sums
from bundler.transfer.applied import header_of
from bundler.words import ARCHIVE, archive_of


@dataclass(frozen=True)
class VerifyReport:
    """Verdicts by path, what was found of the folders around the archives, and `errors` of what could not be read.

    `signed` tells who signed the SHA256SUMS of each path that has one in it, or beside it.
    """

    verdicts: tuple[tuple[Path, Verdict], ...]
    folder_findings: tuple[Finding, ...]
    errors: tuple[BundleError, ...] = ()
    signed: tuple[tuple[Path, Signed], ...] = ()

    @property
    def inventories(self) -> Mapping[str, Inventory]:
        """What the archives hold that could be read, by their names."""
        return {path.name: verdict.inventory for path, verdict in self.verdicts if verdict.inventory}

    @property
    def exit_code(self) -> int:
        """3 if a digest, list or layout disagrees; else that of the gravest error; 1 if a closure fails; else 0."""
        grades = {finding.grade for finding in self.folder_findings}
        if "integrity" in grades or any(verdict.integrity for _, verdict in self.verdicts):
            return 3
        return gravest(self.errors) or (1 if any(verdict.closure for _, verdict in self.verdicts) else 0)


@dataclass(frozen=True)
class Folder:
    """The archives of a folder, all that it holds by name, what was found of it, and who signed its SHA256SUMS."""

    archives: tuple[Path, ...]
    files: Files
    findings: tuple[Finding, ...]
    signed: Signed = NOBODY


def verify(paths: Sequence[Path], progress: Progress, told: SidecarFacts = NOTHING_TOLD) -> VerifyReport:
    """Verify archives, and folders with all archives in them and the SHA256SUMS that covers them.

    Raises UsageError for a folder without archives, and for a path that is not there.
    """
    report = verify_each(paths, progress, told=told)
    if report.errors:
        raise report.errors[0]
    return report


def verify_each(
    paths: Sequence[Path],
    progress: Progress,
    bad: KnownBad = MappingProxyType({}),
    told: SidecarFacts = NOTHING_TOLD,
) -> VerifyReport:
    """Verify as `verify` does; what that raises is in the report's `errors`, and all other paths are verified.

    No archive may hold what is known to be `bad`. `told` is what sidecars are told beside what is there: whom to trust,
    and whether all that a folder's SHA256SUMS lists has to be there.
    """
    inside: dict[Path, Sequence[Path]] = {}
    findings: list[Finding] = []
    errors: list[BundleError] = []
    for path in paths:
        try:
            inside[path] = _archives_of(path, partial=told.partial)
        except BundleError as error:
            errors.append(error)
    archives = [archive for path in paths for archive in inside.get(path, ())]
    verdicts = judge([(path, path.name) for path in archives], progress, bad, told.trust.licences)
    judged = tuple(zip(archives, verdicts, strict=True))
    digests = {path: verdict.sha256 for path, verdict in judged if verdict.sha256}
    signed: list[tuple[Path, Signed]] = []
    for path, own in inside.items():
        among = frozenset(own)
        held = {name.name: verdict.inventory for name, verdict in judged if name in among and verdict.inventory}
        facts = replace(told, inventories=held)
        looked = (look if path.is_dir() else look_beside)(path, facts, digests)
        findings += looked.findings
        findings += look_at_delta(path, digests) if DeltaName.parse(path.name) and path.is_file() else ()
        signed.append((path, looked.signed))
    return VerifyReport(judged, tuple(findings), tuple(errors), tuple(signed))


def _archives_of(path: Path, *, partial: bool) -> Sequence[Path]:
    """The archives that a path names. Raises UsageError."""
    if path.is_dir():
        return _inside(path, partial=partial).archives
    if path.is_file():
        return [] if DeltaName.parse(path.name) else [path]
    raise UsageError(f"{path} is not there", "give an archive, a delta or a folder of archives")


@dataclass(frozen=True)
class _Inside:
    """What a folder holds by name, the archives of that, and what its SHA256SUMS says."""

    there: Mapping[str, Path]
    archives: tuple[Path, ...]
    listed: Mapping[str, str]


def _inside(folder: Path, *, partial: bool) -> _Inside:
    """Look into a folder. Raises UsageError if it holds nothing to compare."""
    there = {path.name: path for path in sorted(folder.iterdir()) if not path.name.startswith(".")}
    archives = tuple(path for name, path in there.items() if name.endswith(ARCHIVE) and path.is_file())
    if not archives and sums.NAME not in there:
        raise UsageError(f"{folder} holds no archive", fill(folder))
    listed = _lines(there.get(sums.NAME))
    made = {said.archive for name in there if (said := DeltaName.parse(name))}
    if partial and listed and not (there.keys() | made) & listed.keys():
        raise UsageError(f"{folder} holds no file that its {sums.NAME} lists", "put what you downloaded beside it")
    return _Inside(there, archives, listed)


def look(folder: Path, told: SidecarFacts = NOTHING_TOLD, digests: Mapping[Path, str] = MappingProxyType({})) -> Folder:
    """Compare a folder with what stands beside the archives in it. Raises UsageError if it holds nothing to compare.

    What SHA256SUMS does not list is not read: its digest is "". `told` is what sidecars are told beside what is there,
    `digests` the SHA-256 of files that were read before.
    """
    inside = _inside(folder, partial=told.partial)
    found: list[Finding] = []
    known = {name: _known(path, name in inside.listed, digests, found) for name, path in inside.there.items()}

    def text(name: str, limit: int) -> bytes:
        return read_regular(folder / name, limit)

    facts = replace(reading(folder, told), files=known)
    found += beside.findings(facts, text)
    found += delta_findings(facts, text, inside.there.get, _known_as(digests))
    signed = signatures_of(facts, text)
    found += signed.findings
    placed = [Finding(_placed(folder, one.message), one.grade) for one in found]
    if not inside.archives:
        why = "no archive is here to be verified; parts are joined with cat, in their order"
        placed.append(Finding(f"{folder}: {why}", "note"))
    return Folder(inside.archives, known, tuple(placed), signed)


def reading(folder: Path, told: SidecarFacts) -> SidecarFacts:
    """The same facts, and how files of a folder are read."""
    return beside.reading(told, lambda name: path if (path := folder / name).exists() else None)


def _placed(folder: Path, message: str) -> str:
    """What is told of a file by its name, with the folder before it; what could not be read has its whole path."""
    return message if message.startswith(f"{folder}/") else f"{folder}/{message}"


def fill(folder: Path) -> str:
    """What to do about a folder without archives."""
    return f"fill it: `aiws-bundle build all --out {folder}`"


def _known(path: Path, listed: bool, digests: Mapping[Path, str], found: list[Finding]) -> tuple[int, str]:
    """A file's size and, if it is listed, its digest; what is no file is a finding then."""
    if not path.is_file():
        if listed:
            found.append(Finding(f"{path.name}: is not a regular file"))
        return 0, ""
    return path.stat().st_size, (digests.get(path) or sha256_of(path)) if listed else ""


def _lines(path: Path | None) -> Mapping[str, str]:
    """What SHA256SUMS says; nothing if it cannot be read, which its own findings tell."""
    try:
        return read_sums(path) if path else {}
    except BundleError:
        return {}


def look_beside(path: Path, told: SidecarFacts, digests: Mapping[Path, str]) -> Folder:
    """Compare one archive with its sidecars and the SHA256SUMS beside it, if it is listed, and look who signed that."""
    listing = path.parent / sums.NAME
    there = [sums.NAME, *(one.name for one in sorted(path.parent.glob(f"{sums.NAME}.*")) if one.is_file())]
    try:
        listed = read_sums(listing) if listing.is_file() else {}
        actual = digests.get(path) or sha256_of(path)
    except BundleError as error:
        return Folder((path,), {}, (Finding(error.message),))
    if actual != listed.get(path.name, actual):
        return Folder((path,), {}, (Finding(sums.disagreement(str(path), listed[path.name], actual)),))
    own = tuple(_own(path, actual, listed, told))
    if path.name in listed and (told.demand is None or told.demand.insist or any(map(form_of, there))):
        facts = replace(told, files=dict.fromkeys(there, (0, "")))
        signed = signatures_of(facts, lambda name, limit: read_regular(path.parent / name, limit))
        placed = (Finding(_placed(path.parent, one.message), one.grade) for one in signed.findings)
        return Folder((path,), {}, (*own, *placed), signed)
    return Folder((path,), {}, (*own, *_alone(path, told)))


def look_at_delta(path: Path, digests: Mapping[Path, str]) -> Iterator[Finding]:
    """Yield what a single delta leads from and to, and what is wrong with it: it is applied if the old one is at hand.

    What it makes has to be what a SHA256SUMS beside it lists, if that lists the delta.
    """
    listed, old = _lines(listing if (listing := path.parent / sums.NAME).is_file() else None), _known_as(digests)
    said = DeltaName.parse(path.name)
    expected = listed.get(said.archive, "") if said and path.name in listed else ""
    found = [Finding(_placed(path.parent, one)) for one in faults(path, path.name, expected, None, old)]
    yield from found
    if not found:
        header = header_of(path, path.name)
        proof = "which was applied" if old(header.old_sha256) else "which is not at hand, so nothing was applied"
        told = f"a delta to {header.new.name} from the archive with SHA-256 {header.old_sha256}, {proof}"
        yield Finding(f"{path}: {told}", "note")


def _known_as(digests: Mapping[Path, str]) -> Callable[[str], Path | None]:
    """Finds a file of those that were read by its SHA-256."""
    return {sha256: path for path, sha256 in digests.items()}.get


def _own(path: Path, sha256: str, listed: Mapping[str, str], told: SidecarFacts) -> Iterator[Finding]:
    """Yield what is wrong with the sidecars beside one archive."""
    folder, found = path.parent, list[Finding]()
    near = [one for one in sorted(folder.iterdir()) if one != path and archive_of(one.name) == path.name]
    files = {one.name: _known(one, one.name in listed, {}, found) for one in near}
    differ = [name for name, (_, actual) in files.items() if actual and actual != listed[name]]
    found += [Finding(sums.disagreement(name, listed[name], files[name][1])) for name in differ]
    facts = replace(reading(folder, told), files={path.name: (path.stat().st_size, sha256), **files})
    found += beside.findings(facts, lambda name, limit: read_regular(folder / name, limit), "archive")
    yield from (Finding(_placed(folder, one.message), one.grade) for one in found)


def _alone(path: Path, told: SidecarFacts) -> Iterator[Finding]:
    """What one archive does not prove, which is only told if nobody insists on it."""
    if told.demand is not None:
        least = told.demand.insist or told.demand.floor
        yield Finding(
            f"{path}: agrees with itself, which does not prove where it is from\n"
            f"    what would is its release's {sums.NAME} and the signatures of that, put beside it",
            "integrity" if least else "note",
        )
