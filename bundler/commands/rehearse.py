"""`rehearse`: install an archive where there is no network, and report."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.own_folder import private_folder
from bundler.adapters.regular import read_regular
from bundler.adapters.sandbox import opened
from bundler.errors import UsageError
from bundler.kinds.wheelhouse.examine import examine
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.kinds.wheelhouse.rehearse import Rehearsal, Rehearsing, Step
from bundler.model.verdict import Verdict
from bundler.platforms import runner
from bundler.session import Settings

_LARGEST_RELEASE = 1 << 16


@dataclass(frozen=True)
class RehearsalReport:
    """The verdict on the archive, and what came of the rehearsal; None if the archive did not verify."""

    archive: Path
    root: Path
    verdict: Verdict
    rehearsal: Rehearsal | None

    @property
    def exit_code(self) -> int:
        """0 if every step worked; 3 if the archive's integrity fails; else 1."""
        if self.verdict.integrity:
            return 3
        return 0 if self.rehearsal and self.rehearsal.good else 1


def rehearse(settings: Settings, archive: Path, root: Path | None) -> RehearsalReport:
    """Verify `archive`, then install and run it in a sandbox around `root` (default: this host), with no network.

    Raises UsageError if the archive or root is not there or the root is another distro's,
    WorkError if no sandbox can be made.
    """
    if not archive.is_file():
        raise UsageError(f"{archive} is not a file", "give an archive that `build` made")
    place = root or Path("/")
    judged = examine(archive)
    verdict, facts, contents = judged.verdict, judged.facts, judged.contents
    if not verdict.good or facts is None or contents is None:
        return RehearsalReport(archive, place, verdict, None)
    _check_root(place, facts)
    _check_runner(place, facts)
    with opened(place, facts.interpreter.machine, private_folder(settings.cache_dir, "rehearsal"), archive) as sandbox:
        rehearsing = Rehearsing(sandbox, facts, contents.top, lambda step: _tell(settings, step))
        return RehearsalReport(archive, place, verdict, rehearsing.rehearse())


def _tell(settings: Settings, step: Step) -> None:
    settings.progress.say(f"{'ok' if step.good else 'FAILED'}  {step.seconds:6.1f} s  {step.name}")


def _check_runner(root: Path, facts: ArchiveManifest) -> None:
    """Check that this host runs the archive's programs: of itself, or another root's through an emulator."""
    platform, host = facts.interpreter.platform, os.uname()
    way = runner(platform, host.sysname, host.machine)
    if way == "nothing":
        raise UsageError(f"nothing here runs programs for {platform}", "rehearse on a host of that kind")
    if root == Path("/") and way != "native":
        raise UsageError(
            f"this host is {host.machine}, the archive is for {facts.arch}", f"give --root of {facts.arch}"
        )


def _check_root(root: Path, facts: ArchiveManifest) -> None:
    """Check that `root` is what the archive is for (os-release(5))."""
    wanted = f"{facts.distro} {facts.version}"
    path = next((p for p in (root / "etc/os-release", root / "usr/lib/os-release") if p.is_file()), None)
    if path is None:
        raise UsageError(f"{root} is no root of a distribution: it has no os-release", f"unpack one of {wanted}")
    lines = read_regular(path, _LARGEST_RELEASE).decode("utf-8", "replace").splitlines()
    release = {name: value.strip("\"'") for name, _, value in (line.partition("=") for line in lines)}
    found = f"{release.get('ID')} {release.get('VERSION_ID')}"
    if found != wanted:
        hint = f"give --root with an unpacked root of {wanted}, or rehearse on such a host"
        raise UsageError(f"{root} is {found}, the archive is for {wanted}", hint)
