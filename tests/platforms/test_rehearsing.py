"""A rehearsal asks the table what runs an archive's programs here."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bundler.kinds.steps import Measures, Rehearsal, Step
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.kinds.wheelhouse.program import Description
from tests.world import Ran, World


def rehearsed(locked: World, monkeypatch: pytest.MonkeyPatch, system: str, machine: str, root: Path) -> Ran:
    """Rehearse an archive for linux-amd64 on a host that uname(2) calls so, around a root of its distro."""
    assert locked.run("build", "debian-12-amd64").code == 0
    release = root / "etc" / "os-release"
    release.parent.mkdir(parents=True)
    release.write_text('ID=debian\nVERSION_ID="12"\n')
    uname = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((system, *uname[1:4], machine)))
    (archive,) = locked.dist.glob("*-debian-12-amd64.tar.gz")
    return locked.run("rehearse", str(archive), "--root", str(root))


def test_a_host_that_runs_no_such_programs_says_so(
    locked: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done = rehearsed(locked, monkeypatch, "Darwin", "x86_64", tmp_path / "root")
    assert done.code == 2
    assert "nothing here runs programs for linux-amd64" in done.err
    assert "rehearse on a host of that kind" in done.err


def test_a_foreign_machine_needs_an_emulator(locked: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    done = rehearsed(locked, monkeypatch, "Linux", "aarch64", tmp_path / "root")
    assert done.code == 1
    assert "this host cannot run programs for x86_64" in done.err


def test_the_table_says_where_a_wheelhouse_is_rehearsed(
    locked: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As a host's own sandbox would have it of any platform that says so."""
    monkeypatch.setattr("bundler.platforms.linux.REHEARSED", "host")
    done = rehearsed(locked, monkeypatch, "Linux", "x86_64", tmp_path / "root")
    assert (done.code, "an archive for linux-amd64 is rehearsed on the host itself" in done.err) == (2, True)
    asked: list[tuple[str, str]] = []

    def noted(archive: Path, top: str, facts: ArchiveManifest, description: Description, told: object) -> Rehearsal:
        asked.append((archive.name, top))
        return Rehearsal((Step("unpack", 0.1, good=True),), Measures(), unlisted="the log is closed")

    monkeypatch.setattr("bundler.kinds.wheelhouse.host_rehearsal.rehearse", noted)
    (archive,) = locked.dist.glob("*-debian-12-amd64.tar.gz")
    done = locked.run("rehearse", str(archive))
    assert (done.code, asked) == (0, [(archive.name, "litellm-runtime")])
    assert "attempts to reach the network: not known: the log is closed" in done.out
    assert json.loads(locked.run("--json", "rehearse", str(archive)).out)["unlisted"] == "the log is closed"
