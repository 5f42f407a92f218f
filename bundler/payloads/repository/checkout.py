"""A checkout as it stands in a package: the files of a commit, and a .git that says the same on every host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from bundler.adapters.git_index import index_of
from bundler.adapters.git_pack import Pack, read_pack
from bundler.adapters.git_tree import LINK, PROGRAM, Tree, walk
from bundler.adapters.regular import open_regular
from bundler.errors import IntegrityError
from bundler.model.bundle import Entry, File, Link, Slice, text_file
from bundler.model.paths import path_fault
from bundler.payloads.repository.choice import Repository
from bundler.payloads.repository.places import commit_of, folder_of
from bundler.payloads.spool import spooled

_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n"
# Files are the blobs' bytes, whatever .gitattributes or a person's settings would make of them (gitattributes(5)).
_ATTRIBUTES = "* -text -ident -filter !working-tree-encoding\n"
# A folder without refs/ is no repository to Git, and archives have no empty folders: this ref is always there.
_LOCKED = "refs/locked/commit"


def entries_of(chosen: Repository, commit: str, path: Path, spool: BinaryIO) -> tuple[Entry, ...]:
    """What a repository puts into the archive: `path` is the pack of `commit`; files are unpacked into `spool`.

    Raises IntegrityError if the pack is malformed or unsafe, a copied file is not there or an addition would replace
    one.
    """
    pack = read_pack(path, f"{chosen.name} at {commit[:12]}")
    tree = walk(pack, commit)
    folder = folder_of(chosen.name)
    _check(chosen, pack, tree, folder)
    with open_regular(path) as file:
        files = {entry.path.removeprefix(f"{folder}/"): entry for entry in _files(pack, tree, folder, file, spool)}
    spool.flush()
    return (
        *files.values(),
        *(text_file(f"{folder}/{path}", text.encode()) for path, text in sorted(chosen.additions.items())),
        *_git(chosen, commit, pack, tree, f"{folder}/.git"),
        *(_copy(chosen.name, files.get(path), path, place) for path, place in sorted(chosen.copies.items())),
        text_file(commit_of(chosen.name), f"{commit}\n".encode()),
    )


def _check(chosen: Repository, pack: Pack, tree: Tree, folder: str) -> None:
    if pack.objects.keys() != set(tree.objects()):
        raise IntegrityError(f"{pack.name}: its pack holds other objects than those of the commit")
    tracked = {file.path for file in tree.files}
    folders = {parent for path in tracked for parent in _parents(path)}
    for path in chosen.additions:
        if path in tracked | folders or tracked & set(_parents(path)):
            raise IntegrityError(
                f"{pack.name}: {path} is a file or folder of the commit: no addition can stand there",
                "add a file of another name",
            )
    for path in (*tracked, *chosen.additions):
        if fault := path_fault(f"{folder}/{path}"):
            raise IntegrityError(f"{pack.name}: refused path {path[:200]!r}: {fault}")


def _parents(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _files(pack: Pack, tree: Tree, folder: str, file: BufferedReader, spool: BinaryIO) -> Iterator[File | Link]:
    """The files of a commit; what is there at several paths is unpacked once."""
    unpacked: dict[bytes, File] = {}
    for tracked in tree.files:
        path = f"{folder}/{tracked.path}"
        if tracked.mode == LINK:
            yield Link(path, tracked.target)
            continue
        if tracked.blob not in unpacked:
            content = pack.stream(tracked.blob, "blob", file)
            unpacked[tracked.blob] = spooled(path, content, spool, executable=False)
        yield replace(unpacked[tracked.blob], path=path, executable=tracked.mode == PROGRAM)


def _git(chosen: Repository, commit: str, pack: Pack, tree: Tree, folder: str) -> Iterator[File]:
    """The files of .git: what gitrepository-layout(5) wants, and nothing that depends on a host."""
    stem = f"objects/pack/pack-{pack.checksum.hex()}"
    refs = (_LOCKED, *(f"refs/heads/{branch}" for branch in chosen.all_branches()))
    texts = {
        "HEAD": f"ref: refs/heads/{chosen.branch}\n" if chosen.branch else f"{commit}\n",
        "config": _CONFIG + (_origin(chosen.address) if chosen.origin else ""),
        "info/attributes": _ATTRIBUTES,
        "info/exclude": "".join(f"/{path}\n" for path in sorted(chosen.additions)),
        **dict.fromkeys(refs, f"{commit}\n"),
        **({"shallow": f"{commit}\n"} if tree.parents else {}),
    }
    for path, text in texts.items():
        yield text_file(f"{folder}/{path}", text.encode())
    yield text_file(f"{folder}/index", index_of(tree.files))
    yield text_file(f"{folder}/{stem}.idx", pack.index())
    yield File(f"{folder}/{stem}.pack", pack.size, pack.sha256, Slice(str(pack.path), 0, pack.size))


def _origin(address: str) -> str:
    return f'[remote "origin"]\n\turl = {address}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n'


def _copy(name: str, original: File | Link | None, path: str, place: str) -> File:
    if not isinstance(original, File):
        raise IntegrityError(f"{name}: {path} is no file of the commit, so it cannot be copied to {place}")
    return replace(original, path=place)
