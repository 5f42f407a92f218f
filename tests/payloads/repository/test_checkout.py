"""Checkouts: what stands in a package, and that the real git finds it clean on another host."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from bundler.adapters.archive import write_archive
from bundler.errors import IntegrityError
from bundler.model.bundle import Bundle, Entry, File, Link
from bundler.payloads.repository.checkout import entries_of
from bundler.payloads.repository.choice import Repository
from tests.git_objects import Objects, git

ADDRESS = "https://example.org/demo.git"


def chosen(
    *,
    branch: str | None = None,
    origin: bool = False,
    copies: Mapping[str, str] = {},
    additions: Mapping[str, str] = {},
    branches: tuple[str, ...] = (),
) -> Repository:
    return Repository("demo", ADDRESS, "main", branch, origin, copies, additions, branches)


def odd_files(objects: Objects, *parents: bytes) -> str:
    """A commit of everything that Git might find changed: line ends, attributes, programs, links, odd names."""
    crlf, text = objects.blob(b"a\r\nb\r\n"), objects.blob(b"$Id$\nplain\n")
    pointer = objects.blob(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    attributes = objects.blob(
        b"* text=auto\n*.crlf text eol=crlf\n*.id ident\n*.lfs filter=lfs diff=lfs -text\n*.u16 text "
        b"working-tree-encoding=UTF-16\n*.sub export-subst\n[attr]odd text eol=crlf\n*.odd odd\n"
    )
    inner = objects.tree(
        ("100644", b"x.crlf", text),
        ("100755", b"y", objects.blob(b"#!/bin/sh\n")),
        ("120000", b"z", objects.blob(b"../a")),
    )
    root = objects.tree(
        ("100644", b".gitattributes", attributes), ("100644", b".gitignore", objects.blob(b"*.id\n")),
        ("100644", b"a", crlf), ("100664", b"b.id", text), ("100644", b"big.lfs", pointer), ("100644", b"c.crlf", crlf),
        ("100644", b"c.odd", text), ("100644", b"d.u16", text), ("100644", b"dir.x", objects.blob(b"")),
        ("40000", b"dir", inner), ("100644", b"e.sub", objects.blob(b"$Format:%H$\n")),
        ("100644", "f ü*?[x] \"'.txt".encode(), text), ("100644", b"long-" + b"n" * 200, crlf),
    )  # fmt: skip
    return objects.commit(root, *parents)


def entries(tmp_path: Path, objects: Objects, commit: str, choice: Repository) -> tuple[Entry, ...]:
    objects.pack(tmp_path / "p.pack")
    with (tmp_path / "spool").open("wb") as spool:
        return entries_of(choice, commit, tmp_path / "p.pack", spool)


def extracted(tmp_path: Path, made: tuple[Entry, ...], folder: str = "x", umask: int = 0o022) -> Path:
    with (tmp_path / "a.tar.gz").open("wb") as file:
        write_archive(Bundle.of("top", made), file, 315532800, lambda: False)
    old = os.umask(umask)
    try:
        with tarfile.open(tmp_path / "a.tar.gz") as archive:
            archive.extractall(tmp_path / folder, filter="data")
    finally:
        os.umask(old)
    return tmp_path / folder / "top"


def test_the_files_are_those_of_the_commit(tmp_path: Path) -> None:
    objects = Objects()
    commit = odd_files(objects)
    made = {
        entry.path: entry
        for entry in entries(
            tmp_path, objects, commit, chosen(copies={"dir/y": "scripts/run.sh"}, additions={"n/e": "t"})
        )
    }
    program, copy = made["repos/demo/dir/y"], made["scripts/run.sh"]
    assert isinstance(program, File) and isinstance(copy, File)
    assert program.executable and copy.executable and copy.content == program.content
    assert made["repos/demo/dir/z"] == Link("repos/demo/dir/z", "../a")
    named, added, lfs = (made[path] for path in ("metadata/demo.commit", "repos/demo/n/e", "repos/demo/big.lfs"))
    assert isinstance(named, File) and named.content == f"{commit}\n".encode()
    assert isinstance(added, File) and added.content == b"t" and not added.executable
    assert isinstance(lfs, File) and lfs.sha256 == hashlib.sha256(objects.found[_blob(lfs, objects)][1]).hexdigest()
    head = made["repos/demo/.git/HEAD"]
    assert isinstance(head, File) and head.content == f"{commit}\n".encode()
    assert not [path for path in made if path.startswith("repos/demo/.git/") and ("hooks" in path or "heads" in path)]


def _blob(file: File, objects: Objects) -> bytes:
    return next(i for i, (_, data) in objects.found.items() if hashlib.sha256(data).hexdigest() == file.sha256)


def test_a_copy_of_what_is_no_file_is_refused(tmp_path: Path) -> None:
    objects = Objects()
    commit = odd_files(objects)
    for path in ("none", "dir", "dir/z", ".git/config"):
        with pytest.raises(IntegrityError, match=f"{path} is no file of the commit"):
            entries(tmp_path, objects, commit, chosen(copies={path: "scripts/a"}))


@pytest.mark.parametrize("path", ["a", "dir", "dir/y", "dir/y/x", "a/b", "dir/z/b"])
def test_an_addition_in_the_place_of_what_is_tracked_is_refused(tmp_path: Path, path: str) -> None:
    objects = Objects()
    commit = odd_files(objects)
    with pytest.raises(IntegrityError, match="no addition can stand there"):
        entries(tmp_path, objects, commit, chosen(additions={path: "x"}))


def test_a_pack_with_more_than_the_commit_is_refused(tmp_path: Path) -> None:
    objects = Objects()
    commit = odd_files(objects)
    objects.blob(b"more")
    with pytest.raises(IntegrityError, match="other objects than those of the commit"):
        entries(tmp_path, objects, commit, chosen())


def test_a_pack_of_another_commit_is_refused(tmp_path: Path) -> None:
    objects = Objects()
    odd_files(objects)
    with pytest.raises(IntegrityError, match="lacks commit 0000"):
        entries(tmp_path, objects, "0" * 40, chosen())


def test_what_is_too_long_only_below_its_folder_is_refused(tmp_path: Path) -> None:
    objects = Objects()
    below = objects.tree(("100644", b"f" * 15, objects.blob(b"x")))
    for _ in range(4):
        below = objects.tree(("40000", b"d" * 250, below))
    with pytest.raises(IntegrityError, match=r"refused path .*too long"):
        entries(tmp_path, objects, objects.commit(below), chosen())


@pytest.mark.slow
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
@pytest.mark.parametrize("parents", [(), (b"\1" * 20,)])
def test_git_finds_a_checkout_clean_and_whole(tmp_path: Path, umask: int, parents: tuple[bytes, ...]) -> None:
    objects = Objects()
    commit = odd_files(objects, *parents)
    additions = {"dir/zz-added.yml": "x\n", "new/b.id": "y\n", "new/c.txt": ""}
    made = entries(tmp_path, objects, commit, chosen(additions=additions))
    work = extracted(tmp_path, made, umask=umask) / "repos/demo"
    trust = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    assert git(work, "--no-optional-locks", "status", "--porcelain", **trust) == ""
    assert git(work, "-c", "core.autocrlf=true", "--no-optional-locks", "status", "--porcelain", **trust) == ""
    assert git(work, "-c", "core.autocrlf=input", "-c", "core.eol=crlf", "status", "--porcelain", **trust) == ""
    assert git(work, "log", "-1", "--format=%H %s", **trust) == f"{commit} a message\n"
    assert git(work, "fsck", "--full", **trust) == ""
    assert git(work, "remote", **trust) == git(work, "branch", "--format=%(refname)", "--list", "m*", **trust) == ""
    assert git(work, "rev-parse", "--is-shallow-repository", **trust) == f"{str(bool(parents)).lower()}\n"
    assert git(work, "ls-files", "--others", "--exclude-standard", **trust) == ""
    # As an index that Git itself wrote: it names every file, in Git's order.
    assert git(work, "diff", "--cached", "--stat", "HEAD", **trust) == ""
    git(work, "read-tree", "HEAD", **trust)
    assert git(work, "status", "--porcelain", **trust) == ""
    (work / "a").write_bytes(b"changed")
    assert git(work, "status", "--porcelain", **trust) == " M a\n"


@pytest.mark.slow
def test_git_finds_it_clean_where_it_may_not_write(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("another user is needed")
    objects = Objects()
    work = extracted(tmp_path, entries(tmp_path, objects, odd_files(objects), chosen())) / "repos/demo"
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith(("pytest-", "popen-")):
            folder.chmod(0o755)
    tmp_path.chmod(0o755)
    env = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
    }  # fmt: skip
    for words in (["status", "--porcelain"], ["log", "-1", "--format="]):
        done = subprocess.run(["git", *words], cwd=work, env=env, user=65534, group=65534, extra_groups=[],
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
def test_branches_and_an_origin_are_there_where_they_were_chosen(tmp_path: Path) -> None:
    objects = Objects()
    commit = odd_files(objects, b"\1" * 20)
    choice = chosen(branch="main", origin=True, branches=("release/v1.1.4",))
    work = extracted(tmp_path, entries(tmp_path, objects, commit, choice)) / "repos/demo"
    assert git(work, "symbolic-ref", "HEAD") == "refs/heads/main\n"
    assert git(work, "remote", "get-url", "origin") == f"{ADDRESS}\n"
    assert git(work, "status", "--porcelain") == ""
    for branch in ("main", "release/v1.1.4"):
        git(tmp_path, "clone", "-q", "--branch", branch, f"file://{work}", f"clone-{len(branch)}")
        assert git(tmp_path / f"clone-{len(branch)}", "rev-parse", "HEAD") == f"{commit}\n"


@pytest.mark.slow
def test_a_clone_of_a_detached_checkout_is_at_the_commit(tmp_path: Path) -> None:
    objects = Objects()
    commit = odd_files(objects)
    work = extracted(tmp_path, entries(tmp_path, objects, commit, chosen())) / "repos/demo"
    git(tmp_path, "clone", "-q", f"file://{work}", "clone")
    assert git(tmp_path / "clone", "rev-parse", "HEAD") == f"{commit}\n"
    git(work, "gc", "-q", "--prune=now")
    assert git(work, "log", "-1", "--format=%H") == f"{commit}\n"
