"""The output folder: SHA256SUMS covers exactly the archives, and no line is ever false, whoever is killed when."""

from __future__ import annotations

import hashlib
import io
import os
import random
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from bundler.adapters.archive import Written, write_archive
from bundler.adapters.dist import Dist
from bundler.errors import WorkError
from bundler.kinds import inputs_of
from bundler.kinds.wheelhouse.members import archive_manifest
from bundler.model.bundle import Bundle, text_file
from bundler.progress import Silent
from bundler.sidecars import sums
from tests.forks import Forks
from tests.kinds.wheelhouse.members.test_archive_manifest import FACTS
from tests.model.samples import examples
from tests.server import wait_until

INPUTS = "ab" * 32
NOTHING: Mapping[str, bytes] = MappingProxyType({})
SBOM = "a.tar.gz.cdx.json"


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Out:
    """An output folder and what is remembered of it."""

    def __init__(self, root: Path) -> None:
        self.folder, self.state = root / "dist", root / "state"

    def dist(self) -> Dist:
        return Dist(self.folder, self.state, inputs_of)

    def put(self, name: str, content: bytes, inputs: str = "i", beside: Mapping[str, bytes] = NOTHING) -> None:
        dist = self.dist()
        with dist.opened(Silent()):
            with dist.replacing(name) as file:
                file.write(content)
            dist.place(name, Written(len(content), sha(content)), inputs, beside)

    def complete(self, name: str) -> bool:
        dist = self.dist()
        with dist.opened(Silent()):
            assert dist.current(name, "i")
            return dist.complete(name)

    def current(self, name: str, inputs: str = "i") -> Written | None:
        dist = self.dist()
        with dist.opened(Silent()):
            return dist.current(name, inputs)

    def checked(self) -> bool:
        """Whether `sha256sum -c` finds every line true."""
        argv = ["sha256sum", "--quiet", "-c", sums.NAME]
        return subprocess.run(argv, cwd=self.folder, capture_output=True, check=False).returncode == 0

    def settle(self) -> None:
        with self.dist().opened(Silent()):
            pass

    def sums(self) -> dict[str, str]:
        path = self.folder / sums.NAME
        return sums.parse(path.read_text()) if path.is_file() else {}


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
    assert not (out.folder / sums.NAME).exists()


def test_a_failed_write_leaves_nothing(out: Out) -> None:
    dist = out.dist()
    with pytest.raises(RuntimeError), dist.opened(Silent()), dist.replacing("a.tar.gz") as file:
        file.write(b"half")
        raise RuntimeError
    assert list(out.folder.iterdir()) == []


def test_sidecars_stand_beside_their_archive_and_have_lines(out: Out) -> None:
    out.put("a.tar.gz", b"one", beside={SBOM: b"of one"})
    assert out.sums() == {"a.tar.gz": sha(b"one"), SBOM: sha(b"of one")}
    assert (out.folder / SBOM).read_bytes() == b"of one"
    assert out.complete("a.tar.gz")
    out.put("a.tar.gz", b"two", beside={})
    assert out.sums() == {"a.tar.gz": sha(b"two")}
    assert not (out.folder / SBOM).exists(), "an archive loses what was made of another one"


def test_what_others_put_beside_an_archive_stays(out: Out) -> None:
    out.put("a.tar.gz", b"one")
    (out.folder / "a.tar.gz.sig").write_bytes(b"theirs")
    out.put("a.tar.gz", b"two", beside={SBOM: b"of two"})
    assert set(out.sums()) == {"a.tar.gz", "a.tar.gz.sig", SBOM}


@pytest.mark.parametrize("harm", ["removed", "changed", "never made"])
def test_a_sidecar_that_is_not_there_as_it_was_made_is_missed(out: Out, harm: str) -> None:
    out.put("a.tar.gz", b"one", beside={} if harm == "never made" else {SBOM: b"of one"})
    if harm == "removed":
        (out.folder / SBOM).unlink()
    elif harm == "changed":
        (out.folder / SBOM).write_bytes(b"of others")
    assert out.complete("a.tar.gz") == (harm == "never made")
    dist = out.dist()
    with dist.opened(Silent()):
        assert dist.current("a.tar.gz", "i")
        dist.place_beside("a.tar.gz", {SBOM: b"of one"})
    assert out.checked()
    assert out.sums() == {"a.tar.gz": sha(b"one"), SBOM: sha(b"of one")}


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
    checked = subprocess.run(["sha256sum", "-c", sums.NAME], cwd=out.folder, capture_output=True, check=False)
    assert checked.returncode != 0


def test_a_broken_checksum_file_is_made_anew(out: Out) -> None:
    out.put("a.tar.gz", b"one")
    (out.folder / sums.NAME).write_text("nonsense")
    out.settle()
    assert out.sums() == {"a.tar.gz": sha(b"one")}


def test_a_name_that_checksums_cannot_hold_is_named(out: Out) -> None:
    out.folder.mkdir()
    (out.folder / "two words.tar.gz").write_bytes(b"x")
    with pytest.raises(WorkError, match=r"two words\.tar\.gz"):
        out.settle()


def test_another_run_waits_for_its_turn(out: Out) -> None:
    order: list[str] = []
    waiting = Listener()

    def second() -> None:
        with out.dist().opened(waiting):
            order.append("second")

    with out.dist().opened(Silent()):
        thread = threading.Thread(target=second)
        thread.start()
        wait_until(lambda: bool(waiting.said))
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert "waiting for another aiws-bundle" in waiting.said[0]


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


def real_archive(inputs: str = INPUTS) -> bytes:
    """An archive that says what it was made from, as `build` writes it."""
    others = [text_file("install.sh", b"#!/bin/sh\n"), text_file("metadata/x", b"x"), text_file("packages/y", b"y" * 9)]
    manifest = text_file("manifest.json", archive_manifest.render(replace(FACTS, inputs=inputs), others))
    out = io.BytesIO()
    write_archive(Bundle.of("demo-runtime", [manifest, *others]), out, 0, lambda: False)
    return out.getvalue()


@pytest.mark.parametrize("remembered", ["", "{", "[1]", "null", '{"a.tar.gz": {}}', '{"a.tar.gz": 1}', "\xff"])
def test_an_archive_says_itself_what_it_was_made_from(out: Out, remembered: str) -> None:
    """Losing what is remembered costs a look at the archive, not a build."""
    content = real_archive()
    out.put("a.tar.gz", content, INPUTS)
    for path in out.state.glob("*.json"):
        path.write_bytes(remembered.encode("latin-1"))
    assert out.current("a.tar.gz", INPUTS) == Written(len(content), sha(content))
    assert out.current("a.tar.gz", "cd" * 32) is None
    assert out.checked()


def test_a_lost_state_is_built_up_again(out: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    out.put("a.tar.gz", real_archive(), INPUTS)
    for path in out.state.iterdir():
        path.unlink()
    assert out.current("a.tar.gz", INPUTS)
    monkeypatch.setattr("bundler.adapters.dist.sha256_of", lambda path: pytest.fail("hashed although nothing changed"))
    assert out.current("a.tar.gz", INPUTS)


def test_a_touched_archive_is_hashed_again_and_stays(out: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Path] = []
    content = real_archive()
    out.put("a.tar.gz", content, INPUTS)
    out.put("b.tar.gz", content, INPUTS)

    def digest(path: Path) -> str:
        hashed.append(path)
        return sha(path.read_bytes())

    monkeypatch.setattr("bundler.adapters.dist.sha256_of", digest)
    os.utime(out.folder / "a.tar.gz", (1, 1))
    for _ in range(2):
        for name in ("a.tar.gz", "b.tar.gz"):
            assert out.current(name, INPUTS) == Written(len(content), sha(content))
    assert hashed == [out.folder / "a.tar.gz"]


def test_an_archive_replaced_by_an_equally_large_one_is_noticed(out: Out) -> None:
    content = real_archive()
    out.put("a.tar.gz", content, INPUTS)
    (out.folder / "x").write_bytes(content[:-1] + b"!")
    (out.folder / "x").replace(out.folder / "a.tar.gz")
    assert out.current("a.tar.gz", INPUTS) is None
    assert not out.checked()


def test_building_anew_repairs_what_was_changed(out: Out) -> None:
    content = real_archive()
    out.put("a.tar.gz", content, INPUTS)
    (out.folder / "a.tar.gz").write_bytes(b"damaged")
    out.settle()
    assert not out.checked(), "a run that does not make it anew must not bless it"
    out.put("a.tar.gz", content, INPUTS)
    assert out.checked()
    assert out.sums() == {"a.tar.gz": sha(content)}


def test_an_archive_without_its_line_is_listed_again(out: Out) -> None:
    """As after a kill between the renaming of an archive and the writing of its line."""
    out.put("a.tar.gz", real_archive(), INPUTS)
    (out.folder / sums.NAME).unlink()
    assert out.current("a.tar.gz", INPUTS)
    assert out.checked()


@pytest.mark.parametrize(
    "text", ["", "nonsense", "\n", f"{'0' * 64}  b.tar.gz\n{'0' * 64}  a.tar.gz\n", "x" * 70 + "\n"]
)
def test_checksums_that_cannot_be_read_are_computed(out: Out, text: str) -> None:
    out.put("a.tar.gz", b"one")
    out.put("b.tar.gz", b"two")
    (out.folder / sums.NAME).write_text(text)
    out.settle()
    assert out.sums() == {"a.tar.gz": sha(b"one"), "b.tar.gz": sha(b"two")}


def test_lines_of_files_that_are_gone_or_no_archives_go(out: Out) -> None:
    out.put("a.tar.gz", b"one")
    for name in (".hidden.tar.gz", "notes.txt", "b.tar.gz.part-000"):
        (out.folder / name).write_bytes(b"x")
    (out.folder / "folder.tar.gz").mkdir()
    (out.folder / sums.NAME).write_text(f"{sha(b'one')}  a.tar.gz\n{'0' * 64}  gone.tar.gz\n{'0' * 64}  notes.txt\n")
    out.settle()
    assert out.sums() == {"a.tar.gz": sha(b"one")}
    assert (out.folder / ".hidden.tar.gz").exists()


def test_what_stands_beside_an_archive_is_listed_and_nothing_else(out: Out) -> None:
    out.put("a.tar.gz", b"one")
    beside = ["a.tar.gz.asc", "a.tar.gz.minisig", "a.tar.gz.sig"]
    for name in (*beside, "SHA256SUMS.sig", "b.tar.gz.sig", "a.tar.gz.two words", "notes.txt", ".a.tar.gz.sig"):
        (out.folder / name).write_bytes(name.encode())
    out.settle()
    assert out.sums() == {"a.tar.gz": sha(b"one")} | {name: sha(name.encode()) for name in beside}
    out.put("a.tar.gz", b"two")
    assert out.sums() == {"a.tar.gz": sha(b"two")} | {name: sha(name.encode()) for name in beside}
    (out.folder / "a.tar.gz").unlink()
    out.settle()
    assert out.sums() == {}


def test_what_was_signed_anew_is_listed_anew_by_the_next_run(out: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """No run makes it, so none could mend a line that it disagrees with; whether it is right is for its reader."""
    out.put("a.tar.gz", b"one")
    (out.folder / "a.tar.gz.sig").write_bytes(b"first")
    out.settle()
    (out.folder / "a.tar.gz.sig").write_bytes(b"again")
    assert not out.checked()
    out.settle()
    assert out.sums()["a.tar.gz.sig"] == sha(b"again")
    monkeypatch.setattr("bundler.adapters.dist.sha256_of", lambda path: pytest.fail("hashed although nothing changed"))
    out.settle()


@pytest.mark.slow
def test_a_folder_by_another_name_is_the_same_folder(out: Out, tmp_path: Path, children: Forks) -> None:
    out.put("a.tar.gz", b"one")
    (tmp_path / "link").symlink_to(out.folder)
    ready, go_on = tmp_path / "ready", tmp_path / "go-on"
    child = children.start(
        "hold_folder", str(tmp_path / "link" / ".." / "dist"), str(out.state), str(ready), str(go_on)
    )
    wait_until(ready.exists)
    names = [out.folder, tmp_path / "link", out.folder / ".." / "dist"]
    listeners = [Listener() for _ in names]
    threads = [
        threading.Thread(target=own, args=(Dist(name, out.state, inputs_of), listener))
        for name, listener in zip(names, listeners, strict=True)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: all(listener.said for listener in listeners))
    go_on.touch()
    for thread in threads:
        thread.join()
    assert [one.said for one in listeners] == [[f"waiting for another aiws-bundle that fills {n}"] for n in names]
    assert children.wait(child) == 0


def test_a_killed_owner_frees_the_folder(out: Out, tmp_path: Path, children: Forks) -> None:
    ready = tmp_path / "ready"
    child = children.start("hold_folder", str(out.folder), str(out.state), str(ready), str(tmp_path / "never"))
    wait_until(ready.exists)
    assert children.kill(child)
    waiting = Listener()
    own(out.dist(), waiting)
    assert waiting.said == []


class Listener(Silent):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def own(dist: Dist, progress: Silent) -> None:
    with dist.opened(progress):
        pass


class Watcher(threading.Thread):
    """Reads the folder again and again as a consumer would, and notes every line that is false."""

    def __init__(self, out: Out) -> None:
        super().__init__()
        self._out, self.stop = out, threading.Event()
        self.lies: list[str] = []
        self.checked = 0

    def run(self) -> None:
        while not self.stop.is_set():
            for name, digest in self._lines().items():
                content = self._content(name)
                # Every content is new, so a line that is there before and after was there meanwhile.
                if self._lines().get(name) == digest:
                    self.checked += 1
                    if content is None or sha(content) != digest:
                        self.lies.append(name)

    def _lines(self) -> dict[str, str]:
        content = self._content(sums.NAME)
        return sums.parse(content.decode()) if content is not None else {}

    def _content(self, name: str) -> bytes | None:
        try:
            return (self._out.folder / name).read_bytes()
        except FileNotFoundError:
            return None


@pytest.mark.slow
def test_killed_runs_never_leave_a_false_line(out: Out, children: Forks) -> None:
    chance = random.Random(20261124)
    names = [f"{letter}.tar.gz" for letter in "abc"]
    for name in names:
        out.put(name, name.encode())
    watcher = Watcher(out)
    watcher.start()
    try:
        kills = leftovers = unlisted = 0
        # A busy machine is slow to begin.
        while kills < examples(36) or (kills < 200 and (leftovers < 5 or unlisted < 1)):
            kills += 1
            child = children.start("replace_archives", str(out.folder), str(out.state), names, 1000)
            time.sleep(chance.uniform(0, 0.06))
            assert children.kill(child)
            leftovers += any(out.folder.glob(".aiws-bundle-*"))
            unlisted += not {*names} <= out.sums().keys()
            assert all(sha((out.folder / name).read_bytes()) == digest for name, digest in out.sums().items())
            out.settle()
            beside = {path.name: path for path in out.folder.glob("*.cdx.json")}
            assert set(out.sums()) == {*names, *beside}
            assert out.checked()
            assert {path.name for path in out.folder.iterdir()} == {"SHA256SUMS", *names, *beside}
            for name, path in beside.items():
                archive = out.folder / name.removesuffix(".cdx.json")
                assert path.read_text() == sha(archive.read_bytes()), "no archive stands beside what another one made"
    finally:
        watcher.stop.set()
        watcher.join()
    assert watcher.lies == []
    assert watcher.checked > 100
    assert leftovers >= 5, "the kills must hit the middle of the work"
    assert unlisted >= 1
