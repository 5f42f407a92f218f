"""A folder of archives on this machine: what it holds, against its SHA256SUMS and the sidecars beside the archives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bundler.adapters.digest import sha256_of
from bundler.adapters.regular import chunks, read_regular
from bundler.adapters.sums import read_sums
from bundler.errors import BundleError, UsageError, gravest
from bundler.kinds.verify import judge
from bundler.model.known_bad import KnownBad
from bundler.model.sidecar import Files, SidecarFacts, UnreadError
from bundler.model.verdict import Finding, Verdict
from bundler.progress import Progress
from bundler.release import beside
from bundler.sidecars import sums
from bundler.words import ARCHIVE


@dataclass(frozen=True)
class VerifyReport:
    """Verdicts by path, what was found of the folders around the archives, and `errors` of what could not be read."""

    verdicts: tuple[tuple[Path, Verdict], ...]
    folder_findings: tuple[Finding, ...]
    errors: tuple[BundleError, ...] = ()

    @property
    def exit_code(self) -> int:
        """3 if a digest, list or layout disagrees; else that of the gravest error; 1 if a closure fails; else 0."""
        grades = {finding.grade for finding in self.folder_findings}
        if "integrity" in grades or any(verdict.integrity for _, verdict in self.verdicts):
            return 3
        return gravest(self.errors) or (1 if any(verdict.closure for _, verdict in self.verdicts) else 0)


@dataclass(frozen=True)
class Folder:
    """The archives of a folder, all that it holds by name, and what was found of it."""

    archives: tuple[Path, ...]
    files: Files
    findings: tuple[Finding, ...]


def verify(paths: Sequence[Path], progress: Progress) -> VerifyReport:
    """Verify archives, and folders with all archives in them and the SHA256SUMS that covers them.

    Raises UsageError for a folder without archives, and for a path that is not there.
    """
    report = verify_each(paths, progress)
    if report.errors:
        raise report.errors[0]
    return report


def verify_each(
    paths: Sequence[Path], progress: Progress, bad: KnownBad = MappingProxyType({}), *, partial: bool = False
) -> VerifyReport:
    """Verify as `verify` does; what that raises is in the report's `errors`, and all other paths are verified.

    No archive may hold what is known to be `bad`. With `partial`, not all that a folder's SHA256SUMS lists has to be
    there.
    """
    archives: list[Path] = []
    findings: list[Finding] = []
    errors: list[BundleError] = []
    for path in paths:
        try:
            inside, found = _gathered(path, partial=partial)
        except BundleError as error:
            errors.append(error)
            continue
        archives += inside
        findings += found
    verdicts = judge([(path, path.name) for path in archives], progress, bad)
    return VerifyReport(tuple(zip(archives, verdicts, strict=True)), tuple(findings), tuple(errors))


def _gathered(path: Path, *, partial: bool) -> tuple[Sequence[Path], Sequence[Finding]]:
    """The archives that a path names, and what was found of the files around them."""
    if path.is_dir():
        folder = look(path, partial=partial)
        return folder.archives, folder.findings
    if path.is_file():
        return [path], _listed_beside(path)
    raise UsageError(f"{path} is not there", "give an archive or a folder of archives")


def look(folder: Path, *, partial: bool = False) -> Folder:
    """Compare a folder with what stands beside the archives in it. Raises UsageError if it holds nothing to compare.

    What SHA256SUMS does not list is not read: its digest is "".
    """
    there = {path.name: path for path in sorted(folder.iterdir()) if not path.name.startswith(".")}
    archives = tuple(path for name, path in there.items() if name.endswith(ARCHIVE) and path.is_file())
    if not archives and sums.NAME not in there:
        raise UsageError(f"{folder} holds no archive", fill(folder))
    listed = _lines(there.get(sums.NAME))
    if partial and listed and not there.keys() & listed.keys():
        raise UsageError(f"{folder} holds no file that its {sums.NAME} lists", "put what you downloaded beside it")
    found: list[Finding] = []
    known = {name: _known(path, name in listed, found) for name, path in there.items()}

    def read(name: str) -> Iterator[bytes]:
        if name not in there:
            raise UnreadError(name)
        return chunks(folder / name)

    facts = SidecarFacts(known, read, partial=partial)
    found += beside.findings(facts, lambda name, limit: read_regular(folder / name, limit))
    placed = [Finding(_placed(folder, one.message), one.grade) for one in found]
    if not archives:
        why = "no archive is here to be verified; parts are joined with cat, in their order"
        placed.append(Finding(f"{folder}: {why}", "note"))
    return Folder(archives, known, tuple(placed))


def _placed(folder: Path, message: str) -> str:
    """What is told of a file by its name, with the folder before it; what could not be read has its whole path."""
    return message if message.startswith(f"{folder}/") else f"{folder}/{message}"


def fill(folder: Path) -> str:
    """What to do about a folder without archives."""
    return f"fill it: `aiws-bundle build all --out {folder}`"


def _known(path: Path, listed: bool, found: list[Finding]) -> tuple[int, str]:
    """A file's size and, if it is listed, its digest; what is no file is a finding then."""
    if not path.is_file():
        if listed:
            found.append(Finding(f"{path.name}: is not a regular file"))
        return 0, ""
    return path.stat().st_size, sha256_of(path) if listed else ""


def _lines(path: Path | None) -> Mapping[str, str]:
    """What SHA256SUMS says; nothing if it cannot be read, which its own findings tell."""
    try:
        return read_sums(path) if path else {}
    except BundleError:
        return {}


def _listed_beside(path: Path) -> Sequence[Finding]:
    """Compare one archive with the SHA256SUMS beside it, if there is one that lists it."""
    beside_it = path.parent / sums.NAME
    if not beside_it.is_file():
        return ()
    try:
        expected = read_sums(beside_it).get(path.name)
        actual = sha256_of(path) if expected else None
    except BundleError as error:
        return (Finding(error.message),)
    return () if actual == expected else (Finding(sums.disagreement(str(path), expected or "", actual or "")),)
