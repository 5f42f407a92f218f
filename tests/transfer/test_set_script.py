"""What travels with a set: a script that takes files out where nothing but Python is, or says why not."""

from __future__ import annotations

import subprocess
from argparse import Namespace
from pathlib import Path

import pytest

from bundler.transfer import apply_delta
from bundler.transfer.opened import opened
from bundler.transfer.script import script
from tests.transfer.sets import archive, make, zipped

CONTENTS = {f"{name}.tar.gz": archive(name, {"z.zip": zipped(name, 100_000)}) for name in ("one", "two")}


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """A set in five volumes, without a list, and the script."""
    base = make(tmp_path, CONTENTS, 50_000)
    (tmp_path / "a.set.sha256").unlink()
    (tmp_path / "a.set.sh").write_bytes(script())
    (tmp_path / "out").mkdir()
    return base


def _run(cut: Path, *words: str, before: str = "") -> subprocess.CompletedProcess[str]:
    argv = ["sh", "-c", f'{before} exec sh a.set.sh "$@"', "sh", *(words or ("a.set", "--out", "out"))]
    return subprocess.run(argv, cwd=cut.parent, capture_output=True, text=True, check=False, timeout=60)


def _refused(cut: Path, code: int, told: str, *words: str, before: str = "") -> None:
    done = _run(cut, *words, before=before)
    assert (done.returncode, done.stdout, list((cut.parent / "out").iterdir())) == (code, "", [])
    assert done.stderr.startswith("apply-delta.sh: ") and done.stderr.endswith("; nothing was changed\n")
    assert told in done.stderr and "Errno" not in done.stderr


def test_all_comes_out(cut: Path) -> None:
    done = _run(cut)
    assert (done.returncode, done.stderr) == (0, "")
    assert {one.name: one.read_bytes() for one in (cut.parent / "out").iterdir()} == CONTENTS


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        ((1,), "a.set.001 is missing"),
        ((2, 3), "a.set.002, a.set.003 are missing"),
        ((5,), "it is cut short: a.set.005 is missing, or a.set.004 is not whole"),
        ((4, 5), "it is cut short: a.set.004 is missing, or a.set.003 is not whole"),
        ((2, 3, 4, 5), "it is cut short: a.set.002 is missing, or a.set.001 is not whole"),
    ],
)
def test_what_is_missing_is_told(cut: Path, lost: tuple[int, ...], told: str) -> None:
    for number in lost:
        (cut.parent / f"a.set.{number:03}").unlink()
    _refused(cut, 3, told)


def test_what_was_left_is_looked_for_once(cut: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # And not for each file: a set may have tens of thousands of them.
    out, looked = cut.parent / "out", list[Path]()
    monkeypatch.setattr(apply_delta, "_remove_left", looked.append)
    with opened(cut) as whole:
        apply_delta._take(Namespace(names=[], out=out), whole.header, whole.source, None)
    assert looked == [out]
    assert len(list(out.iterdir())) == len(CONTENTS)


def test_what_was_left_goes(cut: Path) -> None:
    left = cut.parent / "out" / ".aiws-new-00000000"
    left.touch()
    assert _run(cut).returncode == 0
    assert not left.exists()


def test_a_volume_too_many_is_told(cut: Path) -> None:
    for number in (6, 7):
        (cut.parent / f"a.set.{number:03}").write_bytes(b"old")
    _refused(cut, 3, "a.set.006, a.set.007 do not belong to it")


def test_a_header_that_is_cut_is_no_other_form(cut: Path) -> None:
    first = cut.parent / "a.set.001"
    first.write_bytes(first.read_bytes()[:60])
    for number in range(2, 6):
        (cut.parent / f"a.set.{number:03}").unlink()
    _refused(cut, 3, "it is cut short: a.set.002 is missing, or a.set.001 is not whole")


def test_a_first_volume_that_is_damaged_is_no_old_archive(cut: Path) -> None:
    first = cut.parent / "a.set.001"
    for content in (bytes(50_000), b""):
        first.write_bytes(content)
        _refused(cut, 3, "it is no delta and no set")


def test_where_nothing_can_be_written_is_named(cut: Path) -> None:
    _refused(cut, 1, "nowhere: there is no such folder", "a.set", "--out", "nowhere")
    _refused(cut, 1, "a.set.001: there is no such folder", "a.set", "--out", "a.set.001")
    _refused(cut, 1, "out: File too large", before="ulimit -f 10;")
