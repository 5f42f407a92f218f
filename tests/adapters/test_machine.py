"""What a machine takes that boots; `tests/acceptance/test_machine.py` boots some."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bundler.adapters.machine import lacking

HERE = os.uname().machine


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with everything, on a host with everything."""
    for path in ("usr/lib/systemd/systemd", "usr/bin/dbus-daemon", "usr/bin/sudo"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path


def test_nothing_is_lacking_where_all_is_there(root: Path) -> None:
    assert lacking(root, HERE) == ""


def test_what_the_root_lacks_is_told_with_what_to_add(root: Path) -> None:
    (root / "usr/bin/sudo").unlink()
    (root / "usr/lib/systemd/systemd").unlink()
    told = "the root has no systemd, sudo: make one with mmdebstrap --include=systemd,dbus,sudo"
    assert lacking(root, HERE) == told


def test_a_link_that_leads_out_of_the_root_is_not_followed(root: Path) -> None:
    (root / "usr/bin/sudo").unlink()
    (root / "usr/bin/sudo").symlink_to("/nowhere")
    assert lacking(root, HERE) == ""


def test_what_the_host_lacks_is_told_with_what_to_do(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lacking(Path("/"), HERE).startswith("the host's own root is not booted: give --root")
    assert lacking(root, "riscv64") == "programs for riscv64 do not boot on this host: rehearse on such a host"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert lacking(root, HERE) == "systemd-nspawn is not here: apt install systemd-container"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert lacking(root, HERE) == "to boot a root takes root: run as root"
