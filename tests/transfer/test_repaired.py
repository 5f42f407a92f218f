"""Sets repaired aside, by real programs: what can be is, what cannot be is told, and the volumes stay as they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bundler.adapters.par2 import Layout, Par2, layout, recovery_files
from bundler.adapters.process import run
from bundler.errors import IntegrityError, UsageError, WorkError
from bundler.transfer.opened import OpenSet, opened
from bundler.transfer.repaired import repaired
from tests.adapters.par2_sets import recovery_file
from tests.transfer.sets import archive, made, make, zipped

CONTENTS = {f"{name}.tar.gz": archive(name, {"z.zip": zipped(name, 100_000)}) for name in ("one", "two")}
VOLUMES = [f"a.set.{number:03}" for number in range(1, 6)]


def _par2() -> Par2:
    try:
        return Par2(os.environ, run)
    except UsageError:
        pytest.skip("no par2 is here: install aiws-bundle[parity], or the package par2")


def _none() -> Par2:
    raise AssertionError("no program is needed")


def _with_parity(folder: Path, contents: Mapping[str, bytes], percent: float) -> tuple[Path, Layout]:
    base = make(folder, contents, 50_000)
    plan = layout({one.name: one.stat().st_size for one in folder.glob("a.set.0*")}, percent)
    _par2().create(folder, base.name, plan, 1)
    return base, plan


@pytest.fixture(params=["a", "-r with 'words'\nand lines"])
def cut(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A set in five volumes, and what repairs one of them."""
    folder: str = request.param
    (tmp_path / folder).mkdir()
    return _with_parity(tmp_path / folder, CONTENTS, 25)[0]


def _whole(base: Path, par2: Callable[[], Par2] = _par2) -> list[str]:
    """Prove that a set is repaired and nothing of it was changed; return what was said."""
    said, before = list[str](), _state(base.parent)
    with (
        TemporaryDirectory() as folder,
        repaired(base, par2, Path(folder), said.append) as path,
        opened(path) as whole,
    ):
        assert _all(whole) == CONTENTS
    assert _state(base.parent) == before
    return said


def _all(whole: OpenSet) -> dict[str, bytes]:
    return {name: made(whole, name) for name in whole.header.files}


def _refused(base: Path, par2: Callable[[], Par2] = _par2) -> IntegrityError:
    before = _state(base.parent)
    with TemporaryDirectory() as folder, pytest.raises(IntegrityError) as refused, _tried(base, par2, folder):
        pass
    assert _state(base.parent) == before
    return refused.value


def _tried(base: Path, par2: Callable[[], Par2], folder: str) -> AbstractContextManager[Path]:
    return repaired(base, par2, Path(folder), lambda text: None)


def _state(folder: Path) -> dict[str, object]:
    return {
        one.name: one.lstat().st_mtime_ns if one.is_symlink() or not one.is_file() else one.read_bytes()
        for one in folder.iterdir()
    }


def _damage(path: Path, at: int, size: int) -> None:
    with path.open("rb+") as file:
        file.seek(at)
        file.write(bytes(byte ^ 255 for byte in path.read_bytes()[at : at + size]))


def _own(base: Path, ending: str) -> Path:
    return base.parent / f"{base.name}{ending}"


@pytest.mark.slow
def test_what_is_whole_takes_no_program(cut: Path) -> None:
    assert _whole(cut, _none) == []
    _own(cut, ".006").write_bytes(b"old")
    assert _whole(cut, _none) == ["goes on with a repaired copy: a.set.006 does not belong to it"]


@pytest.mark.slow
@pytest.mark.parametrize("lost", [".001", ".003", ".005"])
@pytest.mark.parametrize("listing", ["whole", "lost", "malformed", "folder"])
def test_a_lost_volume_is_repaired_whatever_became_of_the_list(cut: Path, lost: str, listing: str) -> None:
    _own(cut, lost).unlink()
    _own(cut, ".006").write_bytes(b"old")
    if listing != "whole":
        _own(cut, ".sha256").unlink()
    if listing == "malformed":
        _own(cut, ".sha256").write_text("0000")
    if listing == "folder":
        _own(cut, ".sha256").mkdir()
    *first, begun, last = _whole(cut)
    assert begun == f"repairing a.set{lost}"
    assert f"a.set{lost} is missing" in last
    assert len(first) == (listing in ("malformed", "folder"))
    assert all("a.set.par2 tells what the volumes are" in one for one in first)


@pytest.mark.slow
def test_damage_is_repaired_up_to_the_last_block_and_not_beyond(tmp_path: Path) -> None:
    base, plan = _with_parity(tmp_path, CONTENTS, 5)
    for number in range(plan.recovery):
        _damage(_own(base, f".{number % 4 + 1:03}"), number // 4 * 2 * plan.block + 1, 1)
    assert "a.set.004 is damaged" in _whole(base)[-1]
    _damage(_own(base, ".005"), 10, 1)
    error = _refused(base)
    blocks = f"{plan.recovery} recovery blocks of {plan.block} bytes"
    assert f"{base} cannot be repaired: more is damaged than {blocks} repair\n  - a.set.001 is damaged" in error.message
    assert error.hint == "copy it anew from where the set is kept"


@pytest.mark.slow
def test_what_stands_beside_and_is_no_recovery_file_harms_nothing(cut: Path) -> None:
    _own(cut, ".002").unlink()
    _own(cut, ".vol900+10.par2").mkdir()
    os.mkfifo(_own(cut, ".vol910+10.par2"))
    _own(cut, ".vol920+10.par2").symlink_to("nowhere")
    _own(cut, ".vol930+10.par2").symlink_to("/dev/zero")
    _own(cut, ".vol940+10.par2").write_bytes(b"")
    _own(cut, ".vol950+10.par2").write_bytes(b"PAR2\0PKT" * 1000)
    evil = recovery_file({name.encode(): b"x" for name in VOLUMES}, block=1 << 40, data=0)
    _own(cut, ".vol000+1.par2").write_bytes(evil)
    (cut.parent / "a.set.vol000+99.par2.bak").write_bytes(b"")
    assert _whole(cut)
    _own(cut, ".par2").unlink()  # each recovery file describes all
    assert _whole(cut)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that fails with EIO")
def test_what_cannot_be_read_is_repaired(cut: Path) -> None:
    _own(cut, ".004").unlink()
    _own(cut, ".004").symlink_to("/proc/self/mem")
    seen = list[Path]()

    class Seeing(Par2):
        """A program ends at what it cannot read: it is given what can be."""

        def repair(self, folder: Path, file: str) -> bool:
            seen.extend(one for one in folder.iterdir() if one.is_file() and not one.is_symlink())
            return super().repair(folder, file)

    assert "a.set.004 cannot be read: Input/output error" in _whole(cut, lambda: Seeing(os.environ, run))[-1]
    assert sorted(one.name for one in seen) == ["a.set.004", "a.set.par2"]


@pytest.mark.slow
def test_recovery_files_of_another_release_are_told(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = {name: archive("x", {"z.zip": zipped("other" + name, 100_000)}) for name in CONTENTS}
    strange, _ = _with_parity(tmp_path / "other", other, 25)
    own = tmp_path / "own"
    own.mkdir()
    base, _ = _with_parity(own, CONTENTS, 25)
    kept = {name: (own / name).read_bytes() for name in recovery_files(own, "a.set")}
    for name in kept:
        (own / name).write_bytes((strange.parent / name).read_bytes())
    _own(base, ".002").unlink()
    error = _refused(base, _none)
    assert "the recovery files beside it are of another set: a.set.par2 and its like" in error.message
    # A volume of the other release among its own is damage as any; so are recovery files of both.
    _own(base, ".002").write_bytes((strange.parent / "a.set.002").read_bytes())
    assert "of another set" in _refused(base, _none).message
    for name, content in kept.items():
        (own / name).write_bytes((strange.parent / name).read_bytes() + content)
    assert "a.set.002 is damaged" in _whole(base)[-1]


@pytest.mark.slow
def test_a_set_of_which_nothing_else_is_left_is_repaired(tmp_path: Path) -> None:
    base = make(tmp_path, CONTENTS)
    _par2().create(tmp_path, base.name, layout({base.name: base.stat().st_size}, 100), 1)
    _damage(base, 0, 1)
    assert "a.set is damaged" in _whole(base)[-1]
    base.unlink()
    assert "a.set is missing" in _whole(base)[-1]
    _own(base, ".sha256").unlink()
    assert "a.set is missing" in _whole(base)[-1]
    with pytest.raises(IntegrityError, match=r"a\.set is missing") as refused, opened(base):
        pass
    assert "--repair" in refused.value.hint


def test_what_would_be_written_elsewhere_is_refused(tmp_path: Path) -> None:
    base = make(tmp_path, CONTENTS, 50_000)
    _own(base, ".002").unlink()
    contents = {name.encode(): b"" for name in VOLUMES} | {b"../../evil": b"x"}
    _own(base, ".par2").write_bytes(recovery_file(contents))
    assert "would repair '../../evil', which is none of the files" in _refused(base, _none).message


def test_without_what_repairs_it_that_is_told(tmp_path: Path) -> None:
    base = make(tmp_path, CONTENTS, 50_000)
    _own(base, ".002").unlink()
    assert "there are no recovery files beside it\n  - a.set.002 is missing" in _refused(base, _none).message
    _own(base, ".par2").mkdir()
    assert "there are no recovery files beside it" in _refused(base, _none).message
    _own(base, ".vol0+1.par2").write_bytes(b"x" * 1000)
    assert "is of no use: nothing in it is whole" in _refused(base, _none).message


@pytest.mark.parametrize("lost", [b"a.set.002", b"a.set.003"])
def test_sizes_beyond_all_that_is_there_are_refused(tmp_path: Path, lost: bytes) -> None:
    base = make(tmp_path, CONTENTS, 50_000)
    contents = {name.encode(): (tmp_path / name).read_bytes() for name in VOLUMES}
    _own(base, ".par2").write_bytes(recovery_file(contents, 1 << 54, 0, {lost: 1 << 62}))
    _own(base, ".002").unlink()
    _own(base, ".003").write_bytes(b"x" * 40_000)
    assert "more is damaged than 0 recovery blocks" in _refused(base, _none).message


def test_a_repair_that_nothing_has_room_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = make(tmp_path, CONTENTS, 50_000)
    contents = {name.encode(): (tmp_path / name).read_bytes() for name in VOLUMES}
    _own(base, ".par2").write_bytes(recovery_file(contents, 10_000, 5))
    _own(base, ".002").unlink()
    monkeypatch.setattr("bundler.transfer.opened._free_in", lambda folder: 99_999)
    no_room = pytest.raises(WorkError, match=r"has no room for 0\.1 MB, which a repair takes")
    with TemporaryDirectory() as folder, no_room as refused, _tried(base, _none, folder):
        pass
    assert "--cache-dir" in refused.value.hint
