from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import IntegrityError
from bundler.model.metadata import read_wheel
from bundler.model.zip_file import ZipReader, find_clash
from tests.model.odd_zips import odd_zip
from tests.model.samples import PROPERTY
from tests.wheels import NAME, Member, handmade, wheel, zipped

COMMIT = b"3ad385a8a46988b6a81fe6c0bc22ef58685baa58"
A = Member(b"top/a", b"content of a")
B = Member(b"top/b", b"content of b" * 50, method=8)
LINK = Member(b"top/link", b"a", attributes=0o120777 << 16)
LATER = Member(b"top/c", b"content of c", method=8, flags=8)
UNIX_TIME = b"UT\x05\x00\x01\x00\x00\x00\x00"

Tree = dict[str, str]


def tree(content: bytes, *, from_git: bool = False) -> Tree:
    """Each file's path and digest, as this project reads them."""
    reader = ZipReader(io.BytesIO(content), "the zip", from_git=from_git)
    files = [member for member in reader.members if member.kind != "folder"]
    return {member.path: hashlib.sha256(b"".join(reader.content(member))).hexdigest() for member in files}


def test_members_are_as_they_were_put_in() -> None:
    reader = ZipReader(io.BytesIO(handmade([A, B, LATER, LINK], comment=COMMIT)), "the zip", from_git=True)
    assert [(member.path, member.kind, member.size) for member in reader.members] == [
        ("top/a", "file", 12),
        ("top/b", "file", 600),
        ("top/c", "file", 12),
        ("top/link", "link", 1),
    ]
    assert [b"".join(reader.content(member)) for member in reader.members] == [A.data, B.data, LATER.data, LINK.data]
    assert reader.comment == COMMIT


def test_what_git_archive_makes_is_taken(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("#!/bin/sh\n")
    (tmp_path / "run").chmod(0o755)
    (tmp_path / "dépôt").write_text("x" * 1000)
    (tmp_path / "link").symlink_to("run")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example", "-C", str(tmp_path)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    made = subprocess.run([*git, "archive", "--format=zip", "--prefix=top/", "HEAD"], check=True, capture_output=True)
    reader = ZipReader(io.BytesIO(made.stdout), "the zip", from_git=True)
    assert {member.path: member.kind for member in reader.members} == {
        "top": "folder",
        "top/dépôt": "file",
        "top/link": "link",
        "top/run": "file",
    }
    assert {member.path for member in reader.members if member.executable and member.kind == "file"} == {"top/run"}
    assert len(reader.comment) == 40


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no end record"),
        (handmade([A], after=b"x"), "no end record"),
        (handmade([A], comment=b"a comment"), "no end record"),
        (handmade([A], comment=b"PK\x05\x06" + bytes(36)), "no end record|no commit"),
        (handmade([A]) + handmade([B]), "right before its end"),
        (handmade([A], before=b"#!/bin/sh\n"), "right behind the member before it"),
        (handmade([A], gap=b"gap"), "between its members and its list"),
        (handmade([A], behind=b"gap"), "right before its end"),
        (handmade([A], behind=b"PK\x06\x07" + bytes(16)), "a second end record"),
        (handmade([A, B], reverse=True), "right behind the member before it"),
        (handmade([A], count=2), "not whole"),
        (handmade([A, B], count=1), "between its members and its list, or behind"),
        (handmade([A], count=60_000), "too many"),
        (handmade([A], size=17 << 20, start=0), "right before its end"),
        (handmade([Member(b"top/a", b"a", after=b"hidden")]), "between its members"),
        (handmade([Member(b"top/a", b"a", before=b"hidden")]), "right behind"),
        (handmade([Member(b"top/a", b"a", flags=1)]), "encrypted"),
        (handmade([Member(b"top/a", b"a", flags=8)]), "its size unclear"),
        (handmade([Member(b"top/a", b"a", flags=0x20)]), "flags that are not known"),
        (handmade([Member(b"top/a", b"a", method=9)]), "neither stored nor deflated"),
        (handmade([Member(b"top/a", b"a", needed=45)]), "more than ZIP 2.0"),
        (handmade([Member(b"top/a", b"a", comment=b"x")]), "a comment"),
        (handmade([Member(b"top/a", b"a", disk=1)]), "another disk"),
        (handmade([Member(b"top/a", b"a", listed_extra=b"up\x02\x00xx")]), "an extra field"),
        (handmade([Member(b"top/a", b"a", extra=b"up\x02\x00xx")]), "an extra field"),
        (handmade([Member(b"top/a", b"a", extra=UNIX_TIME[:-1])]), "an extra field"),
        (handmade([Member(b"top/a", b"a", host=1)]), "neither file nor folder"),
        (handmade([Member(b"top/a", b"a", attributes=0o104755 << 16)]), "a mode of its own"),
        (handmade([Member(b"top/a", b"a", attributes=0x08)]), "neither file nor folder"),
        (handmade([Member(b"top/a/", b"a", attributes=0o40755 << 16)]), "a folder with content"),
        (handmade([Member(b"top/a/", b"", attributes=0o100644 << 16)]), "neither file nor folder"),
        (handmade([LINK]), "symbolic link"),
        (handmade([Member(b"")]), "empty"),
        (handmade([Member(b"/")]), "empty"),
        (handmade([Member(b"../a")]), "climbs"),
        (handmade([Member(b"/a")]), "absolute"),
        (handmade([Member(b"a\\b")]), "backslash"),
        (handmade([Member(b"a\0b")]), "control character"),
        (handmade([Member(b"a//", attributes=0)]), "normal form"),
        (handmade([Member(b"a;1")]), "cut short"),
        (handmade([Member(b"C:a")]), "cut short"),
        (handmade([Member(b"\xfc")]), "not UTF-8"),
        (handmade([Member("ü".encode())]), "not UTF-8"),
        (handmade([Member("ü".encode(), flags=0x800, host=0)]), "not ASCII on a FAT system"),
        (handmade([Member("u\u0308".encode(), flags=0x800)]), "otherwise on some systems"),
        (handmade([Member("\uf0ff".encode(), flags=0x800)]), "otherwise on some systems"),
        (handmade([Member(b"a/" * 70 + b"b")]), "too deep"),
        (handmade([A, A]), "there twice"),
        (handmade([A, Member(b"top/a/b", b"")]), "as a file and as a folder"),
        (handmade([A, B, Member(b"top/a/", b"", attributes=0x10)]), "as a file and as a folder"),
        (handmade([Member(b"a", b"a", listed={"name": b"b"})]), "says something else than the list"),
        (handmade([Member(b"a", b"a", listed={"crc": 1})]), "says something else than the list"),
        (handmade([Member(b"a", b"abcd", method=8, listed={"size": 5})]), "says something else than the list"),
        (handmade([Member(b"a", b"a", crc=1)]), "size and CRC"),
        (handmade([Member(b"a", b"abcd", method=8, size=3)]), "size and CRC"),
        (handmade([Member(b"a", b"abcd", method=8, size=5)]), "size and CRC"),
        (handmade([Member(b"a", b"a", method=8, raw=b"\x03\x00more", size=0, crc=0)]), "does not end where"),
        (handmade([Member(b"a", b"", method=8, raw=b"")]), "does not end where"),
        (handmade([Member(b"a", b"", method=8, raw=b"\xff\xff")]), "cannot be inflated"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(IntegrityError, match=said):
        tree(content)


def test_what_follows_the_data_is_compared() -> None:
    content = handmade([LATER])
    at = content.index(b"PK\x07\x08") + 4
    with pytest.raises(IntegrityError, match="what follows its data"):
        tree(content[:at] + b"\xff" + content[at + 1 :])


def test_an_absurd_size_is_refused_before_anything_is_inflated() -> None:
    with pytest.raises(IntegrityError, match="unpacks to more than 2 GiB"):
        tree(handmade([Member(b"a", b"x", method=8, size=0x80000001)]))


def test_a_clash_is_found_whatever_stands_between() -> None:
    assert find_clash([("a", False), ("a-b", False), ("a.b", False), ("a/b", False)]) == "a"
    assert find_clash([("a", True), ("a/b", False), ("a!", False)]) is None


def test_large_members_are_read_in_pieces() -> None:
    content = zipped({"a": bytes(5 << 20), "b": os.urandom(3 << 20)})
    reader = ZipReader(io.BytesIO(content), "the zip")
    for member in reader.members:
        pieces = [len(piece) for piece in reader.content(member)]
        assert sum(pieces) == member.size
        assert max(pieces) <= 1 << 20


GOOD_WHEEL = wheel({"some_app/data.bin": bytes(range(256)) * 4})


@PROPERTY
@given(
    st.lists(
        st.tuples(st.integers(0, len(GOOD_WHEEL) - 1), st.binary(max_size=6), st.integers(0, 6)), min_size=1, max_size=3
    )
)
def test_no_changed_wheel_raises_anything_but_an_integrity_error(changes: list[tuple[int, bytes, int]]) -> None:
    content = GOOD_WHEEL
    for place, put, taken in changes:
        content = content[:place] + put + content[place + taken :]
    with suppress(IntegrityError):
        assert read_wheel(io.BytesIO(content), NAME).filename == NAME


@pytest.mark.parametrize("seed", range(20))
def test_no_odd_zip_raises_anything_but_an_integrity_error(seed: int) -> None:
    random = Random(seed)
    for _ in range(20):
        with suppress(IntegrityError):
            tree(odd_zip(random), from_git=True)


_BOMB = """
import resource, sys, time
from bundler.errors import IntegrityError
from bundler.model.metadata import read_wheel
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + (250 << 20),) * 2)
start = time.process_time()
try:
    with open(sys.argv[1], "rb") as file:
        read_wheel(file, sys.argv[2])
    print("read")
except IntegrityError as error:
    print(error.message[:300])
status = dict(line.split(":", 1) for line in open("/proc/self/status"))  # what getrusage tells was inherited
print(round(time.process_time() - start, 2), int(status["VmHWM"].split()[0]) >> 10, file=sys.stderr)
"""


def _entries(count: int) -> bytes:
    """A list of so many empty members, whose headers are not even there."""
    entry = (
        b"PK\x01\x02" + struct.pack("<BBHHHHHIIIHHHHHII", 20, 3, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    )
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count & 0xFFFF, count & 0xFFFF, len(entry) * count, 0, 0)
    return entry * count + end


_HEADERS = "Metadata-Version: 2.1\nName: some-app\nVersion: 1.0\n"
BOMBS: dict[str, tuple[Callable[[], bytes], str, int]] = {
    "2.7 million members": (lambda: _entries(2_700_000), "not whole|too many", 1),
    "65,535 members": (lambda: _entries(65_535), "too many", 1),
    "50,000 members, and 1 kB of name each": (
        lambda: handmade([Member(f"{number:05}".encode() * 200, b"") for number in range(50_000)]),
        "too many",
        1,
    ),
    "49,990 members": (
        lambda: wheel({f"some_app/{'d/' * (number % 60)}{number:05}": "" for number in range(49_990)}),
        "^read",
        6,
    ),
    "40,000 distinct headers": (
        lambda: wheel({"some_app-1.0.dist-info/METADATA": _HEADERS + "".join(f"X-{n}: y\n" for n in range(40_000))}),
        "more than 10000 lines",
        1,
    ),
    "a million folded lines": (
        lambda: wheel({"some_app-1.0.dist-info/METADATA": f"{_HEADERS}License: x\n" + " \n" * 1_000_000}),
        "more than 10000 lines",
        1,
    ),
    "a header of 4 MB": (
        lambda: wheel({"some_app-1.0.dist-info/METADATA": f"{_HEADERS}Requires-Dist: {'a' * (3 << 20)}\n"}),
        "more than 4096 characters",
        1,
    ),
    "300 MB of nothing": (lambda: wheel({"some_app/zero": bytes(300 << 20)}), "^read", 4),
    "entry points of a million spaces": (
        lambda: wheel({"some_app-1.0.dist-info/entry_points.txt": "[x]\n" + "a" + " " * 1_000_000}),
        "cannot be read",
        1,
    ),
    "a RECORD of a million lines": (
        lambda: wheel({"some_app-1.0.dist-info/RECORD": "a,b,c\n" * 1_000_000}),
        "more lines than there are files",
        1,
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("what", BOMBS)
def test_bombs_cost_little(what: str, tmp_path: Path) -> None:
    make, said, seconds = BOMBS[what]
    path = tmp_path / "bomb"
    path.write_bytes(make())
    done = subprocess.run(
        [sys.executable, "-c", _BOMB, str(path), NAME], capture_output=True, text=True, timeout=120, check=True
    )
    took, resident = done.stderr.split()
    assert float(took) <= seconds
    assert int(resident) <= 250
    assert re.search(said, done.stdout), done.stdout


READERS = {
    "unzip": ["unzip", "-qq", "-o", "IN", "-d", "OUT"],
    "bsdtar": ["bsdtar", "-x", "-f", "IN", "-C", "OUT"],
    "7z": ["7z", "x", "-y", "-bd", "-oOUT", "IN"],
    "busybox": ["busybox", "unzip", "-q", "-o", "IN", "-d", "OUT"],
}


def _unpacked(reader: str, archive: Path, out: Path) -> Tree:
    """The tree that a real program makes of it."""
    out.mkdir()
    argv = [word.replace("OUT", str(out)).replace("IN", str(archive)) for word in READERS[reader]]
    env = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, env=env, check=False)
    assert done.returncode == 0, (reader, done.stdout, done.stderr)
    found = {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in out.rglob("*") if p.is_file()}
    shutil.rmtree(out)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(6))
def test_what_is_taken_is_the_same_tree_to_every_reader(batch: int, tmp_path: Path) -> None:
    readers = [reader for reader in READERS if shutil.which(reader)]
    random, taken, archive = Random(1000 + batch), 0, tmp_path / "x.zip"
    for _ in range(1000):
        content = odd_zip(random)
        try:
            ours = tree(content)
        except IntegrityError:
            continue
        taken += 1
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            theirs = {name: opened.read(name) for name in opened.namelist() if not name.endswith("/")}
        assert ours == {name: hashlib.sha256(data).hexdigest() for name, data in theirs.items()}
        archive.write_bytes(content)
        for reader in readers:
            assert _unpacked(reader, archive, tmp_path / "out") == ours, (reader, content)
    assert taken > 100
