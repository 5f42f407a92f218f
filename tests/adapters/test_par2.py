"""PAR2: how much is repaired, and that it is, by any program."""

from __future__ import annotations

import os
import random
import re
import shutil
from pathlib import Path

import pytest

from bundler.adapters.par2 import Par2, layout, recovery_files
from bundler.adapters.par2_packets import recovery_sets
from bundler.adapters.process import run
from bundler.errors import UsageError, WorkError

SIZES = {f"v.{number:03}": 100_000 for number in range(1, 6)}


def _par2() -> Par2:
    try:
        return Par2(os.environ, run)
    except UsageError:
        pytest.skip("no par2 is here: install aiws-bundle[parity], or the package par2")


def _volumes(folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    contents = {name: random.Random(name).randbytes(size) for name, size in SIZES.items()}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return contents


def test_a_share_as_large_as_a_volume_repairs_it() -> None:
    for number in (1, 2, 3, 7, 12):
        for size in (1, 999, 1_000_003, 4_700_000_000):
            found = layout(dict.fromkeys(map(str, range(number)), size), 100 / number)
            assert found.block % 4 == 0
            assert sum(found.each.values()) <= 2000 + number
            assert found.recovery >= found.for_largest
    found = layout({"a": 1_000_000, "b": 1_000_000, "c": 1000}, 5)
    assert found.recovery < found.for_largest
    enough = layout({"a": 1_000_000, "b": 1_000_000, "c": 1000}, found.percent_for_largest)
    assert enough.recovery >= enough.for_largest
    less = layout({"a": 1_000_000, "b": 1_000_000, "c": 1000}, found.percent_for_largest - 1)
    assert less.recovery < less.for_largest


@pytest.mark.slow
def test_a_lost_volume_is_repaired_and_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    par2, plan = _par2(), layout(SIZES, 20)
    contents = _volumes(tmp_path / "a")
    _volumes(tmp_path / "b")
    for name in ("a", "b"):
        par2.create(tmp_path / name, "v", plan, 2)
    names = recovery_files(tmp_path / "a", "v")
    assert len(names) == 3 and names[0] == "v.par2"
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    (tmp_path / "a" / "v.003").unlink()
    assert par2.repair(tmp_path / "a", names[0])
    assert {name: (tmp_path / "a" / name).read_bytes() for name in SIZES} == contents
    (tmp_path / "b" / "v.003").unlink()
    (tmp_path / "b" / "v.004").unlink()
    assert not par2.repair(tmp_path / "b", names[0])


@pytest.mark.slow
def test_what_recovery_files_hold_is_enough_for_any_program(tmp_path: Path) -> None:
    par2, plan = _par2(), layout(SIZES, 20)
    contents = _volumes(tmp_path / "a")
    par2.create(tmp_path / "a", "v", plan, 2)
    paths = [tmp_path / "a" / name for name in recovery_files(tmp_path / "a", "v")]
    for path in paths:
        shutil.copy(path, tmp_path)
        path.write_bytes(path.read_bytes()[:-1])  # the last packet is lost, which is there in others
    found = recovery_sets(paths, re.compile(r"v\.[0-9]{3}"))
    assert [(set(one.files), one.blocks) for one in found] == [(set(SIZES), plan.recovery)]
    content = b"".join(found[0].written())
    for program in ("", shutil.which("par2")):
        if program is None:
            continue
        folder = tmp_path / f"by{program.replace('/', '-')}"
        _volumes(folder)
        (folder / "v.par2").write_bytes(content)
        (folder / "v.004").unlink()
        if program:
            run([program, "repair", "-q", "-q", f"-B{folder}", str(folder / "v.par2")], os.environ, 60)
        else:
            assert par2.repair(folder, "v.par2")
        assert {name: (folder / name).read_bytes() for name in SIZES} == contents


@pytest.mark.slow
def test_a_program_that_cannot_work_is_no_damage(tmp_path: Path) -> None:
    with pytest.raises(WorkError, match="par2 could not repair"):
        _par2().repair(tmp_path, "nothing.par2")


def test_only_files_are_recovery_files(tmp_path: Path) -> None:
    (tmp_path / "v.par2").touch()
    (tmp_path / "v.vol000+10.par2").mkdir()
    os.mkfifo(tmp_path / "v.vol010+10.par2")
    (tmp_path / "v.vol020+10.par2").symlink_to("nowhere")
    (tmp_path / "v.vol030+10.par2").symlink_to("/dev/zero")
    (tmp_path / "v.vol040+10.par2").touch()
    (tmp_path / "w.par2").touch()
    assert recovery_files(tmp_path, "v") == ["v.par2", "v.vol040+10.par2"]
