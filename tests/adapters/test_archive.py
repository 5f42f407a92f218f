"""Archives out: the same bytes always, and what every tool reads alike. Archives in: nothing is believed."""

from __future__ import annotations

import gc
import gzip
import hashlib
import io
import os
import random
import struct
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bundler.adapters import archive as archive_module
from bundler.adapters import decompress, tar_reader
from bundler.adapters.archive import SourceChangedError, Written, write_archive
from bundler.adapters.read_archive import open_archive
from bundler.errors import BundleError, IntegrityError
from bundler.model.bundle import Bundle, Entry, File, Folder, Link, Slice, text_file
from bundler.model.paths import path_fault
from tests.model.samples import examples

EPOCH = 315532800
LONG = "deep/" + "d" * 120 + "/" + "n" * 130 + ".txt"
NAMES = b"".join(b"PK\x01\x02 module/file%d.py" % number for number in range(5000))
# A ZIP file as far as its end goes: members, the list of their names, and the record that says how long that list is.
ZIP_END = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 5000, 5000, len(NAMES), 200_001, 0)
WHEEL = random.Random(3).randbytes(200_001) + NAMES + ZIP_END
TEXT = b"".join(b"line %d\n" % number for number in range(20_000))
TREE = {
    "manifest.json": b"{}\n",
    "packages/pip/a-1-py3-none-any.whl": WHEEL,
    "packages/pip/b-1-py3-none-any.whl": WHEEL[:65535],
    "packages/pip/empty-1-py3-none-any.whl": b"",
    "packages/python/bin/python3.13": TEXT,
    "metadata/empty": b"",
    LONG: b"long\n",
    "packages/python/ü – ✓": TEXT[:512],
}


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def on_disk(folder: Path, path: str, content: bytes) -> File:
    """An entry whose bytes lie in the middle of a file."""
    file = folder / sha(path.encode())
    file.write_bytes(b"before" + content + b"after")
    return File(path, len(content), sha(content), Slice(str(file), 6, len(content)))


def sample(folder: Path) -> Bundle:
    """Something of everything: stored, deflated, empty, long, executable, links, an empty folder."""
    entries: list[Entry] = [on_disk(folder, path, content) for path, content in TREE.items()]
    entries += [
        Folder("packages/empty"),
        text_file("install.sh", b"#!/bin/sh\n", executable=True),
        Link("packages/python/bin/python3", "python3.13"),
        Link("packages/python/" + "l" * 101, "../" + "t" * 150),
    ]
    return Bundle.of("demo-runtime", entries)


def written(bundle: Bundle, epoch: int = EPOCH) -> bytes:
    out = io.BytesIO()
    done = write_archive(bundle, out, epoch, lambda: False)
    assert done == Written(len(out.getvalue()), sha(out.getvalue()))
    return out.getvalue()


def test_packing_tells_how_many_bytes_of_the_files_went_in_and_writes_the_same(tmp_path: Path) -> None:
    bundle, out, told = sample(tmp_path), io.BytesIO(), list[int]()
    write_archive(bundle, out, EPOCH, lambda: False, told.append)
    assert sum(told) == bundle.size > 0
    assert out.getvalue() == written(bundle)


Content = tuple[str, bytes, bool, str]


def read(path: Path) -> dict[str, Content]:
    """Everything that the reader finds."""
    found: dict[str, Content] = {}
    with open_archive(path, path.name, zstd=True) as reader:
        for member in reader.members():
            content = b"".join(reader.read())
            assert len(content) == member.size
            found[member.path] = (member.kind, content, member.executable, member.target)
    return found


def read_bytes(folder: Path, content: bytes) -> dict[str, Content]:
    (folder / "x.tar.gz").write_bytes(content)
    return read(folder / "x.tar.gz")


def expected(bundle: Bundle, contents: dict[str, bytes]) -> dict[str, Content]:
    found: dict[str, Content] = {bundle.top: ("folder", b"", True, "")}
    for entry in bundle.entries:
        if isinstance(entry, File):
            found[f"{bundle.top}/{entry.path}"] = ("file", contents[entry.path], entry.executable, "")
        elif isinstance(entry, Link):
            found[f"{bundle.top}/{entry.path}"] = ("link", b"", True, entry.target)
        else:
            found[f"{bundle.top}/{entry.path}"] = ("folder", b"", True, "")
    return found


# Out: what every tool reads


def test_gzip_finds_no_fault(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(written(sample(tmp_path)))
    tested = subprocess.run(["gzip", "-t", "x.tar.gz"], cwd=tmp_path, capture_output=True, check=False)
    assert (tested.returncode, tested.stderr) == (0, b"")


def test_gnu_tar_extracts_it(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(written(sample(tmp_path)))
    done = subprocess.run(
        ["tar", "-xzpf", "x.tar.gz"], cwd=tmp_path, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )
    assert (done.returncode, done.stderr) == (0, b"")
    top = tmp_path / "demo-runtime"
    for path, content in TREE.items():
        assert (top / path).read_bytes() == content
        assert (top / path).stat().st_mode & 0o7777 == 0o644
        assert (top / path).stat().st_mtime == EPOCH
    assert (top / "install.sh").stat().st_mode & 0o7777 == 0o755
    assert (top / "packages/empty").stat().st_mode & 0o7777 == 0o755
    assert (top / "packages/python/bin/python3").read_bytes() == TEXT
    assert str((top / "packages/python" / ("l" * 101)).readlink()) == "../" + "t" * 150


@pytest.mark.parametrize("mode", ["r:gz", "r|gz", "r:*"])
def test_pythons_tarfile_reads_it(tmp_path: Path, mode: str) -> None:
    content = written(sample(tmp_path))
    with tarfile.open(fileobj=io.BytesIO(content), mode=mode) as tar:  # type: ignore[call-overload]
        names = []
        for info in tar:
            names.append(info.name)
            assert (info.uid, info.gid, info.uname, info.gname, info.mtime) == (0, 0, "root", "root", EPOCH)
            inner = info.name.removeprefix("demo-runtime/")
            if info.isreg() and inner in TREE:
                file = tar.extractfile(info)
                assert file is not None
                assert file.read() == TREE[inner]
    assert names == sorted(names)
    assert names[0] == "demo-runtime"
    assert "demo-runtime/packages/python/bin" in names


def test_the_reader_reads_what_was_written(tmp_path: Path) -> None:
    bundle = sample(tmp_path)
    assert read_bytes(tmp_path, written(bundle)) == expected(bundle, {**TREE, "install.sh": b"#!/bin/sh\n"})


def test_the_reader_tells_the_tars_own_digest(tmp_path: Path) -> None:
    content = written(sample(tmp_path))
    (tmp_path / "x.tar.gz").write_bytes(content)
    with open_archive(tmp_path / "x.tar.gz", "x") as reader:
        assert list(reader.members())
        assert reader.tar_sha256 == sha(gzip.decompress(content))
        assert reader.tar_size == len(gzip.decompress(content))
        assert reader.tar_size % 10240 == 0


def test_nothing_of_this_machine_is_in_the_headers(tmp_path: Path) -> None:
    content = written(sample(tmp_path))
    assert content[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    assert str(tmp_path).encode() not in gzip.decompress(content)


def test_what_wheels_hold_is_stored_and_the_rest_is_deflated(tmp_path: Path) -> None:
    content = written(sample(tmp_path))
    for start in range(0, 196_605, 65_535):
        assert b"\x00\xff\xff\x00\x00" + WHEEL[start : start + 65_535] in content
    assert NAMES not in content
    assert 200_001 + 65_535 < len(content) < 200_001 + 65_535 + len(TEXT) // 2


@pytest.mark.parametrize("size", [1, 21, 22, 23, 65_535])
def test_a_wheel_whose_end_is_odd_is_written_all_the_same(tmp_path: Path, size: int) -> None:
    for content in (WHEEL[-size:], ZIP_END[-size:].rjust(size, b"x"), b"PK\x05\x06" + b"\xff" * (size + 18)):
        bundle = Bundle.of("x", [on_disk(tmp_path, "a.whl", content)])
        assert read_bytes(tmp_path, written(bundle))["x/a.whl"][1] == content


# Out: always the same


def test_a_known_digest(tmp_path: Path) -> None:
    """Whatever the Python, its zlib and the machine. If this changes, `_FORMAT` in model/recipe.py must rise."""
    content = written(sample(tmp_path))
    assert sha(gzip.decompress(content)) == "abee00df5848b23f80bf01285c031f2e1f488b344d88b47cc97a3ea8ddffd689"
    assert sha(content) == "f029b9eb757a93b79195cd00259ba1bea3c0920f7b5a9c6519db7184cbd77507"


def test_the_time_is_the_epoch_that_is_given(tmp_path: Path) -> None:
    later = written(sample(tmp_path), 0xFFFFFFFF)
    assert later != written(sample(tmp_path))
    with tarfile.open(fileobj=io.BytesIO(later)) as tar:
        assert {info.mtime for info in tar} == {0xFFFFFFFF}


@pytest.mark.parametrize("chunk", [1000, 65_535, 65_536, 100_003, 1 << 24])
def test_how_data_is_cut_while_it_is_read_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    usual = written(sample(tmp_path))
    monkeypatch.setattr(archive_module, "_CHUNK", chunk)
    assert written(sample(tmp_path)) == usual


def test_where_data_lies_does_not_matter(tmp_path: Path) -> None:
    tree = {path: content for path, content in TREE.items() if not path.endswith(".whl")}
    in_memory = Bundle.of("demo", [text_file(path, content) for path, content in tree.items()])
    assert written(in_memory) == written(Bundle.of("demo", [on_disk(tmp_path, p, c) for p, c in tree.items()]))


def test_the_order_of_entries_does_not_matter(tmp_path: Path) -> None:
    bundle = sample(tmp_path)
    shuffled = list(bundle.entries)
    random.Random(4).shuffle(shuffled)
    assert written(Bundle.of(bundle.top, shuffled)) == written(bundle)


SEGMENT = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60
)
PATH = st.lists(SEGMENT, min_size=1, max_size=5).map("/".join).filter(lambda path: path_fault(f"top/{path}") is None)
TREES = st.dictionaries(PATH, st.tuples(st.binary(max_size=2000), st.booleans()), max_size=12)


def is_tree(paths: Iterable[str]) -> bool:
    """No path leads through another."""
    known = set(paths)
    return not any(path.rsplit("/", n)[0] in known for path in known for n in range(1, path.count("/") + 1))


@given(tree=TREES.filter(is_tree), epoch=st.integers(0, 0xFFFFFFFF))
@example(tree={"a" * 99: (b"", False), "b" * 255: (b"x" * 512, True), "/".join(["c" * 100] * 3): (b"", False)}, epoch=0)
@settings(deadline=None, max_examples=examples(80), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_written_is_read_back(tmp_path: Path, tree: dict[str, tuple[bytes, bool]], epoch: int) -> None:
    bundle = Bundle.of("top", [text_file(path, content, executable=x) for path, (content, x) in tree.items()])
    contents = {path: content for path, (content, _) in tree.items()}
    assert read_bytes(tmp_path, written(bundle, epoch)) == expected(bundle, contents)


# Out: sources that changed


@pytest.mark.parametrize("damage", [lambda c: c[:-1] + bytes([c[-1] ^ 1]), lambda c: c[:-1], lambda c: b""])
def test_a_damaged_source_is_noticed_and_named(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    file = tmp_path / "source"
    file.write_bytes(damage(WHEEL))
    entry = File("packages/pip/a.whl", len(WHEEL), sha(WHEEL), Slice(str(file), 0, len(WHEEL)))
    with pytest.raises(SourceChangedError, match=r"packages/pip/a\.whl") as caught:
        written(Bundle.of("x", [entry]))
    assert caught.value.sha256 == sha(WHEEL)
    assert f"expected {sha(WHEEL)}" in caught.value.message
    assert f"actual   {sha(damage(WHEEL))}" in caught.value.message
    assert caught.value.exit_code == 3


def test_writing_stops_when_it_is_told_to(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="interrupted"):
        write_archive(sample(tmp_path), io.BytesIO(), EPOCH, lambda: True)


# In: kinds of archives


def tar_of(*members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for member in members:
            info, content = member if isinstance(member, tuple) else (member, b"")
            if info.isreg() and content:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if content else None)
    return out.getvalue()


def info(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, target, mode
    return made


def read_tar(folder: Path, tar: bytes) -> dict[str, Content]:
    return read_bytes(folder, gzip.compress(tar, 1))


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_tar_format_is_read(tmp_path: Path, kind: int) -> None:
    long = "p/" + "x" * 90 + "/" + "y" * (50 if kind == tarfile.USTAR_FORMAT else 200)
    tar = tar_of(
        info("p/", tarfile.DIRTYPE, mode=0o755),
        (info("p/run", mode=0o755), b"content"),
        (info(long), b"long"),
        info("p/link", tarfile.SYMTYPE, "run"),
        info("p/hard", tarfile.LNKTYPE, "p/run", mode=0o755),
        kind=kind,
    )
    for packed in (gzip.compress(tar), zstandard.ZstdCompressor().compress(tar)):
        assert read_bytes(tmp_path, packed) == {
            "p": ("folder", b"", True, ""),
            "p/run": ("file", b"content", True, ""),
            long: ("file", b"long", False, ""),
            "p/link": ("link", b"", False, "run"),
            "p/hard": ("hard link", b"", True, "p/run"),
        }


def test_several_frames_are_one_archive_and_several_gzip_members_are_none(tmp_path: Path) -> None:
    """Python's tarfile ends with the first gzip member where it reads a stream, other programs read on."""
    tar = tar_of((info("p/a"), TEXT))
    half = len(tar) // 2
    packed = zstandard.ZstdCompressor().compress(tar[:half]) + zstandard.ZstdCompressor().compress(tar[half:])
    assert read_bytes(tmp_path, packed)["p/a"][1] == TEXT
    with pytest.raises(IntegrityError, match="data follows"):
        read_bytes(tmp_path, gzip.compress(tar[:half]) + gzip.compress(tar[half:]))


@pytest.mark.parametrize(
    "content", [b"", b"\x1f", b"plain", b"PK\x03\x04zip", b"BZh9", b"\xfd7zXZ\x00", tar_of(info("a"))]
)
def test_what_is_neither_gzip_nor_zstandard_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"x\.tar\.gz: neither gzip nor zstandard"):
        read_bytes(tmp_path, content)


def test_a_window_that_takes_too_much_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tar = tar_of((info("p/a"), random.Random(5).randbytes(3_000_000)))
    parameters = zstandard.ZstdCompressionParameters(window_log=24, write_content_size=False)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    content = stream.compress(tar) + stream.flush()
    assert read_bytes(tmp_path, content)
    monkeypatch.setattr(decompress, "_ZSTD_WINDOW", 1 << 20)
    with pytest.raises(IntegrityError):
        read_bytes(tmp_path, content)


# In: hostile archives


@pytest.mark.parametrize(
    ("member", "says"),
    [
        (info("/etc/passwd"), "absolute"),
        (info("p/../../x"), "climbs"),
        (info(".."), "climbs"),
        (info("./p"), "normal form"),
        (info("p//x"), "normal form"),
        (info("p\\x"), "backslash"),
        (info("p/a\nb"), "control character"),
        (info("p/\udcff"), "not UTF-8"),
        (info("p/" + "x" * 256), "too long"),
        (info("p/" * 600 + "x"), "too long"),
        (info("p/dev", tarfile.CHRTYPE), "neither file"),
        (info("p/dev", tarfile.BLKTYPE), "neither file"),
        (info("p/fifo", tarfile.FIFOTYPE), "neither file"),
        (info("p/sparse", tarfile.GNUTYPE_SPARSE), "neither file"),
        (info("p/odd", b"Z"), "neither file"),
    ],
)
def test_a_member_that_no_archive_of_ours_holds_is_refused(tmp_path: Path, member: tarfile.TarInfo, says: str) -> None:
    tar = tar_of(info("p", tarfile.DIRTYPE), member, kind=tarfile.GNU_FORMAT)
    with pytest.raises(IntegrityError, match=says):
        read_tar(tmp_path, tar)


def test_sparse_files_are_refused_in_every_dialect(tmp_path: Path) -> None:
    for version in ("0.0", "0.1", "1.0"):
        holes = tmp_path / "holes"
        with holes.open("wb") as file:
            file.truncate(10_000_000)
            file.seek(5_000_000)
            file.write(b"middle")
        argv = ["tar", "-cS", "--format=posix", f"--sparse-version={version}", "holes"]
        tar = subprocess.run(argv, cwd=tmp_path, capture_output=True, check=True).stdout
        assert len(tar) < 1_000_000
        with pytest.raises(IntegrityError, match="refused member"):
            read_tar(tmp_path, tar)


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (info("p/a"), info("p/a"), "twice"),
        (info("p/a"), info("p/a/", tarfile.DIRTYPE), "twice"),
        (info("p/a", tarfile.SYMTYPE, "b"), info("p/a"), "twice"),
        (info("p/a"), info("p/a", tarfile.LNKTYPE, "p/b"), "twice"),
        (info("p/a/b"), info("p/a"), "twice"),
        (info("p/a/b"), info("p/a", tarfile.SYMTYPE, ".."), "twice"),
        (info("p/a"), info("p/a/b"), "no folder"),
        (info("p/a", tarfile.SYMTYPE, "/etc"), info("p/a/b"), "no folder"),
        (info("p/a", tarfile.SYMTYPE, "."), info("p/a/b/c/", tarfile.DIRTYPE), "no folder"),
        (info("p/a", tarfile.LNKTYPE, "p/x"), info("p/a/b"), "no such file"),
    ],
)
def test_members_that_stand_in_each_others_way_are_refused(
    tmp_path: Path, first: tarfile.TarInfo, second: tarfile.TarInfo, says: str
) -> None:
    with pytest.raises(IntegrityError, match=says):
        read_tar(tmp_path, tar_of(first, second))


def test_a_folder_may_be_there_twice(tmp_path: Path) -> None:
    assert set(read_tar(tmp_path, tar_of(info("p/a"), info("p", tarfile.DIRTYPE), info("p/", tarfile.DIRTYPE)))) == {
        "p",
        "p/a",
    }


def test_members_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_reader, "_MOST_MEMBERS", 10)
    assert len(read_tar(tmp_path, tar_of(*[info(f"p/{n}") for n in range(9)]))) == 9
    with pytest.raises(IntegrityError, match="more than 10 members"):
        read_tar(tmp_path, tar_of(*[info(f"p/{n}") for n in range(10)]))


def test_headers_that_were_read_are_forgotten(tmp_path: Path) -> None:
    """Else an archive of many members takes hundreds of megabytes to read."""

    def headers() -> int:
        return sum(isinstance(one, tarfile.TarInfo) for one in gc.get_objects())

    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(tar_of(*[info(f"p/{n}") for n in range(500)])))
    before = headers()
    with open_archive(tmp_path / "x.tar.gz", "x") as reader:
        for number, _ in enumerate(reader.members()):
            if number == 499:
                assert headers() - before < 50


def test_the_size_that_is_unpacked_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_reader, "_LARGEST_TAR", 2 << 20)
    assert read_tar(tmp_path, tar_of((info("a"), bytes(500_000))))
    with pytest.raises(IntegrityError, match="unpacks to more than"):
        read_tar(tmp_path, tar_of((info("a"), bytes(1_500_000)), (info("b"), bytes(1_500_000))))


def pax_header(records: bytes, kind: bytes = b"x") -> bytes:
    header = info("pax", kind)
    header.size = len(records)
    return header.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512)


def pax_record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    while (size := len(str(length)) + len(key) + len(value) + 3) != length:
        length = size
    return b"%d %b=%b\n" % (length, key, value)


GOOD = tar_of((info("p/a"), b"content"))


def comments(kind: bytes) -> bytes:
    return pax_header(pax_record(b"comment", b"x"), kind) * 3000


# Made when they are tried: some are large.
ABSURD: dict[str, Callable[[], bytes]] = {
    "nothing but zeros": lambda: bytes(200_000_000),
    "zeros after a member": lambda: GOOD[:1024] + bytes(50_000_000),
    "a long comment": lambda: pax_header(pax_record(b"comment", b"x" * 50_000_000)) + GOOD,
    "a long name": lambda: pax_header(b"x" * 20_000_000, b"L") + GOOD,
    "many headers x": lambda: comments(b"x") + GOOD,
    "many headers g": lambda: comments(b"g") + GOOD,
    "many headers L": lambda: comments(b"L") + GOOD,
    "many headers K": lambda: comments(b"K") + GOOD,
    "a negative size": lambda: pax_header(pax_record(b"size", b"-1")) + GOOD,
    "a size of 5000 digits": lambda: pax_header(pax_record(b"size", b"9" * 5000)) + GOOD,
    "a size without digits": lambda: pax_header(pax_record(b"size", b"\xff")) + GOOD,
    "a record longer than all": lambda: pax_header(b"999999999 path=x\n") + GOOD,
    "a record of no length": lambda: pax_header(b"0 path=x\n") + GOOD,
    "a path that leads out": lambda: pax_header(pax_record(b"path", b"../../x")) + GOOD,
    "a path from the root": lambda: pax_header(pax_record(b"path", b"/x")) + GOOD,
    "an empty path": lambda: pax_header(pax_record(b"path", b"")) + GOOD,
    "a path in no encoding": lambda: (
        pax_header(pax_record(b"hdrcharset", b"BINARY") + pax_record(b"path", b"\xff")) + GOOD
    ),
    "sparse 1.0": lambda: (
        pax_header(pax_record(b"GNU.sparse.major", b"1") + pax_record(b"GNU.sparse.minor", b"0")) + GOOD
    ),
    "a sparse map that is none": lambda: pax_header(pax_record(b"GNU.sparse.map", b"1,2,3,x")) + GOOD,
    "sparse 0.1": lambda: (
        pax_header(pax_record(b"GNU.sparse.size", b"5") + pax_record(b"GNU.sparse.map", b"0,5")) + GOOD
    ),
    "a binary size, negative": lambda: GOOD[:124] + b"\xff" * 12 + GOOD[136:],
    "a binary size, huge": lambda: GOOD[:124] + b"\x80" + b"\xff" * 11 + GOOD[136:],
    "a wrong checksum": lambda: GOOD[:148] + b"0000000\0" + GOOD[156:],
}


@pytest.mark.parametrize("kind", ABSURD)
def test_bombs_and_absurd_headers_are_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(IntegrityError):
        read_tar(tmp_path, ABSURD[kind]())


@pytest.mark.parametrize(
    "headers", [pax_header(pax_record(b"mtime", b"nan")) + pax_header(b"rubbish"), pax_header(b"5 \xff=\n")]
)
def test_headers_without_meaning_are_refused_or_change_nothing(tmp_path: Path, headers: bytes) -> None:
    try:
        found = read_tar(tmp_path, headers + GOOD)
    except IntegrityError:
        return
    assert found == read_tar(tmp_path, GOOD)


def with_checksum(header: bytearray) -> bytes:
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return bytes(header)


@pytest.mark.parametrize("size", [-1, -512, -(1 << 62), 1 << 62, (1 << 87) - 1])
def test_sizes_out_of_this_world_are_refused(tmp_path: Path, size: int) -> None:
    header = bytearray(GOOD)
    header[124:136] = b"\x80" + size.to_bytes(11, "big") if size > 0 else size.to_bytes(12, "big", signed=True)
    with pytest.raises(IntegrityError):
        read_tar(tmp_path, with_checksum(header) * 2)


# In: damaged archives


@pytest.mark.parametrize(
    "trailing",
    [b"x", b"\0" * 511 + b"x", b"x" * 512, GOOD, bytes(10240) + b"x", bytes(100_000) + GOOD, bytes(3 << 20)],
    ids=len,
)
def test_nothing_may_follow_the_end_of_the_tar(tmp_path: Path, trailing: bytes) -> None:
    with pytest.raises(IntegrityError):
        read_tar(tmp_path, GOOD + trailing)


def test_members_hidden_after_the_end_are_noticed_at_any_place(tmp_path: Path) -> None:
    """Some tools read on after the end; what they would find must not be there."""
    bare = tar_of((info("p/a"), b"content"))[:1024]
    for blocks in range(2, 40):
        with pytest.raises(IntegrityError, match="follows the end"):
            read_tar(tmp_path, bare + bytes(512 * blocks) + bare)


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstandard"])
def test_a_tar_cut_between_members_is_not_whole(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    tar = tar_of(*[(info(f"p/{n}"), b"x" * 512) for n in range(20)])
    for members in range(21):
        for zeros in (0, 512):
            with pytest.raises(IntegrityError):
                read_bytes(tmp_path, compress(tar[: members * 1024] + bytes(zeros)))
        if members:
            assert len(read_bytes(tmp_path, compress(tar[: members * 1024] + bytes(1024)))) == members


@pytest.mark.parametrize("trailing", [b"x", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"garbage" * 1000])
def test_nothing_may_follow_the_compressed_data(tmp_path: Path, trailing: bytes) -> None:
    for packed in (gzip.compress(GOOD), zstandard.ZstdCompressor().compress(GOOD)):
        if packed[:2] == trailing[:2] == b"\x28\xb5":
            continue  # a frame that is cut short, of which nothing was read: see below
        with pytest.raises(IntegrityError):
            read_bytes(tmp_path, packed + trailing)


@pytest.mark.parametrize(
    "packed",
    [
        zstandard.ZstdCompressor(write_checksum=True).compress(GOOD)[:-2],
        zstandard.ZstdCompressor(write_checksum=True).compress(GOOD)[:-4],
        zstandard.ZstdCompressor().compress(GOOD) + zstandard.ZstdCompressor().compress(b"")[:7],
        zstandard.ZstdCompressor().compress(GOOD) + b"\x28\xb5",
        zstandard.ZstdCompressor().compress(GOOD) + b"\x50\x2a\x4d\x18\xff\xff\0\0cut short",
        zstandard.ZstdCompressor().compress(GOOD) + b"rubbish",
    ],
    ids=["half a checksum", "no checksum", "half a frame", "half a magic", "half a skipped frame", "no frame"],
)
def test_a_frame_that_is_cut_short_is_refused_as_zstd_does(tmp_path: Path, packed: bytes) -> None:
    with pytest.raises(IntegrityError, match="not a whole archive"):
        read_bytes(tmp_path, packed)


@pytest.mark.parametrize("compressed", [True, False], ids=["gzip", "zstandard"])
@pytest.mark.slow
def test_a_truncated_archive_is_refused_wherever_it_is_cut(tmp_path: Path, compressed: bool) -> None:
    whole = written(sample(tmp_path))
    content = whole if compressed else zstandard.ZstdCompressor(level=1).compress(gzip.decompress(whole))
    assert read_bytes(tmp_path, content)
    for length in [*range(0, len(content), 1000), *range(len(content) - 20, len(content))]:
        with pytest.raises(IntegrityError):
            read_bytes(tmp_path, content[:length])


SMALL = written(Bundle.of("top", [text_file("a.whl", WHEEL[:700]), text_file("b", TEXT[:3000]), Link("c", "b")]))
SMALL_ZST = zstandard.ZstdCompressor(write_checksum=True).compress(gzip.decompress(SMALL))


@given(
    content=st.sampled_from([SMALL, SMALL_ZST]),
    place=st.integers(0, len(SMALL) - 1),
    change=st.integers(1, 255),
)
@settings(deadline=None, max_examples=examples(400), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_byte_is_refused_or_changes_nothing(tmp_path: Path, content: bytes, place: int, change: int) -> None:
    place %= len(content)
    damaged = content[:place] + bytes([content[place] ^ change]) + content[place + 1 :]
    try:
        found = read_bytes(tmp_path, damaged)
    except IntegrityError:
        return
    assert found == read_bytes(tmp_path, content)


@given(data=st.data())
@settings(deadline=None, max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_tar_with_any_damage_is_refused_or_safe(tmp_path: Path, data: st.DataObject) -> None:
    """Damage below the compression's checksum: the reader must not fall over, nor let an unsafe path through."""
    tar = bytearray(
        pax_header(pax_record(b"path", b"p/" + b"x" * 150))
        + tar_of((info("p/a"), b"content"), info("p/l", tarfile.SYMTYPE, "a"), (info("p/" + "y" * 120), b"z" * 600))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(tar) - 1))
        tar[place] = data.draw(st.integers(0, 255))
    start = data.draw(st.integers(0, len(tar) // 512 - 1)) * 512
    if data.draw(st.booleans()):
        tar[start : start + 512] = with_checksum(tar[start : start + 512])
    try:
        found = read_tar(tmp_path, bytes(tar))
    except IntegrityError:
        return
    assert all(path_fault(path) is None for path in found)


@given(
    rubbish=st.binary(max_size=3000),
    head=st.sampled_from([b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", SMALL[:40]]),
)
@settings(deadline=None, max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rubbish_is_refused(tmp_path: Path, rubbish: bytes, head: bytes) -> None:
    with pytest.raises(IntegrityError):
        read_bytes(tmp_path, head + rubbish)


def test_a_wrong_checksum_at_the_very_end_is_noticed(tmp_path: Path) -> None:
    content = SMALL[:-8] + struct.pack("<II", 1, 2)
    with pytest.raises(IntegrityError):
        read_bytes(tmp_path, content)
