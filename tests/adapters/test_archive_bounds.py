"""Archives that want to keep a reader busy: seconds and megabytes have a limit, whatever comes."""

from __future__ import annotations

import gzip
import json
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.adapters.read_archive import open_archive
from bundler.errors import IntegrityError
from tests.odd_tars import GNU, Head, long, pax, tar

# Reads an archive as ours and as anybody's, with no more memory than it may have; the peak is of the process's own.
PROGRAM = """
import json, resource, sys, time
from pathlib import Path
from bundler.errors import IntegrityError
from bundler.adapters.own_archive import open_own
from bundler.adapters.read_archive import open_archive
resource.setrlimit(resource.RLIMIT_AS, (250 << 20, 250 << 20))
found = []
for opened in (open_own, open_archive):
    began = time.process_time()
    try:
        with opened(Path(sys.argv[1]), "x") as reader:
            for member in reader.members():
                for data in reader.read():
                    pass
        found.append(["read", time.process_time() - began])
    except IntegrityError as error:
        found.append([str(error), time.process_time() - began])
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps([found, int(status["VmHWM"].split()[0]) >> 10]))
"""
MIB = 1 << 20


def zipped(content: bytes, level: int = 1) -> bytes:
    return gzip.compress(content, level)


def zeros(mebibytes: int) -> bytes:
    """Gzip of a tar with one file of zeros, made without ever being whole."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = Head(b"x", size=b"%011o\0" % (mebibytes * MIB)).packed()
    parts = [deflate.compress(head), *[deflate.compress(bytes(MIB)) for _ in range(mebibytes)]]
    return b"".join([*parts, deflate.compress(bytes(1024)), deflate.flush()])


def many(make: Callable[[int], bytes], count: int) -> bytes:
    return zipped(b"".join(make(number) for number in range(count)) + bytes(1024), 6)


def deep(number: int) -> bytes:
    return pax((b"path", b"%d/%bf" % (number, b"a/" * 500))).packed()


BOMBS: dict[str, Callable[[], bytes]] = {
    "a gigabyte of zeros": lambda: zeros(1024),
    "a name in the gzip header": lambda: b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * (20 * MIB) + b"\0" + zipped(b"")[10:],
    "a comment in the gzip header": lambda: b"\x1f\x8b\x08\x10" + bytes(6) + b"n" * (20 * MIB),
    "gzip members": lambda: zipped(tar(Head(b"x"))) + zipped(b"") * 100_000,
    "empty blocks": lambda: b"\x1f\x8b\x08" + bytes(7) + b"\0\0\0\xff\xff" * (MIB) + b"\1\0\0\xff\xff" + bytes(8),
    "a pax header": lambda: zipped(tar(pax((b"comment", b"x" * (20 * MIB))), Head(b"x"))),
    "pax records": lambda: zipped(tar(Head(b"p", b"x", b"5 a=\n" * (2 * MIB)), Head(b"x"))),
    "a long name": lambda: zipped(tar(long(b"L", b"x" * (20 * MIB)), Head(b"x", magic=GNU))),
    "long names": lambda: many(lambda n: long(b"L", b"x" * 200).packed(), 200_000),
    "members": lambda: many(lambda n: Head(b"x/%d" % n).packed(), 210_000),
    "links": lambda: many(lambda n: Head(b"x/%d" % n, b"2", link=b"y" * 100).packed(), 210_000),
    "folders": lambda: many(lambda n: Head(b"x/%d/" % n, b"5").packed(), 210_000),
    "deep paths": lambda: many(lambda n: deep(n) + Head(b"f").packed(), 900),
    "a size without data": lambda: zipped(Head(b"x", size=b"77777777777\0").packed()),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_takes_seconds_and_little_memory(tmp_path: Path, bomb: str) -> None:
    """Ten seconds of processor time for what some kilobytes or a hundred megabytes want; half a second is usual."""
    content = BOMBS[bomb]()
    (tmp_path / "x").write_bytes(content)
    began = time.monotonic()
    argv = [sys.executable, "-c", PROGRAM, str(tmp_path / "x")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found, peak = json.loads(done.stdout)
    print(f"{bomb}: {len(content)} bytes, {time.monotonic() - began:.1f} s, peak {peak} MB: {found}")
    assert all(message != "read" and seconds < 10 for message, seconds in found)
    assert peak < 250


@pytest.mark.slow
def test_growth_is_bounded_and_usual_growth_is_not_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(zeros(60))
    with open_archive(tmp_path / "x", "x") as reader:
        assert [member.size for member in reader.members()] == [60 * MIB]
    (tmp_path / "x").write_bytes(zeros(100))
    with open_archive(tmp_path / "x", "x") as reader, pytest.raises(IntegrityError, match="times its own size"):
        list(reader.members())


def test_a_damaged_end_of_gzip_is_noticed(tmp_path: Path) -> None:
    good = zipped(tar(Head(b"x", content=b"content")))
    for end in (struct.pack("<II", 1, 2), good[-8:-4] + bytes(4), good[-8:-1], good[-8:] + b"\0"):
        (tmp_path / "x").write_bytes(good[:-8] + end)
        with open_archive(tmp_path / "x", "x") as reader, pytest.raises(IntegrityError):
            list(reader.members())
