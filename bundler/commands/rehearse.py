"""`rehearse`: install an archive where there is no network, and report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.cache_folder import MOUNTPOINT
from bundler.adapters.digest import sha256_of
from bundler.adapters.own_folder import in_use
from bundler.errors import UsageError
from bundler.kinds import kind_of
from bundler.kinds.manifests import components_at_hand
from bundler.kinds.steps import Rehearsal, Step
from bundler.kinds.verify import judge_any
from bundler.model.verdict import Verdict
from bundler.session import Session


@dataclass(frozen=True)
class RehearsalReport:
    """The verdict on the archive, and what came of the rehearsal; None if the archive did not verify."""

    archive: Path
    root: Path
    sha256: str
    verdict: Verdict
    rehearsal: Rehearsal | None

    @property
    def exit_code(self) -> int:
        """0 if every step worked; 3 if the archive's integrity fails; else 1."""
        if self.verdict.integrity:
            return 3
        return 0 if self.rehearsal and self.rehearsal.good else 1


def rehearse(session: Session, archive: Path, root: Path | None) -> RehearsalReport:
    """Verify `archive`, then install and run it in a sandbox around `root` (default: this host), with no network.

    How a program is started and asked, the manifests say, if there are any. Raises UsageError if the archive or root
    is not there or the root is another distro's, WorkError if no sandbox can be made.
    """
    if not archive.is_file():
        raise UsageError(f"{archive} is not a file", "give an archive that `build` made")
    place = root or Path("/")
    sha256 = sha256_of(archive)
    with in_use(session.cache_dir, MOUNTPOINT) as mountpoint:
        verdict, rehearsal = kind_of(archive, archive.name).rehearse(
            archive,
            place,
            mountpoint,
            judge_any,
            lambda: components_at_hand(session),
            lambda step: _tell(session, step),
        )
    return RehearsalReport(archive, place, sha256, verdict, rehearsal)


def _tell(session: Session, step: Step) -> None:
    session.progress.say(f"{step.result:7}  {step.seconds:6.1f} s  {step.name}")
