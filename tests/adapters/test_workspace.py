"""The folder of manifests and locks."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from bundler.adapters import workspace as workspace_module
from bundler.adapters.workspace import Recorded, Workspace
from bundler.errors import UsageError, WorkError

LOCK = "pylock.demo-ubuntu-24-04-amd64.toml"
OTHER = "assets.demo.toml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "checkout" / "manifests"
    made.mkdir(parents=True)
    (made / "targets.yaml").write_text("distros: {}\n")
    return made


def test_the_nearest_manifests_at_or_above_are_found(folder: Path) -> None:
    below = folder.parent / "a" / "b"
    below.mkdir(parents=True)
    assert Workspace.find(None, below).folder == folder
    assert Workspace.find(None, folder.parent).folder == folder
    (folder.parent / "a" / "manifests").mkdir()
    assert Workspace.find(None, below).folder == folder, "a folder without targets.yaml is another project's"
    (folder.parent / "a" / "manifests" / "targets.yaml").touch()
    assert Workspace.find(None, below).folder == folder.parent / "a" / "manifests"


def refused(chosen: Path | None, start: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        Workspace.find(chosen, start)
    return caught.value


def test_a_chosen_folder_is_taken_or_refused(folder: Path, tmp_path: Path) -> None:
    assert Workspace.find(folder, tmp_path).folder == folder
    assert refused(tmp_path / "elsewhere", tmp_path).message == f"{tmp_path}/elsewhere is not there"
    (tmp_path / "empty").mkdir()
    error = refused(tmp_path / "empty", folder.parent)
    assert error.message == f"{tmp_path}/empty holds no targets.yaml"
    assert error.hint == "give the folder that holds it with --manifests"


def test_where_no_folder_above_has_manifests_one_below_is_named(folder: Path, tmp_path: Path) -> None:
    error = refused(None, tmp_path)
    assert error.message == f"neither {tmp_path} nor a folder above it has manifests/targets.yaml"
    assert error.hint == f"give the folder that holds it with --manifests, for example --manifests {folder}"
    assert refused(folder.parent, tmp_path).hint.endswith(f"for example --manifests {folder}")
    assert refused(folder.parent / "a", tmp_path).hint == "give the folder that holds it with --manifests"
    (folder / "targets.yaml").unlink()
    assert refused(None, tmp_path).hint == "give the folder that holds it with --manifests"


def test_manifests_are_read_by_name(folder: Path) -> None:
    (folder / "b.yaml").write_text("b: ü\n", encoding="utf-8")
    (folder / "notes.txt").write_text("no manifest")
    assert list(Workspace(folder).manifest_texts().items()) == [("b.yaml", "b: ü\n"), ("targets.yaml", "distros: {}\n")]


def test_what_is_not_utf_8_is_named_with_its_place(folder: Path) -> None:
    (folder / "b.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(UsageError, match=r"b\.yaml is not UTF-8 text: .* at byte 6") as caught:
        Workspace(folder).manifest_texts()
    assert caught.value.exit_code == 2


def test_a_manifest_of_absurd_size_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace_module, "_LARGEST_TEXT", 5)
    with pytest.raises(UsageError, match=r"targets\.yaml is larger than"):
        Workspace(folder).manifest_texts()


def test_a_lock_is_text_below_locks(folder: Path) -> None:
    workspace = Workspace(folder)
    assert workspace.lock_path(LOCK) == folder / "locks" / LOCK
    assert workspace.lock_text(LOCK) is None
    workspace.write_lock(LOCK, "text ü\n")
    assert workspace.lock_text(LOCK) == "text ü\n"
    assert workspace.lock_path(LOCK).read_bytes() == "text ü\n".encode()


def test_a_lock_may_be_read_by_all_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        Workspace(folder).write_lock(LOCK, "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE(Workspace(folder).lock_path(LOCK).stat().st_mode) == 0o644


def test_a_lock_is_replaced_at_once(folder: Path) -> None:
    workspace, texts = Workspace(folder), [letter * 100_000 for letter in "abcdefgh"]
    workspace.write_lock(LOCK, texts[0])
    seen: set[str | None] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(workspace.lock_text(LOCK))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        for text in texts:
            workspace.write_lock(LOCK, text)
    done.set()
    reader.join()
    assert seen <= set(texts)
    assert len(seen) > 1
    assert [path.name for path in (folder / "locks").iterdir()] == [LOCK]


def test_a_lock_that_cannot_be_put_in_place_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(folder)
    workspace.write_lock(LOCK, "old")
    with pytest.raises(UnicodeEncodeError):
        workspace.write_lock(LOCK, "\udc80")
    monkeypatch.setattr(Path, "replace", lambda self, target: (_ for _ in ()).throw(PermissionError("no")))
    with pytest.raises(WorkError, match="no"):
        workspace.write_lock(LOCK, "new")
    assert workspace.lock_text(LOCK) == "old"
    assert len(list((folder / "locks").iterdir())) == 1


def test_locks_are_listed_by_name(folder: Path) -> None:
    workspace = Workspace(folder)
    assert workspace.locks() == []
    for name in (LOCK, OTHER):
        workspace.write_lock(name, "text")
    (folder / "locks" / "README.md").touch()
    (folder / "locks" / ".pylock.half.toml").touch()
    assert workspace.locks() == sorted([LOCK, OTHER])
    workspace.remove_lock(LOCK)
    workspace.remove_lock(LOCK)
    assert workspace.locks() == [OTHER]


def test_what_was_recorded_is_read_as_a_folder_is_and_never_written(tmp_path: Path) -> None:
    texts = {
        "targets.yaml": "t",
        "a.yaml": "a",
        "locks/x.toml": "x",
        "locks/.y.toml": "",
        "locks/z.yaml": "",
        "b.txt": "",
    }
    record = Recorded(tmp_path / "HEAD~1:manifests", texts)
    assert record.manifest_texts() == {"targets.yaml": "t", "a.yaml": "a"}
    assert record.locks() == ["x.toml"]
    assert (record.lock_text("x.toml"), record.lock_text("other.toml")) == ("x", None)
    with pytest.raises(WorkError):
        record.write_lock("x.toml", "")
    with pytest.raises(WorkError):
        record.remove_lock("x.toml")
    assert (record.own_text("b.txt"), record.own_text("c.txt")) == ("", None)
    with pytest.raises(WorkError):
        record.write_own("b.txt", "")
    assert not record.folder.exists()


def test_fifty_applications_fit_and_no_end_of_manifests_does_not(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"app{number}.yaml").write_text("x")
    (tmp_path / "targets.yaml").write_text("x")
    assert len(Workspace(tmp_path).manifest_texts()) == 51
    for number in range(50, 200):
        (tmp_path / f"app{number}.yaml").write_text("x")
    with pytest.raises(UsageError, match="201 manifests, 200 are the most"):
        Workspace(tmp_path).manifest_texts()
