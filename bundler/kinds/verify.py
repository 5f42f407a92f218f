"""Verify archives and folders of archives on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.digest import sha256_of
from bundler.adapters.sums import read_sums
from bundler.errors import BundleError, UsageError, gravest
from bundler.kinds import kind_of
from bundler.model.verdict import Verdict
from bundler.progress import Progress
from bundler.sidecars import sums

_AT_ONCE = 2


@dataclass(frozen=True)
class VerifyReport:
    """Verdicts by path, what is wrong with the folders around the archives, and `errors` of what could not be read."""

    verdicts: tuple[tuple[Path, Verdict], ...]
    folder_findings: tuple[str, ...]
    errors: tuple[BundleError, ...] = ()

    @property
    def exit_code(self) -> int:
        """3 if a digest, list or layout disagrees; else that of the gravest error; 1 if a closure fails; else 0."""
        if self.folder_findings or any(verdict.integrity for _, verdict in self.verdicts):
            return 3
        return gravest(self.errors) or (1 if any(verdict.closure for _, verdict in self.verdicts) else 0)


def verify(paths: Sequence[Path], progress: Progress) -> VerifyReport:
    """Verify archives, and folders with all archives in them and the SHA256SUMS that covers them.

    Raises UsageError for a path that is not there, and for a folder without archives.
    """
    report = verify_each(paths, progress)
    if report.errors:
        raise report.errors[0]
    return report


def verify_each(paths: Sequence[Path], progress: Progress) -> VerifyReport:
    """Verify as `verify` does; what that raises is in the report's `errors`, and all other paths are verified."""
    archives: list[Path] = []
    findings: list[str] = []
    errors: list[BundleError] = []
    for path in paths:
        try:
            inside, wrong = _gathered(path)
        except BundleError as error:
            errors.append(error)
            continue
        archives += inside
        findings += wrong
    verdicts = judge([(path, path.name) for path in archives], progress)
    return VerifyReport(tuple(zip(archives, verdicts, strict=True)), tuple(findings), tuple(errors))


def _gathered(path: Path) -> tuple[list[Path], list[str]]:
    """The archives that a path names, and where they disagree with the SHA256SUMS around them."""
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        return [path], _beside(path)
    raise UsageError(f"{path} is not there", "give an archive or a folder of archives")


def judge(archives: Sequence[tuple[Path, str]], progress: Progress) -> tuple[Verdict, ...]:
    """Verify archives, each a file and what it is called; several at a time."""
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        running = [pool.submit(kind_of(path, name).judge, path, name) for path, name in archives]
        verdicts: list[Verdict] = []
        for (_, name), future in zip(archives, running, strict=True):
            verdict = future.result()
            progress.say(f"verified {name}: {'ok' if verdict.good else 'NOT ok'}")
            verdicts.append(verdict)
        return tuple(verdicts)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # who interrupts does not wait for an archive's end


def _folder(folder: Path) -> tuple[list[Path], list[str]]:
    """The archives of a folder, and where it disagrees with its SHA256SUMS."""
    there = {path.name: path for path in sorted(folder.iterdir()) if not path.name.startswith(".")}
    beside = there.pop(sums.NAME, None)
    archives = [path for name, path in there.items() if name.endswith(".tar.gz") and path.is_file()]
    if beside is None:
        if not archives:
            raise UsageError(f"{folder} holds no archives")
        return archives, [f"{folder}: missing: {sums.NAME}"]
    try:
        listed = read_sums(beside)
    except BundleError as error:
        return archives, [error.message]
    findings = [f"{folder / name}: missing, but listed in {sums.NAME}" for name in listed if name not in there]
    findings += [f"{there[name]}: surplus: not listed in {sums.NAME}" for name in there if name not in listed]
    findings += [wrong for name in listed if name in there for wrong in _compare(there[name], listed[name])]
    return archives, findings


def _beside(path: Path) -> list[str]:
    """Compare one archive with the SHA256SUMS beside it, if there is one that lists it."""
    beside = path.parent / sums.NAME
    if not beside.is_file():
        return []
    try:
        listed = read_sums(beside)
    except BundleError as error:
        return [error.message]
    return _compare(path, listed[path.name]) if path.name in listed else []


def _compare(path: Path, expected: str) -> list[str]:
    try:
        actual = sha256_of(path)
    except UsageError as error:
        return [error.message]
    if actual == expected:
        return []
    return [f"{path}: SHA-256 differs from {sums.NAME}\n    expected {expected}\n    actual   {actual}"]
