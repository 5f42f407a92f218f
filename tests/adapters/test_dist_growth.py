"""An output folder of many archives: what is written and read for each does not grow with how many there are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from bundler.adapters import dist as module
from bundler.adapters import dist_memory, dist_sums
from bundler.adapters.archive import Written
from bundler.adapters.dist import Dist
from bundler.adapters.sums import read_sums
from bundler.progress import Silent
from bundler.sidecars import sums


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of some files count as large ones."""
    monkeypatch.setattr(dist_sums, "FEW", 16)


class Work:
    """Bytes of SHA256SUMS and of what is remembered that were written, and how often SHA256SUMS was read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.listed = self.remembered = self.read = 0
        write, line = Dist._write_sums, dist_memory._line

        def listed(dist: Dist, digests: dict[str, str]) -> None:
            self.listed += len(sums.compose(digests))
            write(dist, digests)

        def remembered(document: dict[str, object]) -> bytes:
            made = line(document)
            self.remembered += len(made)
            return made

        def read(path: Path) -> dict[str, str]:
            self.read += 1
            return read_sums(path)

        monkeypatch.setattr(module.Dist, "_write_sums", listed)
        monkeypatch.setattr(dist_memory, "_line", remembered)
        monkeypatch.setattr(dist_sums, "read_sums", read)


def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many lines SHA256SUMS has each time that it is written from now on."""
    write, seen = Dist._write_sums, list[int]()

    def watched(dist: Dist, digests: dict[str, str]) -> None:
        write(dist, digests)
        seen.append(len(digests))

    monkeypatch.setattr(module.Dist, "_write_sums", watched)
    return seen


def names(number: int) -> list[str]:
    return [f"app-{one:04}.tar.gz" for one in range(number)]


def fill(root: Path, archives: Sequence[str], content: bytes, stop: str = "") -> None:
    """Let a run place archives, each with a sidecar; it ends early before `stop`."""
    dist = Dist(root / "dist", root / "state", lambda path: "")
    with dist.opened(Silent()):
        dist.expect(archives)
        for name in archives:
            if name == stop:
                raise KeyboardInterrupt
            with dist.replacing(name) as file:
                file.write(content + name.encode())
            made = Written(len(content) + len(name), hashlib.sha256(content + name.encode()).hexdigest())
            dist.place(name, made, content.hex(), {f"{name}.cdx.json": content})


def agrees(root: Path) -> dict[str, str]:
    """The lines of the folder, each of which is true."""
    lines = read_sums(root / "dist" / sums.NAME)
    for name, digest in lines.items():
        assert hashlib.sha256((root / "dist" / name).read_bytes()).hexdigest() == digest, name
    return lines


@pytest.mark.parametrize("again", [False, True], ids=["new", "replaced"])
def test_four_times_the_archives_take_about_four_times_the_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    took: list[Work] = []
    for number in (32, 128):
        root = tmp_path / str(number)
        if again:
            fill(root, names(number), b"before")
        with monkeypatch.context() as watched:
            took.append(Work(watched))
            fill(root, names(number), b"now")
        assert len(agrees(root)) == 2 * number
    few, many = took
    assert many.listed < 6 * few.listed, "not 16 times"
    assert many.remembered < 6 * few.remembered
    assert many.read <= few.read + 1


def test_a_killed_run_lacks_few_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some wait, and some went along; what is finished and what is to come has its line."""
    archives = names(64)
    fill(tmp_path, archives, b"before")
    seen = written(monkeypatch)
    fill(tmp_path, archives, b"now")
    assert len(agrees(tmp_path)) == 128
    assert min(seen) >= 128 * (1 - 3 / 16)


def test_in_a_folder_of_usual_size_no_line_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dist_sums, "FEW", 256)
    archives = names(24)
    fill(tmp_path, archives, b"before")
    seen = written(monkeypatch)
    fill(tmp_path, archives, b"now")
    assert min(seen) == 46


def test_lines_that_wait_are_written_when_a_run_is_interrupted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, names(64), b"now", stop=names(64)[50])
    assert len(agrees(tmp_path)) == 100


def test_archives_whose_lines_went_along_have_them_again_if_they_were_not_replaced(tmp_path: Path) -> None:
    archives = names(64)
    fill(tmp_path, archives, b"before")
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, archives, b"now", stop=archives[3])
    assert len(agrees(tmp_path)) == 128
    assert (tmp_path / "dist" / archives[3]).read_bytes().startswith(b"before")


def test_the_line_that_shows_that_an_archive_was_changed_does_not_go_along(tmp_path: Path) -> None:
    archives = names(64)
    fill(tmp_path, archives, b"before")
    changed = tmp_path / "dist" / archives[2]
    line = read_sums(tmp_path / "dist" / sums.NAME)[archives[2]]
    changed.write_bytes(b"harm")
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, archives, b"now", stop=archives[1])
    assert read_sums(tmp_path / "dist" / sums.NAME)[archives[2]] == line


def test_what_is_remembered_survives_half_a_line(tmp_path: Path) -> None:
    archives = names(8)
    fill(tmp_path, archives, b"now")
    (memory,) = (tmp_path / "state").glob("*.json")
    memory.write_bytes(memory.read_bytes()[:-9])
    dist = Dist(tmp_path / "dist", tmp_path / "state", lambda path: "")
    with dist.opened(Silent()):
        assert all(dist.current(name, b"now".hex()) for name in archives[:-1])


def test_a_large_folder_is_remembered(tmp_path: Path) -> None:
    """What it is remembered by is far larger than a megabyte."""
    path = tmp_path / "state" / "key.json"
    path.parent.mkdir(mode=0o700)
    folder = tmp_path / "dist"
    folder.mkdir()
    memory = dist_memory.DistMemory(folder, path)
    for name in names(5000):
        memory._note(name, dist_memory.Seen(1, 2, 3, "a" * 64, "b" * 64, True, (f"{name}.cdx.json",)))
    memory.remember("last", dist_memory.Seen(1, 2, 3, "a" * 64, ""))
    assert path.stat().st_size > 1 << 20
    assert len(memory.stored()) == 5001
