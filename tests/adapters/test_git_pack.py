"""Packs: what is read of them, what is refused, and that what is written is the same again."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.adapters import git_pack
from bundler.adapters.git_pack import Pack, read_pack, write_pack
from bundler.errors import IntegrityError
from tests.git_objects import Objects, entry_head, pack_of

LARGE = random.Random(1).randbytes(200_000) + bytes(300_000)


def read(tmp_path: Path, content: bytes) -> Pack:
    (tmp_path / "p.pack").write_bytes(content)
    return read_pack(tmp_path / "p.pack", "demo")


def entry(content: bytes, number: int = 3, size: int | None = None) -> bytes:
    return entry_head(number, len(content) if size is None else size) + zlib.compress(content)


def test_an_object_is_called_by_its_content(tmp_path: Path) -> None:
    pack = read(tmp_path, pack_of([entry(b"hello\n"), entry(b""), entry(LARGE)]))
    assert [one.hex()[:7] for one in pack.objects][:2] == ["ce01362", "e69de29"]
    assert [pack.read(one, "blob", 1 << 20) for one in pack.objects] == [b"hello\n", b"", LARGE]


def test_an_object_of_another_kind_or_size_is_not_taken(tmp_path: Path) -> None:
    pack = read(tmp_path, pack_of([entry(b"hello\n")]))
    (one,) = pack.objects
    with pytest.raises(IntegrityError, match="lacks tree ce01362"):
        pack.read(one, "tree", 100)
    with pytest.raises(IntegrityError, match="larger than 5 bytes"):
        pack.read(one, "blob", 5)
    with pytest.raises(IntegrityError, match="lacks the object 0000"):
        write_pack(pack, [bytes(20)], io.BytesIO())


GOOD = pack_of([entry(b"hello\n")])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "breaks off"),
        (GOOD[:-1], "breaks off"),
        (GOOD[:20], "breaks off"),
        (GOOD + b"x", "checksum"),
        (GOOD[:-1] + b"x", "checksum"),
        (b"JUNK" + GOOD[4:], "not a pack"),
        (pack_of([entry(b"a")], version=3), "not a pack"),
        (pack_of([entry(b"a")], number=2), "known kind|damaged|breaks off|larger than"),
        (pack_of([], number=1 << 31), "too many"),
        (pack_of([entry(b"a"), entry(b"a")]), "twice"),
        (pack_of([entry(b"a", number=6)]), "a delta"),
        (pack_of([entry(b"a", number=7)]), "a delta"),
        (pack_of([entry(b"a", size=2)]), "breaks off"),
        (pack_of([entry(b"abc", size=2)]), "unpacks to more than 2 bytes"),
        (pack_of([entry(bytes(1 << 22), size=10)]), "unpacks to more than 10 bytes"),
        (pack_of([entry_head(3, 5) + b"no zlib stream"]), "damaged"),
        (pack_of([entry_head(3, 1 << 40) + zlib.compress(b"a")]), "larger than"),
        (pack_of([b"\xbf" + b"\xff" * 30]), "larger than|kind"),
    ],
)
def test_a_malformed_pack_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(IntegrityError, match=reason):
        read(tmp_path, content)


def test_what_all_objects_unpack_to_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_pack, "_LARGEST_CONTENT", 9)
    with pytest.raises(IntegrityError, match="too large"):
        read(tmp_path, pack_of([entry(b"12345"), entry(b"67890")]))


@given(st.binary(max_size=200), st.integers(0, 200), st.integers(0, 255))
def test_whatever_stands_there_only_the_one_error_comes(junk: bytes, at: int, byte: int) -> None:
    made = bytearray(pack_of([entry(junk), entry(b"x" + junk)]))
    made[at % len(made)] ^= byte
    path = Path("/dev/shm" if Path("/dev/shm").is_dir() else "/tmp", f"aiws-test-{id(made)}.pack")
    path.write_bytes(made)
    try:
        read_pack(path, "demo")
    except IntegrityError:
        pass
    finally:
        path.unlink()


def test_what_is_written_does_not_depend_on_how_it_was_packed(tmp_path: Path) -> None:
    def packed(level: int, name: str) -> bytes:
        contents = (b"hello\n", b"", LARGE, bytes(1 << 16), b"x" * 40)
        entries = [entry_head(3, len(data)) + zlib.compress(data, level) for data in contents]
        (tmp_path / name).write_bytes(pack_of(entries if level else entries[::-1]))
        pack, out = read_pack(tmp_path / name, name), io.BytesIO()
        write_pack(pack, sorted(pack.objects) * 2, out)
        return out.getvalue()

    made = packed(9, "a")
    assert made == packed(1, "b") == packed(0, "c")
    again = read(tmp_path, made)
    assert list(again.objects) == sorted(again.objects) and len(again.objects) == 5
    assert again.size == len(made)


def test_the_written_bytes_are_these(tmp_path: Path) -> None:
    """Of the pinned zlib-ng: another one gives other bytes, so other digests than locks have."""
    objects, out = Objects(), io.BytesIO()
    one = objects.blob(b"all work and no play " * 4000)
    write_pack(objects.pack(tmp_path / "p"), [one], out)
    (tmp_path / "q").write_bytes(out.getvalue())
    assert read_pack(tmp_path / "q", "demo").sha256 == EXPECTED


EXPECTED = "5ecc3d048628b54adb826f6bad7ed9da1582c18066e187a9b7c2a5c286571bae"


@pytest.mark.slow
def test_git_takes_the_pack_and_its_index(tmp_path: Path) -> None:
    pack = read(tmp_path, pack_of([entry(b"hello\n"), entry(b""), entry(LARGE)]))
    with (tmp_path / "w.pack").open("wb") as out:
        write_pack(pack, pack.objects, out)
    (tmp_path / "w.idx").write_bytes(read_pack(tmp_path / "w.pack", "demo").index())
    subprocess.run(["git", "verify-pack", str(tmp_path / "w.idx")], check=True)
    own = subprocess.run(["git", "index-pack", "-o", str(tmp_path / "git.idx"), str(tmp_path / "w.pack")], check=True)
    assert own.returncode == 0
    assert (tmp_path / "git.idx").read_bytes() == (tmp_path / "w.idx").read_bytes()
    assert struct.unpack(">I", (tmp_path / "w.idx").read_bytes()[8 + 255 * 4 :][:4]) == (3,)
