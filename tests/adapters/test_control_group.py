"""Groups of sandboxes that are made at the same time; folders stand in for the kernel's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bundler.adapters import control_group as adapter
from bundler.adapters.control_group import control_group


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "groups"
    folder.mkdir()

    def places(_: int, boots: bool) -> Iterator[tuple[Path, Mapping[str, int]]]:
        yield folder, {}

    monkeypatch.setattr(adapter, "_places", places)
    return folder


def test_a_group_that_was_just_made_is_left_to_its_sandbox(base: Path) -> None:
    with control_group() as (first,):
        with control_group() as (second,):
            assert first.is_dir() and second.is_dir()
        assert list(base.iterdir()) == [first]
    assert not list(base.iterdir())


def test_what_a_killed_run_left_is_removed(base: Path) -> None:
    left = base / "aiws-bundle-1-1"
    left.mkdir()
    os.utime(left, (0, 0))
    with control_group():
        assert not left.exists()


def test_groups_below_go_with_it_and_not_one_while_a_process_is_in_any(base: Path) -> None:
    below = base / "aiws-bundle-1-1" / "payload" / "system.slice"
    (below / "empty.service").mkdir(parents=True)
    processes = below / "cgroup.procs"
    processes.write_text("7\n")
    os.utime(base / "aiws-bundle-1-1", (0, 0))
    with control_group(boots=True):
        assert (below / "empty.service").is_dir()
    processes.unlink()  # the kernel's own files are no obstacle to rmdir(2); these would be
    with control_group(boots=True):
        assert not (base / "aiws-bundle-1-1").exists()
