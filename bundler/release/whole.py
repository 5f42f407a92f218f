"""Whether a folder or a release is whole, before something is made of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bundler.adapters.regular import read_regular
from bundler.errors import BundleError, IntegrityError, PreflightError, UsageError
from bundler.model.sidecar import SidecarFacts
from bundler.model.verdict import Finding, Verdict
from bundler.release.folder import VerifyReport, verify
from bundler.session import Session
from bundler.sidecars import sums


def whole_folder(session: Session, folder: Path, told: SidecarFacts, so: str) -> tuple[bytes, VerifyReport]:
    """Return the SHA256SUMS of a folder in which everything is as it says, and what was verified.

    Raises PreflightError, which says what does not come of it (`so it is not signed`); UsageError.
    """
    path = folder / sums.NAME
    if not path.is_file():
        raise UsageError(f"{folder} holds no {sums.NAME}", "give a folder that `build` filled, or a release's assets")
    content = read_regular(path, sums.LARGEST)
    session.progress.say(f"verifying {folder}")
    report = verify([folder], session.progress, told)
    verdicts = ((path.name, verdict) for path, verdict in report.verdicts)
    refuse_unless_whole(str(folder), report.folder_findings, verdicts, so)
    return content, report


def refuse_unless_whole(
    subject: str, findings: Iterable[Finding], verdicts: Iterable[tuple[str, Verdict]], so: str
) -> None:
    """Raise PreflightError if anything is wrong with archives, by their names, or around them."""
    problems: list[BundleError] = [
        IntegrityError(f"{name}: {fault}")
        for name, verdict in verdicts
        for fault in (*verdict.integrity, *verdict.closure)
    ]
    problems += [IntegrityError(one.message) for one in findings if one.grade != "note"]
    if problems:
        raise PreflightError(f"{subject} is not whole, {so}:", problems)
