"""New files appear all together or not at all, and over nothing."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

import pytest

from bundler.adapters.new_files import all_appearing, appearing, put_new
from bundler.errors import UsageError


def test_files_and_their_folders_are_made(tmp_path: Path) -> None:
    files = {tmp_path / "a": "1", tmp_path / "new" / "deep" / "b": "2"}
    put_new(files)
    assert {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == files


@pytest.mark.parametrize("number", [0, 1, 2])
def test_one_that_cannot_be_put_in_place_takes_all_others_along(number: int, tmp_path: Path) -> None:
    links = iter(range(3))

    def failing(source: Path, target: Path) -> None:
        if next(links) == number:
            raise FileExistsError(target)
        target.write_text("placed")

    with mock.patch.object(os, "link", failing), pytest.raises(UsageError, match="nothing is overwritten"):
        put_new({tmp_path / "new" / name: "x" for name in "abc"})
    assert not (tmp_path / "new").exists()


def test_all_are_on_the_disk_before_the_first_appears(tmp_path: Path) -> None:
    fsync, there, out = os.fsync, list[int](), tmp_path / "out"

    def counting(descriptor: int) -> None:
        there.append(len([one for one in out.iterdir() if not one.name.startswith(".")]))
        fsync(descriptor)

    with mock.patch.object(os, "fsync", counting), all_appearing(out) as hidden:
        for name in "abc":
            (hidden / name).write_text("x")
    assert there == [0, 0, 0, 3]  # and then the folder


def test_what_is_there_stays_even_as_a_link_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "b").symlink_to("nowhere")
    with pytest.raises(UsageError):
        put_new({tmp_path / "a": "x", tmp_path / "b": "x"})
    assert not (tmp_path / "a").exists() and (tmp_path / "b").is_symlink()
    assert not list(tmp_path.glob(".*"))


def test_what_is_made_appears_together_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"

    def fill(*, fail: bool) -> None:
        with all_appearing(out) as hidden:
            (hidden / "one").write_text("1")
            (hidden / "two").write_text("2")
            assert {"one"}.isdisjoint(one.name for one in out.iterdir())
            if fail:
                raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fill(fail=True)
    assert not out.exists()
    fill(fail=False)
    assert sorted(one.name for one in out.iterdir()) == ["one", "two"]
    assert (out / "one").stat().st_mode & 0o777 == 0o644
    (out / "one").unlink()
    (out / "two").write_text("mine")
    with pytest.raises(UsageError, match="two is there already"):
        fill(fail=False)
    assert [one.name for one in out.iterdir()] == ["two"]
    assert (out / "two").read_text() == "mine"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with nothing in it."""
    path = tmp_path / "folder"
    path.mkdir()
    return path


def test_what_comes_meanwhile_is_kept_and_nothing_else_is_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def meanwhile(one: Path, other: Path) -> None:
        if one.name == "two":
            other.write_text("mine")
        link(one, other)

    monkeypatch.setattr(os, "link", meanwhile)
    with pytest.raises(UsageError, match="nothing is overwritten"), all_appearing(folder) as hidden:
        (hidden / "one").write_text("1")
        (hidden / "two").write_text("2")
    assert {one.name: one.read_text() for one in folder.iterdir()} == {"two": "mine"}


def test_without_links_it_is_renamed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(one: Path, other: Path) -> None:
        raise PermissionError(1, "Operation not permitted")  # as vfat answers

    monkeypatch.setattr(os, "link", link)
    with all_appearing(folder) as hidden:
        (hidden / "one").write_text("1")
    assert [one.name for one in folder.iterdir()] == ["one"]


def test_without_links_what_is_there_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(one: Path, other: Path) -> None:
        other.write_text("mine")
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(UsageError, match="nothing is overwritten"), appearing(folder / "one") as file:
        file.write(b"1")
    assert {one.name: one.read_text() for one in folder.iterdir()} == {"one": "mine"}
