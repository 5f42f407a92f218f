"""What a rehearsal measures of a folder: no change that a program can make is missed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.adapters.jail_files import look


def rewrite(path: Path) -> None:
    """Other bytes, as many, under the time of the old ones."""
    times = path.stat()
    path.write_text("other")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def lead_elsewhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("second")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    (tmp_path / "first" / "file").write_text("bytes")
    (tmp_path / "link").symlink_to("first")
    return tmp_path


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: rewrite(folder / "first" / "file"),
        lambda folder: lead_elsewhere(folder / "link"),
        lambda folder: (folder / "third").mkdir(),
        lambda folder: (folder / "second").rmdir(),
        lambda folder: (folder / "first").chmod(0o777),
    ],
)
def test_every_change_is_seen(folder: Path, change: Callable[[Path], None]) -> None:
    before = look(str(folder))
    assert look(str(folder)) == before
    change(folder)
    assert look(str(folder)) != before


def test_byte_code_is_no_change(folder: Path) -> None:
    before = look(str(folder))
    assert isinstance(before, dict)
    (folder / "first" / "__pycache__").mkdir()
    (folder / "first" / "__pycache__" / "file.pyc").write_text("code")
    after = look(str(folder))
    assert isinstance(after, dict)
    assert after["digest"] == before["digest"] and after["files"] == 3


def test_links_to_folders_are_counted(folder: Path) -> None:
    counted = look(str(folder))
    assert isinstance(counted, dict)
    assert counted["files"] == 2
