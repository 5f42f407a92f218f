"""One reading of an archive: what our reader accepts, the programs of the world unpack as it says, byte for byte.

Each accepted tar is unpacked by GNU tar, bsdtar, busybox tar, 7-Zip and Python's tarfile; every tree must be the
reader's. busybox tar knows no pax headers: it is not asked where one names a member. 7-Zip makes no link that begins
with `..`, says so and fails: it is not asked where one does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import pytest

from bundler.adapters.tar_reader import Reader
from bundler.errors import IntegrityError
from bundler.model.paths import link_fault
from tests.odd_tars import GNU, Head, Maker, long, pax, record, tar

Tree = Mapping[str, tuple[str, bytes, bool]]
ENV = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
# Unpack each argument, a tar, into the folder beside it that the program's name is given for; tell what failed.
LOOP = 'for tar in "$@"; do mkdir "$OUT/${tar%%.tar}" && %s -C "$OUT/${tar%%.tar}" || echo "$tar"; done'
COMMANDS = {
    "GNU tar": ("tar", LOOP % 'tar -xpf "$tar"'),
    "bsdtar": ("bsdtar", LOOP % 'bsdtar -xp --no-xattrs -f "$tar"'),
    "busybox tar": ("busybox", LOOP % 'busybox tar -xpf "$tar"'),
    "7-Zip": ("7z", '7z x -y -bso0 -bsp0 -o"$OUT/*" -an "-ai!*.tar"'),
}
READERS = [*COMMANDS, "tarfile"]


def ours(content: bytes) -> Tree | None:
    """The tree that the reader and its callers take a tar for, or None if they refuse it."""
    tree: dict[str, tuple[str, bytes, bool]] = {}
    reader = Reader("x", iter([content]))
    try:
        for member in reader.members():
            data = b"".join(reader.read())
            if member.kind == "hard link":
                tree[member.path] = tree[member.target]
            elif member.kind == "file":
                tree[member.path] = ("file", data, member.executable)
            elif member.kind == "folder":
                tree[member.path] = ("folder", b"", False)
            elif link_fault(member.path, member.target, member.path.partition("/")[0]):
                return None
            else:
                tree[member.path] = ("link", member.target.encode(), False)
            for above in PurePosixPath(member.path).parents:
                tree.setdefault(str(above), ("folder", b"", False))
    except IntegrityError:
        return None
    tree.pop(".", None)
    return tree


def on_disk(folder: Path) -> Tree:
    return dict(_walk(str(folder), ""))


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, tuple[str, bytes, bool]]]:
    with os.scandir(folder) as found:
        for one in found:
            path = f"{prefix}{one.name}"
            if one.is_symlink():
                yield path, ("link", os.fsencode(os.readlink(one.path)), False)  # noqa: PTH115 - as it is spelled
            elif one.is_dir():
                yield path, ("folder", b"", False)
                yield from _walk(one.path, f"{path}/")
            elif one.is_file():
                with open(one.path, "rb") as file:  # noqa: PTH123 - scandir's own
                    yield path, ("file", file.read(), bool(one.stat().st_mode & 0o100))
            else:
                yield path, ("other", b"", False)


def unpacked(reader: str, tars: Sequence[str], folder: Path) -> set[str]:
    """Have `reader` unpack tars of `folder`, each into `folder/reader/NAME`; return those that failed."""
    out = folder / reader
    out.mkdir()
    if reader == "tarfile":
        return {name for name in tars if not _by_tarfile(folder / name, out / name.removesuffix(".tar"))}
    argv = ["sh", "-c", COMMANDS[reader][1], "sh", *tars]
    done = subprocess.run(argv, cwd=folder, env={**ENV, "OUT": str(out)}, capture_output=True, text=True, check=False)
    if reader == "7-Zip":
        return {name for name in tars if f"{name}\n" in done.stderr} if done.returncode else set()
    return set(done.stdout.split())


def _by_tarfile(path: Path, out: Path) -> bool:
    try:
        with tarfile.open(path) as opened:
            if hasattr(tarfile, "fully_trusted_filter"):
                opened.extractall(out, filter="fully_trusted")
            else:
                opened.extractall(out)
    except (tarfile.TarError, OSError, ValueError):
        return False
    return True


def disagreements(cases: Mapping[str, bytes], folder: Path) -> tuple[list[str], int]:
    """Every reader that sees another tree than ours in a case that ours accepts; how many were accepted."""
    trees = {name: tree for name, content in cases.items() if (tree := ours(content)) is not None}
    for name in trees:
        (folder / f"{name}.tar").write_bytes(cases[name])
    found = []
    for reader in READERS:
        if reader in COMMANDS and shutil.which(COMMANDS[reader][0]) is None:
            continue
        asked = [name for name in trees if can_be_asked(reader, cases[name], trees[name])]
        failed = unpacked(reader, [f"{name}.tar" for name in asked], folder) if asked else set()
        for name in asked:
            theirs = on_disk(folder / reader / name) if (folder / reader / name).is_dir() else {}
            if theirs != trees[name]:
                found.append(f"{name}: {reader}: {_difference(theirs, trees[name])}")
            elif f"{name}.tar" in failed:
                found.append(f"{name}: {reader}: complains")
    return found, len(trees)


def _difference(one: Tree, other: Tree) -> list[str]:
    return sorted(str(entry)[:150] for entry in set(one.items()) ^ set(other.items()))[:4]


def can_be_asked(reader: str, content: bytes, tree: Tree) -> bool:
    if reader == "busybox tar":
        return b" path=" not in content and b" linkpath=" not in content
    return reader != "7-Zip" or not any(kind == "link" and b".." in target for kind, target, _ in tree.values())


TOP = Head(b"top/", b"5", mode=b"0000755\0")
FILE = Head(b"top/f", content=b"one")
HAND_MADE = {
    "prefix under GNU magic": tar(TOP, Head(b"f", prefix=b"top", magic=GNU)),
    "prefix under v7 magic": tar(TOP, Head(b"f", prefix=b"top", magic=b"")),
    "L, then pax": tar(long(b"L", b"top/l"), pax((b"path", b"top/p")), FILE),
    "pax, then L": tar(pax((b"path", b"top/p")), long(b"L", b"top/l"), FILE),
    "two L": tar(long(b"L", b"top/l"), long(b"L", b"top/m"), Head(b"top/f", magic=GNU)),
    "two x": tar(pax((b"path", b"top/p")), pax((b"path", b"top/q")), FILE),
    "a file like a folder": tar(TOP, Head(b"top/x/", content=b"x" * 512)),
    "a file like a folder, by pax": tar(pax((b"path", b"top/x/")), Head(b"top/x", content=b"x" * 512)),
    "a file like a folder, by L": tar(long(b"L", b"top/x/"), Head(b"top/x", content=b"x" * 512, magic=GNU)),
    "a contiguous file": tar(TOP, Head(b"top/x", b"7", b"x")),
    "a contiguous folder": tar(TOP, Head(b"top/x/", b"7", b"x" * 512)),
    "K, then linkpath": tar(long(b"K", b"a"), pax((b"linkpath", b"b")), Head(b"top/l", b"2", link=b"c")),
    "linkpath of a file": tar(pax((b"linkpath", b"b")), FILE),
    "a size in spaces": tar(Head(b"top/x", size=b" " * 12)),
    "a size in base 256": tar(Head(b"top/x", content=b"x", size=b"\x80" + (1).to_bytes(11, "big"))),
    "two sizes": tar(pax((b"size", b"512")), Head(b"top/x", content=b"x" * 1024)),
    "a size of twelve digits": tar(Head(b"top/x", content=b"x", size=b"000000000001")),
    "star's prefix": tar(Head(b"f", prefix=b"top".ljust(131, b"\0") + b"00000000001 " * 2, rest=bytes(8) + b"tar\0")),
    "a global name": tar(Head(b"g", b"g", record(b"path", b"top/g")), FILE),
    "two global notes": tar(*[Head(b"g", b"g", record(b"comment", b"a" * 40))] * 2, FILE),
    "another charset": tar(pax((b"hdrcharset", b"BINARY"), (b"path", b"top/p")), FILE),
    "a charset hidden in a value": tar(pax((b"SCHILY.xattr.com.apple.x", b"\n21 hdrcharset=BINARY\n")), FILE),
    "a member after the end": tar(FILE, end=bytes(1024)) + tar(Head(b"top/late")),
    "a lone block of zeros": tar(FILE, end=bytes(512)) + tar(Head(b"top/late")),
    "a hard link of another mode": tar(FILE, Head(b"top/h", b"1", link=b"top/f", mode=b"0000755\0")),
    "a hard link to a link": tar(FILE, Head(b"top/l", b"2", link=b"f"), Head(b"top/h", b"1", link=b"top/l")),
    "a hard link with content": tar(FILE, Head(b"top/h", b"1", b"two", link=b"top/f")),
    "a symbolic link with content": tar(FILE, Head(b"top/l", b"2", b"two", link=b"f")),
    "a name in two parts": tar(FILE, Head(b"top/x\0hidden")),
    "an old sparse file": tar(Head(b"top/s", b"S", b"x" * 512, magic=GNU)),
    "a multi-volume part": tar(Head(b"top/s", b"M", magic=GNU)),
    "setuid": tar(Head(b"top/s", mode=b"0004755\0")),
    "a checksum of signed bytes": tar(
        Head("top/ü".encode(), checksum=lambda b: b"%06o\0 " % sum(c - 256 if c > 127 else c for c in b))
    ),
}


@pytest.mark.parametrize("case", HAND_MADE)
def test_what_programs_read_differently_is_refused(case: str) -> None:
    assert ours(HAND_MADE[case]) is None


PLAIN = {
    "posix": tar(TOP, FILE),
    "gnu": tar(Head(b"top", b"5", magic=GNU, mode=b"0000755\0"), Head(b"top/f", content=b"x", magic=GNU)),
    "long-gnu": tar(long(b"K", b"t" * 150), long(b"L", b"top/" + b"n" * 150), Head(b"x", b"2", link=b"t", magic=GNU)),
    "long-pax": tar(pax((b"path", b"top/" + b"n" * 150)), Head(b"top/" + b"n" * 96, content=b"x")),
    "cut-at-slash": tar(pax((b"path", b"top/" + b"n" * 95 + b"/f")), Head(b"top/" + b"n" * 95 + b"/", content=b"x")),
    "prefix": tar(Head(b"f" * 100, prefix=b"top/" + b"p" * 151, content=b"x")),
    "hundred": tar(Head(b"top/" + b"f" * 96, content=b"x")),
    "git": tar(Head(b"pax_global_header", b"g", record(b"comment", b"a" * 40)), TOP, FILE),
    "node": tar(Head(b"package/f", content=b"x", uid=b"", gid=b"", uname=b"", gname=b"", major=b"", minor=b"")),
    "apple": tar(pax((b"LIBARCHIVE.xattr.com.apple.x", b"AQI"), (b"SCHILY.xattr.com.apple.x", b"\1\2\0")), FILE),
    "hard": tar(FILE, Head(b"top/h", b"1", link=b"top/f")),
    "link": tar(FILE, Head(b"top/d/l", b"2", link=b"../f")),
    "twice": tar(TOP, FILE, TOP),
}


def test_what_programs_read_alike_is_accepted(tmp_path: Path) -> None:
    assert [name for name, content in PLAIN.items() if ours(content) is None] == []
    assert disagreements(PLAIN, tmp_path) == ([], len(PLAIN))


def run(seed: int, count: int, folder: Path) -> tuple[list[str], int]:
    maker = Maker(seed)
    cases = {f"{seed}-{number}": maker.case() for number in range(count)}
    return disagreements(cases, folder)


@pytest.mark.slow
def test_a_few_odd_tars_are_read_alike(tmp_path: Path) -> None:
    found, accepted = run(1, 60, tmp_path)
    assert found == []
    assert accepted > 15


@pytest.mark.slow
def test_thousands_of_odd_tars_are_read_alike(tmp_path: Path) -> None:
    """Another seed finds other cases: AIWS_SEED=n."""
    seed, total, accepted = int(os.environ.get("AIWS_SEED", "9")), 0, 0
    missing = [name for name, (program, _) in COMMANDS.items() if shutil.which(program) is None]
    if missing:
        print(f"not installed, not asked: {', '.join(missing)}")
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        found, more = run(seed * 1000 + number, 500, folder)
        assert found == []
        total, accepted = total + 500, accepted + more
        shutil.rmtree(folder)
    print(f"{total} odd tars, {accepted} accepted and read alike by {len(READERS) - len(missing)} programs")
    assert accepted > total // 4
