"""What a commit of Git holds: its trees, walked defensively. Formats: gitformat-pack(5), git-ls-tree(1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bundler.adapters.git_pack import Pack
from bundler.errors import IntegrityError
from bundler.model.paths import link_fault, path_fault

FILE, PROGRAM, LINK = 0o100644, 0o100755, 0o120000
_TREE, _SUBMODULE = 0o40000, 0o160000
# Git of long ago kept the group's right to write; it is checked out as any other file.
_MODES = {b"100644": FILE, b"100664": FILE, b"100755": PROGRAM, b"120000": LINK, b"40000": _TREE, b"160000": _SUBMODULE}
_LARGEST_COMMIT = 1 << 20
_LARGEST_TREE = 32 << 20
_LARGEST_LINK = 1024
# A folder of a name that no target can hold: what leads out of the checkout leads out of it.
_TOP = "\0"
MOST_FILES = 200_000
LARGEST_CHECKOUT = 4 << 30
_COMMIT = re.compile(rb"tree ([0-9a-f]{40})\n((?:parent [0-9a-f]{40}\n)*)author ")
# What some file system takes for .git: Windows' short names, and what it drops or ends a name at.
_DOT_GIT = re.compile(r"(\.git|git~[0-9]+)[. ]*(:.*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Tracked:
    """A file of a commit: its path, mode (FILE, PROGRAM, LINK), blob (20 bytes) and size; of a link, its target."""

    path: str
    mode: int
    blob: bytes
    size: int
    target: str = ""


@dataclass(frozen=True)
class Tree:
    """A commit that was walked: whether it has parents, its root tree, all trees in order, its files by path."""

    commit: bytes
    parents: bool
    root: bytes
    trees: tuple[bytes, ...]
    files: tuple[Tracked, ...]

    def objects(self) -> tuple[bytes, ...]:
        """Every object that it is made of, each once, in an order that it alone decides."""
        return tuple(dict.fromkeys((self.commit, *self.trees, *(file.blob for file in self.files))))


def walk(pack: Pack, commit: str) -> Tree:
    """Walk the trees of a commit (hex) in a pack. The files are sorted as Git sorts them: by the bytes of their paths.

    Raises IntegrityError if an object is missing or malformed, or a path could not be checked out safely.
    """
    identity = bytes.fromhex(commit)
    head = _COMMIT.match(pack.read(identity, "commit", _LARGEST_COMMIT))
    if head is None:
        raise IntegrityError(f"{pack.name}: commit {commit} is malformed")
    root = bytes.fromhex(head[1].decode())
    trees, files = [], []
    size = 0
    waiting = [("", root)]
    while waiting:
        folder, tree = waiting.pop()
        trees.append(tree)
        for mode, name, found in _entries(pack, folder, tree):
            path = folder + name
            if mode == _TREE:
                waiting.append((f"{path}/", found))
            elif mode == _SUBMODULE:
                raise IntegrityError(
                    f"{pack.name}: {path!r} is a submodule",
                    "no package can hold one: it would be another repository, with a commit of its own",
                )
            else:
                files.append(_tracked(pack, path, mode, found))
                size += files[-1].size
        if len(files) + len(trees) + len(waiting) > MOST_FILES or size > LARGEST_CHECKOUT:
            raise IntegrityError(f"{pack.name}: more than {MOST_FILES} paths, or {LARGEST_CHECKOUT} bytes")
    files.sort(key=lambda file: file.path.encode())
    return Tree(identity, bool(head[2]), root, tuple(trees), tuple(files))


def _tracked(pack: Pack, path: str, mode: int, blob: bytes) -> Tracked:
    size = pack.packed(blob, "blob").size
    if mode != LINK:
        return Tracked(path, mode, blob, size)
    try:
        target = pack.read(blob, "blob", _LARGEST_LINK).decode()
    except UnicodeDecodeError as error:
        raise IntegrityError(f"{pack.name}: link {path!r}: its target is not UTF-8") from error
    if fault := link_fault(f"{_TOP}/{path}", target, _TOP):
        raise IntegrityError(f"{pack.name}: link {path!r}: {fault}")
    return Tracked(path, mode, blob, size, target)


def _entries(pack: Pack, folder: str, tree: bytes) -> Iterator[tuple[int, str, bytes]]:
    """Yield what a tree lists: mode, name, object. Raises IntegrityError."""
    content, at = pack.read(tree, "tree", _LARGEST_TREE), 0
    names: set[bytes] = set()
    last = b""
    while at < len(content):
        end = content.find(b"\0", at)
        written, space, name = content[at:end].partition(b" ")
        found = content[end + 1 : end + 21]
        mode = _MODES.get(written)
        if end < 0 or not space or mode is None or len(found) != 20:
            raise IntegrityError(f"{pack.name}: tree {tree.hex()} is malformed at byte {at}")
        if name in names:
            raise IntegrityError(f"{pack.name}: {folder + name.decode(errors='replace')!r} is there twice")
        names.add(name)
        # As Git sorts them: a folder as if its name ended with a slash.
        key = name + b"/" if mode == _TREE else name
        if key < last:
            raise IntegrityError(f"{pack.name}: tree {tree.hex()} is not sorted at byte {at}")
        last = key
        yield mode, _name(pack, folder, name), found
        at = end + 21


def _name(pack: Pack, folder: str, raw: bytes) -> str:
    shown = folder + raw.decode(errors="replace")
    try:
        name = raw.decode()
    except UnicodeDecodeError as error:
        raise IntegrityError(f"{pack.name}: refused path {shown[:200]!r}: it is not UTF-8") from error
    if not name or "/" in name:
        fault: str | None = "it is no name"
    else:
        fault = "it is Git's own" if _DOT_GIT.fullmatch(name) else path_fault(folder + name)
    if fault:
        raise IntegrityError(f"{pack.name}: refused path {shown[:200]!r}: {fault}")
    return name
