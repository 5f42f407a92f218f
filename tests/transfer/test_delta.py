"""Deltas of archives: what they make is the new archive, to the last byte, by the script that hosts run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bundler.transfer.delta import Made, delta_name, write_delta
from bundler.transfer.script import NAME, script
from tests.transfer.wheels import archive, noise, wheel


def applied(folder: Path, old: Path, delta: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a folder."""
    (folder / NAME).write_bytes(script())
    command = ["sh", NAME, str(old), str(delta), *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def made(old: Path, new: Path, *, plain: bool = False) -> Made:
    """The delta, which has to be worth it, beside the new file."""
    delta = write_delta(old, new, new.parent, plain=plain)
    assert delta
    return delta


def round_trip(tmp_path: Path, old: Path, new: Path) -> Made:
    """Make a delta, apply it, and compare."""
    delta = made(old, new)
    out = tmp_path / "out"
    out.mkdir(parents=True)
    result = applied(out, old, delta.path)
    assert (result.returncode, result.stderr) == (0, "")
    assert (out / new.name).read_bytes() == new.read_bytes()
    return delta


def test_the_name_says_what_is_made_of_what() -> None:
    assert delta_name("a.tar.gz", "0123456789abcdef" * 4) == "a.tar.gz.from-0123456789ab.delta"
    assert delta_name("a.tar.gz", "0123456789abcdef" * 4, plain=True) == "a.tar.gz.from-0123456789ab.plain.delta"


def test_what_is_the_same_is_copied(tmp_path: Path) -> None:
    same = {f"{name}-1-py3-none-any.whl": wheel(name, {"a.bin": noise(name, 300_000)}) for name in "abc"}
    old = archive(tmp_path / "old/x.tar.gz", same | {"d-1-py3-none-any.whl": wheel("d", {"a": noise("d1", 9000)})})
    new = archive(tmp_path / "new/x.tar.gz", same | {"d-2-py3-none-any.whl": wheel("d", {"a": noise("d2", 9000)})})
    assert round_trip(tmp_path, old, new).size < 12_000


def test_a_delta_that_is_not_worth_it_is_not_written(tmp_path: Path) -> None:
    old = archive(tmp_path / "old/x.tar.gz", {"a": noise("1", 100_000)})
    new = archive(tmp_path / "new/x.tar.gz", {"a": noise("2", 100_000)})
    assert write_delta(old, new, new.parent) is None
    assert sorted(path.name for path in new.parent.iterdir()) == ["store", "x.tar.gz"]


@pytest.mark.parametrize("content", [b"", b"x", b"PK\x03\x04"])
def test_any_files_will_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "old").write_bytes(content + noise("same", 100_000) + content)
    new = tmp_path / "new"
    new.write_bytes((tmp_path / "old").read_bytes())
    round_trip(tmp_path, tmp_path / "old", new)
