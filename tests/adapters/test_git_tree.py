"""Trees of Git: what a commit holds, and every path, mode and link that cannot be checked out safely."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.adapters import git_tree
from bundler.adapters.git_tree import FILE, LINK, PROGRAM, Tree, walk
from bundler.errors import IntegrityError
from tests.git_objects import Objects, files

Entry = tuple[str, bytes, bytes]


def walked(tmp_path: Path, objects: Objects, commit: str) -> Tree:
    return walk(objects.pack(tmp_path / "p.pack"), commit)


def test_files_programs_links_and_folders_are_told(tmp_path: Path) -> None:
    objects = Objects()
    one = objects.blob(b"one")
    inner = objects.tree(("100755", b"run", one), ("120000", b"up", objects.blob(b"../a")))
    root = objects.tree(("100664", b"a", one), ("100644", b"d.x", one), ("40000", b"d", inner))
    tree = walked(tmp_path, objects, objects.commit(root, bytes(20)))
    assert [(file.path, file.mode, file.size, file.target) for file in tree.files] == [
        ("a", FILE, 3, ""), ("d.x", FILE, 3, ""), ("d/run", PROGRAM, 3, ""), ("d/up", LINK, 4, "../a"),
    ]  # fmt: skip
    assert tree.parents and tree.root == root
    assert len(tree.objects()) == 5


@pytest.mark.parametrize(
    "name",
    [
        b".git", b".GIT", b".Git ", b".git.", b".git::$INDEX_ALLOCATION", b"git~1", b"GIT~2", b".git. .", b"..", b".",
        b"", b"a/b", b"a\\b", b"a\nb", b"a\x1b[2J", b"\xff", b".g\xe2\x80\x8cit", b"x" * 256,
        b"/etc", "a\u202eb".encode(),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["100644", "40000", "120000"])
def test_a_path_of_trickery_is_refused(tmp_path: Path, name: bytes, mode: str) -> None:
    objects = Objects()
    one = objects.blob(b"one")
    inside = objects.tree(("100644", b"config", one)) if mode == "40000" else one
    commit = objects.commit(objects.tree(("40000", b"d", objects.tree((mode, name, inside)))))
    with pytest.raises(IntegrityError, match="refused path") as caught:
        walked(tmp_path, objects, commit)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "a/../../..", "", "../\0", "a\\b", "../p\n", "x" * 1025])
def test_a_link_out_of_the_checkout_is_refused(tmp_path: Path, target: str) -> None:
    objects = Objects()
    link = ("120000", b"link", objects.blob(target.encode()))
    commit = objects.commit(objects.tree(("40000", b"d", objects.tree(link))))
    with pytest.raises(IntegrityError, match=r"link 'd/link'|larger than 1024"):
        walked(tmp_path, objects, commit)


@pytest.mark.parametrize("mode", ["100600", "100777", "104755", "040000", "20666", "", "+100644", "10644"])
def test_an_unknown_mode_is_refused(tmp_path: Path, mode: str) -> None:
    objects = Objects()
    commit = objects.commit(objects.tree((mode, b"a", objects.blob(b"one"))))
    with pytest.raises(IntegrityError, match="malformed at byte 0"):
        walked(tmp_path, objects, commit)


def test_a_path_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    objects = Objects()
    one = objects.blob(b"/tmp")
    inner = objects.tree(("100644", b"x", one))
    twice: list[list[Entry]] = [
        [("100644", b"a", one), ("100755", b"a", one)],
        [("100644", b"a", one), ("40000", b"a", inner)],
        [("120000", b"a", one), ("40000", b"a", inner)],
    ]
    twice[2][0] = ("120000", b"a", objects.blob(b"b"))
    for entries in twice:
        with pytest.raises(IntegrityError, match="'a' is there twice"):
            walked(tmp_path, objects, objects.commit(objects.tree(*entries)))


def test_a_tree_that_is_not_sorted_as_git_sorts_is_refused(tmp_path: Path) -> None:
    objects = Objects()
    one = objects.blob(b"one")
    inner = objects.tree(("100644", b"x", one))
    for entries in ([("100644", b"b", one), ("100644", b"a", one)], [("40000", b"d", inner), ("100644", b"d.x", one)]):
        with pytest.raises(IntegrityError, match="not sorted"):
            walked(tmp_path, objects, objects.commit(objects.tree(*entries)))


def test_a_submodule_is_refused_with_the_reason(tmp_path: Path) -> None:
    objects = Objects()
    with pytest.raises(IntegrityError, match="'sub' is a submodule"):
        walked(tmp_path, objects, objects.commit(objects.tree(("160000", b"sub", bytes(20)))))


def test_a_tree_that_breaks_off_is_refused(tmp_path: Path) -> None:
    for content in (b"100644 a", b"100644 a\0short", b"\0" * 21, b"100644a\0" + bytes(20)):
        objects = Objects()
        with pytest.raises(IntegrityError, match="malformed"):
            walked(tmp_path, objects, objects.commit(objects.add("tree", content)))


def test_a_commit_that_is_none_or_lacks_something_is_refused(tmp_path: Path) -> None:
    objects = Objects()
    odd = objects.add("commit", b"tree nothing\nauthor a\n").hex()
    no_tree, no_blob = objects.commit(bytes(20)), objects.commit(objects.tree(("100644", b"a", bytes(20))))
    as_tree = objects.commit(objects.blob(b"no tree"))
    for commit, reason in (
        (odd, "malformed"), (no_tree, "lacks tree"), (no_blob, "lacks blob"), (as_tree, "lacks tree"),
        ("0" * 40, "lacks commit 0000"), (objects.blob(b"x").hex(), "lacks commit"),
    ):  # fmt: skip
        with pytest.raises(IntegrityError, match=reason):
            walked(tmp_path, objects, commit)


def test_trees_that_multiply_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree that lists one tree ten times, which lists one ten times: a few hundred bytes are a million folders."""
    objects = Objects()
    below = objects.tree(*(("100644", b"%d" % n, objects.blob(b"x")) for n in range(10)))
    for _ in range(9):
        below = objects.tree(*(("40000", b"%d" % n, below) for n in range(10)))
    commit = objects.commit(below)
    monkeypatch.setattr(git_tree, "MOST_FILES", 1000)
    with pytest.raises(IntegrityError, match="more than 1000 paths"):
        walked(tmp_path, objects, commit)


def test_one_blob_at_many_paths_is_bounded_by_what_it_fills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = Objects()
    big = objects.blob(bytes(1000))
    commit = objects.commit(objects.tree(*(("100644", b"%02d" % n, big) for n in range(20))))
    monkeypatch.setattr(git_tree, "LARGEST_CHECKOUT", 19_999)
    with pytest.raises(IntegrityError, match="19999 bytes"):
        walked(tmp_path, objects, commit)


def test_folders_in_folders_end_where_paths_are_too_long(tmp_path: Path) -> None:
    objects = Objects()
    below = objects.tree(("100644", b"a", objects.blob(b"x")))
    for _ in range(3000):
        below = objects.tree(("40000", b"d", below))
    with pytest.raises(IntegrityError, match="too long"):
        walked(tmp_path, objects, objects.commit(below))


def test_an_empty_commit_holds_nothing(tmp_path: Path) -> None:
    objects = Objects()
    tree = walked(tmp_path, objects, files(objects))
    assert tree.files == () and not tree.parents
