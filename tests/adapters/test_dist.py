from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from bundler.adapters.archive import Written
from bundler.adapters.dist import Dist
from bundler.errors import WorkError
from bundler.progress import Silent
from bundler.sidecars import sha256sums


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Out:
    """An output folder and what is remembered of it."""

    def __init__(self, root: Path) -> None:
        self.folder, self.state = root / "dist", root / "state"

    def dist(self) -> Dist:
        return Dist(self.folder, self.state)

    def put(self, name: str, content: bytes, inputs: str = "i") -> None:
        dist = self.dist()
        with dist.opened(Silent()):
            with dist.replacing(name) as file:
                file.write(content)
            dist.place(name, Written(len(content), sha(content)), inputs)

    def current(self, name: str, inputs: str = "i") -> Written | None:
        dist = self.dist()
        with dist.opened(Silent()):
            return dist.current(name, inputs)

    def settle(self) -> None:
        with self.dist().opened(Silent()):
            pass

    def sums(self) -> dict[str, str]:
        path = self.folder / sha256sums.NAME
        return sha256sums.parse(path.read_text()) if path.is_file() else {}


@pytest.fixture
def out(tmp_path: Path) -> Out:
    return Out(tmp_path)


def test_a_placed_archive_has_its_line_and_is_current_for_its_inputs_only(out: Out) -> None:
    out.put("a.tar.gz", b"one")
    assert out.sums() == {"a.tar.gz": sha(b"one")}
    assert out.current("a.tar.gz") == Written(3, sha(b"one"))
    assert out.current("a.tar.gz", "other") is None
    assert out.current("b.tar.gz") is None


def test_the_folder_holds_archives_and_checksums_only(out: Out) -> None:
    out.put("a.tar.gz", b"one")
    out.put("b.tar.gz", b"two")
    assert sorted(path.name for path in out.folder.iterdir()) == ["SHA256SUMS", "a.tar.gz", "b.tar.gz"]


def test_lines_come_and_go_with_archives_that_others_put_there(out: Out) -> None:
    out.put("a.tar.gz", b"one")
    (out.folder / "foreign.tar.gz").write_bytes(b"foreign")
    out.settle()
    assert out.sums() == {"a.tar.gz": sha(b"one"), "foreign.tar.gz": sha(b"foreign")}
    (out.folder / "a.tar.gz").unlink()
    (out.folder / "foreign.tar.gz").unlink()
    out.settle()
    assert not (out.folder / sha256sums.NAME).exists()


def test_a_failed_write_leaves_nothing(out: Out) -> None:
    dist = out.dist()
    with pytest.raises(RuntimeError), dist.opened(Silent()), dist.replacing("a.tar.gz") as file:
        file.write(b"half")
        raise RuntimeError
    assert list(out.folder.iterdir()) == []


def test_what_a_killed_process_left_is_cleared(out: Out) -> None:
    out.put("a.tar.gz", b"one")
    (out.folder / ".aiws-bundle-a.tar.gz.tmp").write_bytes(b"half")
    out.settle()
    assert sorted(path.name for path in out.folder.iterdir()) == ["SHA256SUMS", "a.tar.gz"]


def test_a_changed_archive_is_not_current_and_keeps_the_line_that_shows_it(out: Out) -> None:
    out.put("a.tar.gz", b"one")
    (out.folder / "a.tar.gz").write_bytes(b"two")
    assert out.current("a.tar.gz") is None
    assert out.sums() == {"a.tar.gz": sha(b"one")}
    checked = subprocess.run(["sha256sum", "-c", sha256sums.NAME], cwd=out.folder, capture_output=True, check=False)
    assert checked.returncode != 0


def test_a_broken_checksum_file_is_made_anew(out: Out) -> None:
    out.put("a.tar.gz", b"one")
    (out.folder / sha256sums.NAME).write_text("nonsense")
    out.settle()
    assert out.sums() == {"a.tar.gz": sha(b"one")}


def test_a_name_that_checksums_cannot_hold_is_named(out: Out) -> None:
    out.folder.mkdir()
    (out.folder / "two words.tar.gz").write_bytes(b"x")
    with pytest.raises(WorkError, match=r"two words\.tar\.gz"):
        out.settle()


def test_another_process_waits_for_its_turn(out: Out) -> None:
    said: list[str] = []

    class Listener(Silent):
        def say(self, text: str) -> None:
            said.append(text)

    order: list[str] = []

    def second() -> None:
        with out.dist().opened(Listener()):
            order.append("second")

    with out.dist().opened(Silent()):
        thread = threading.Thread(target=second)
        thread.start()
        while not said:
            time.sleep(0.005)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert "waiting for another aiws-bundle" in said[0]


def test_no_line_ever_disagrees_while_an_archive_is_replaced(out: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the folder after every rename, which is all that others can see of a change."""
    out.put("a.tar.gz", b"old")
    seen: list[dict[str, str]] = []
    rename = Path.replace

    def watched(self: Path, target: Path) -> Path:
        result = rename(self, target)
        lines = out.sums()
        for name, digest in lines.items():
            assert sha((out.folder / name).read_bytes()) == digest, f"after {target.name}"
        seen.append(lines)
        return result

    monkeypatch.setattr(Path, "replace", watched)
    out.put("b.tar.gz", b"another")
    out.put("a.tar.gz", b"new")
    assert out.sums() == {"a.tar.gz": sha(b"new"), "b.tar.gz": sha(b"another")}
    assert len(seen) > 4


def test_memory_of_the_folder_that_is_lost_or_broken_costs_time_only(out: Out) -> None:
    out.put("a.tar.gz", b"one")
    for path in out.state.glob("*.json"):
        path.write_text("[1]")
    assert out.sums() == {"a.tar.gz": sha(b"one")}
    assert out.current("a.tar.gz") is None, "an archive of three bytes does not say what it was made from"
    assert out.sums() == {"a.tar.gz": sha(b"one")}


def test_touching_an_archive_does_not_make_it_stale(out: Out) -> None:
    out.put("a.tar.gz", b"one")
    os.utime(out.folder / "a.tar.gz", (1, 1))
    dist = out.dist()
    with dist.opened(Silent()):
        dist.current("a.tar.gz", "i")
    assert out.sums() == {"a.tar.gz": sha(b"one")}
