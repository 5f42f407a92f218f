"""Archives of ours are taken to the last byte: whatever else a tar or gzip could say, the writer would not have."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import struct
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.adapters import archive as archive_module
from bundler.adapters import own_gzip
from bundler.adapters.archive import write_archive
from bundler.adapters.own_archive import open_own
from bundler.errors import IntegrityError
from bundler.model.bundle import Bundle, Entry, File, Folder, Link, text_file
from tests.archives import on_disk

EPOCH = 315532800
NAMES = b"".join(b"PK\x01\x02 module/file%d.py" % number for number in range(500))
END = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 500, 500, len(NAMES), 70_001, 0)
WHEEL = random.Random(3).randbytes(70_001) + NAMES + END


def bundle(folder: Path) -> Bundle:
    return Bundle.of(
        "demo-runtime",
        [
            on_disk(folder, "packages/pip/a-1-py3-none-any.whl", WHEEL),
            on_disk(folder, "packages/pip/b-1-py3-none-any.whl", b"PK" * 9),
            text_file("install.sh", b"#!/bin/sh\n", executable=True),
            text_file("packages/python/" + "deep/" * 30 + "ü ✓", bytes(range(256)) * 9),
            Folder("packages/none"),
            Link("packages/python/link", "deep"),
            Link("packages/python/long", "deep/" * 30 + "x"),
        ],
    )


def written(what: Bundle, epoch: int = EPOCH) -> bytes:
    out = io.BytesIO()
    write_archive(what, out, epoch, lambda: False)
    return out.getvalue()


def read(folder: Path, content: bytes) -> dict[str, bytes]:
    (folder / "x.tar.gz").write_bytes(content)
    with open_own(folder / "x.tar.gz", "x.tar.gz") as reader:
        found = {}
        for member in reader.members():
            found[member.path] = b"".join(reader.read())
            if member.path.endswith(".whl"):
                with reader.take_copy() as copy:
                    assert copy.read() == found[member.path]
        assert reader.sha256 == hashlib.sha256(content).hexdigest()
        return found


def refused(folder: Path, content: bytes) -> bool:
    try:
        read(folder, content)
    except IntegrityError:
        return True
    return False


def test_what_was_written_is_read(tmp_path: Path) -> None:
    found = read(tmp_path, written(bundle(tmp_path)))
    assert found["demo-runtime/packages/pip/a-1-py3-none-any.whl"] == WHEEL
    assert found["demo-runtime/install.sh"] == b"#!/bin/sh\n"
    assert len(found) == 41


def test_what_is_not_read_is_compared_all_the_same(tmp_path: Path) -> None:
    content = written(bundle(tmp_path))
    for end in (content, content + b"\0", content[:-1]):
        (tmp_path / "x").write_bytes(end)
        with open_own(tmp_path / "x", "x") as reader:
            if end == content:
                assert len(list(reader.members())) == 41
            else:
                with pytest.raises(IntegrityError):
                    list(reader.members())


ODD_HEADERS: list[Callable[[tarfile.TarInfo], object]] = [
    lambda info: setattr(info, "uid", 1),
    lambda info: setattr(info, "gid", 1000),
    lambda info: setattr(info, "uname", "you"),
    lambda info: setattr(info, "gname", ""),
    lambda info: setattr(info, "mtime", EPOCH + 1),
    lambda info: setattr(info, "mtime", EPOCH + 0.5),
    lambda info: setattr(info, "mode", 0o777),
    lambda info: setattr(info, "mode", 0o4755),
    lambda info: setattr(info, "mode", 0o700),
    lambda info: setattr(info, "devmajor", 7),
    lambda info: setattr(info, "pax_headers", {"comment": "x"}),
    lambda info: setattr(info, "pax_headers", {"path": info.name}),
    lambda info: setattr(info, "type", tarfile.AREGTYPE if info.isreg() else info.type),
    lambda info: setattr(info, "type", tarfile.LNKTYPE if info.issym() else info.type),
]


@pytest.mark.parametrize("odd", range(len(ODD_HEADERS)))
@pytest.mark.parametrize("at", ["", "packages", "install.sh", "packages/python/link", "packages/pip/b-1"])
def test_a_header_that_we_would_not_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: int, at: str
) -> None:
    """Packed by the very same writer: all that differs is one member's header."""
    usual = archive_module._header
    good = written(bundle(tmp_path))

    def header(top: str, entry: Entry, epoch: int) -> bytes:
        block = usual(top, entry, epoch)
        if not (entry.path == at or (at.endswith("-1") and entry.path.startswith(at))):
            return block
        info = tarfile.TarInfo.frombuf(block[-512:], "utf-8", "strict")
        ODD_HEADERS[odd](info)
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")

    monkeypatch.setattr(archive_module, "_header", header)
    content = written(bundle(tmp_path))
    monkeypatch.undo()
    assert content == good or refused(tmp_path, content)


def test_other_orders_and_missing_folders_are_refused(tmp_path: Path) -> None:
    good = bundle(tmp_path)
    for entries in (
        good.entries[::-1],
        [entry for entry in good.entries if entry.path != "packages"],
        (*good.entries, good.entries[-1]),
        (*good.entries, Folder("packages")),
        (Folder("packages"), *good.entries),
    ):
        assert refused(tmp_path, written(Bundle(good.top, tuple(entries))))
    assert refused(tmp_path, written(Bundle("two/folders", good.entries)))


def test_other_compression_of_the_same_tar_is_refused(tmp_path: Path) -> None:
    good = written(bundle(tmp_path))
    tar = gzip.decompress(good)
    for level in (0, 1, 6, 9):
        assert refused(tmp_path, gzip.compress(tar, level, mtime=0))
    raw, end = good[10:-8], good[-8:]
    head = b"\x1f\x8b\x08"
    for other in (
        head + b"\x08" + good[4:10] + b"name\0" + raw + end,
        head + b"\x10" + good[4:10] + b"note\0" + raw + end,
        head + b"\x04" + good[4:10] + b"\x02\x00ab" + raw + end,
        head + b"\x00\x01" + good[5:],
        head + b"\x00\x00\x00\x00\x00\x02\x03" + raw + end,
        good[:10] + b"\x00\x00\x00\xff\xff" + raw + end,
        good + gzip.compress(b"", mtime=0),
        good + b"\0",
    ):
        assert zlib.decompressobj(31).decompress(other) == tar
        assert refused(tmp_path, other)


def test_other_ends_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (512, 5120, 20480):
        monkeypatch.setattr(archive_module, "_RECORD", size)
        content = written(bundle(tmp_path))
        monkeypatch.undo()
        assert refused(tmp_path, content)


def test_a_wheel_that_is_deflated_and_text_that_is_stored_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stored in (lambda entry: 0, lambda entry: entry.size, lambda entry: entry.size // 2):
        monkeypatch.setattr(archive_module, "_stored_size", stored)
        content = written(bundle(tmp_path))
        monkeypatch.undo()
        assert refused(tmp_path, content)


def test_what_no_archive_of_ours_is(tmp_path: Path) -> None:
    assert refused(tmp_path, b"")
    assert refused(tmp_path, b"\x28\xb5\x2f\xfd" + bytes(100))
    assert refused(tmp_path, gzip.compress(bytes(10240)))
    file = File("top", 0, "", b"")
    assert refused(tmp_path, gzip.compress(archive_module._header("x", file, 0)[:512] + bytes(9728)))


@pytest.mark.slow
def test_every_byte_of_an_archive_counts(tmp_path: Path) -> None:
    """Headers of gzip, of stored blocks and of members, their padding, deflated and stored content, and the end."""
    good = written(bundle(tmp_path))
    stored = good.index(b"\xff\xff\x00\x00" + WHEEL[:8])  # a whole block of the wheel, then the rest of it
    end = stored + 4 + 65_535
    assert good[end] == 0
    picked = random.Random(5).sample(range(len(good)), 60)
    places = {*range(12), *range(stored - 1, stored + 6), *range(end - 1, end + 6), *range(len(good) - 13, len(good))}
    for place in sorted({*places, *picked}):
        for flipped in (1, 128):
            content = bytearray(good)
            content[place] ^= flipped
            assert refused(tmp_path, bytes(content)), place
    for length in (9, 10, 11, stored, stored + 3, end, end + 3, len(good) - 8, len(good) - 1):
        assert refused(tmp_path, good[:length]), length


@pytest.mark.parametrize("size", range(440_000, 530_000, 15_000))
def test_an_archive_in_an_archive_is_read_wherever_it_begins(tmp_path: Path, size: int) -> None:
    """It has ends of deflated runs and stored blocks of its own; what is read at once ends before, in or after them."""
    pick = random.Random(1)
    files = [
        text_file(path, content)
        for number in range(20)
        for path, content in ((f"{number:02}a", b"x"), (f"{number:02}b", b"PK\x03\x04" + pick.randbytes(40_000)))
    ]
    inner = written(Bundle.of("inner", files))
    outer = Bundle.of("outer", [text_file("a", pick.randbytes(size)), text_file("b.tar.gz", inner)])
    assert read(tmp_path, written(outer))["outer/b.tar.gz"] == inner


def test_stored_blocks_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    empty, small = b"\0\0\0\xff\xff", b"\0\1\0\xfe\xffx"
    for body in (empty * 9000, small * 9000, b"", b"\0", b"\0\xff\xff\0\0" + b"x" * 70_000):
        assert refused(tmp_path, written(bundle(tmp_path))[:10] + body)


def test_runs_of_nothing_do_not_keep_a_reader_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_gzip, "_MOST_RUNS", 1000)
    with pytest.raises(IntegrityError, match="more than 1000 runs"):
        read(tmp_path, written(bundle(tmp_path))[:10] + b"\0\0\0\xff\xff" * 9000)
