"""A set's files: cut where a volume is full, listed with their digests, and told by their names."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from bundler.errors import UsageError
from bundler.transfer.volumes import Volumes, base_of, listed, taken_by, there, volumes_of


def test_volumes_are_cut_where_they_are_full(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10
    volumes = Volumes(tmp_path, "x.set", 1000)
    for at in range(0, len(content), 300):
        volumes.write(content[at : at + 300])
    volumes.close()
    assert volumes.sizes == {"x.set.001": 1000, "x.set.002": 1000, "x.set.003": 560}
    assert b"".join((tmp_path / name).read_bytes() for name in volumes.sizes) == content
    assert list(volumes.sizes) == volumes_of("x.set", len(content), 1000)
    assert listed(tmp_path / "x.set") == {
        name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in volumes.sizes
    }
    subprocess.run(["sha256sum", "--strict", "--quiet", "-c", "x.set.sha256"], cwd=tmp_path, check=True)
    assert set(there(tmp_path / "x.set")) == set(volumes.sizes)
    (tmp_path / "x.set.bak").touch()
    assert {one.name for one in taken_by(tmp_path / "x.set")} == {*volumes.sizes, "x.set.sha256"}


def test_a_volume_that_is_just_full_is_the_last(tmp_path: Path) -> None:
    volumes = Volumes(tmp_path, "x", 1000)
    volumes.write(bytes(2000))
    volumes.close()
    assert list(volumes.sizes) == volumes_of("x", 2000, 1000) == ["x.001", "x.002"]


def test_too_many_volumes_are_refused() -> None:
    assert len(volumes_of("x", 999_000, 1000)) == 999
    with pytest.raises(UsageError, match="999 are the most"):
        volumes_of("x", 999_001, 1000)


@pytest.mark.parametrize("name", ["a.set", "a.set.001", "a.set.sha256", "a.set.par2"])
def test_any_of_its_files_names_the_set(tmp_path: Path, name: str) -> None:
    assert base_of(tmp_path / name) == tmp_path / "a.set"
