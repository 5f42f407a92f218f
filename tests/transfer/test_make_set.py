"""Sets in the making: what files share is there once, and each comes back as it was."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.adapters.archive import GZIP_HEADER
from bundler.transfer.form import RefusedError, Source
from bundler.transfer.layout import Unframed
from bundler.transfer.make_set import plan, write_set
from bundler.transfer.runs import runs
from tests.model.samples import examples
from tests.transfer.sets import archive, files_in, make, taken, zipped

WHEELS = {
    f"packages/pip/{name}.zip": zipped(name, size) for name, size in (("a", 200_000), ("b", 65535), ("c", 131_070))
}
OTHER = {
    f"packages/pip/{name}.zip": zipped(name, size) for name, size in (("a", 200_000), ("d", 70_000), ("c", 131_070))
}
TEXT = b"".join(b'{"component": %d}\n' % number for number in range(3000))


def test_what_files_share_is_there_once_and_each_comes_back(tmp_path: Path) -> None:
    contents = {
        "one.tar.gz": archive("one", {**WHEELS, "readme.txt": TEXT}),
        "other.tar.gz": archive("other", {**OTHER, "readme.txt": TEXT}),
        "empty": b"",
        "SHA256SUMS": b"".join(b"%064d  x%d\n" % (number, number) for number in range(100)),
    }
    path = make(tmp_path, contents)
    assert taken(path) == contents
    wheels = sum(map(len, {**WHEELS, **OTHER}.values()))
    assert wheels < path.stat().st_size < wheels + 60_000


def test_an_archive_in_a_package_is_cut_too(tmp_path: Path) -> None:
    inner = archive("inner", WHEELS)
    contents = {
        "inner.tar.gz": inner,
        "package.tar.gz": archive("package", {"parts/inner.tar.gz": inner, "wheel.zip": WHEELS["packages/pip/a.zip"]}),
        "far.tar.gz": archive("far", {"package.tar.gz": archive("p", {"p.tar.gz": archive("q", {"x": inner})})}),
    }
    path = make(tmp_path, contents)
    assert taken(path) == contents
    assert path.stat().st_size < len(inner) + 20_000


def test_wheels_of_one_project_share_their_large_members(tmp_path: Path) -> None:
    def wheel(tag: str, *, streamed: bool) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as whole:
            for name, size in (("a.so", 90_000), ("small", 100), ("b.so", 60_000)):
                info = zipfile.ZipInfo(name, (2020, 1, int(tag), 0, 0, 0))
                with whole.open(info, "w") if streamed else whole.open(info, "w", force_zip64=True) as member:
                    member.write(zipped(name, size)[4:])  # no magic of a header
            whole.writestr(f"tag{tag}", tag * 3000)
        return out.getvalue()

    contents = {
        f"{tag}.tar.gz": archive(tag, {f"x-1-{tag}.zip": wheel(tag, streamed=tag == "2")}) for tag in ("1", "2")
    }
    path = make(tmp_path, contents)
    assert taken(path) == contents
    assert path.stat().st_size < 150_000 + 20_000


def test_texts_are_cut_into_lines(tmp_path: Path) -> None:
    lines = TEXT.splitlines(keepends=True)
    contents = {"a.json": TEXT, "b.json": b"".join((*lines[:1000], b"new\n", *lines[1500:])), "c.json": TEXT[:-1]}
    path = make(tmp_path, contents)
    assert taken(path) == contents
    assert path.stat().st_size < len(TEXT) + 1500


def test_the_same_files_give_the_same_set_wherever_they_lie(tmp_path: Path) -> None:
    contents = {"one.tar.gz": archive("one", WHEELS), "b": b"b\n", "a": b"a\n"}
    (tmp_path / "there").mkdir()
    first, second = make(tmp_path, contents), make(tmp_path / "there", dict(reversed(contents.items())))
    assert first.read_bytes() == second.read_bytes()


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    planned = plan(files_in(tmp_path / "from", {"a.tar.gz": archive("a", WHEELS)}))
    with (tmp_path / "from" / "a.tar.gz").open("ab") as file:
        file.write(b"x")
    with pytest.raises(RefusedError, match="changed meanwhile"):
        write_set(planned, lambda data: None)


_GZIP, _WHOLE = GZIP_HEADER, b"\0\xff\xff\0\0"
PIECES = st.sampled_from([
    _GZIP, b"\0\0\xff\xff", b"\0\x03\0\xfc\xffabc", _WHOLE + b"z" * 65535, b"\0\x01\0\xfe\xff\n", b"line\n",
    _WHOLE + _GZIP * 6553 + b"hello", b"\0\x10\0\xef\xff",
])  # fmt: skip


@settings(max_examples=examples(60), deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), st.lists(PIECES | st.binary(max_size=20), max_size=12).map(b"".join)))
def test_any_bytes_come_back(contents: dict[str, bytes]) -> None:
    with TemporaryDirectory() as name:
        assert taken(make(Path(name), contents)) == contents


@settings(max_examples=examples(60), deadline=None)
@given(st.binary(min_size=1, max_size=100), st.integers(0, 3), st.data())
def test_a_payload_reads_as_what_was_framed(tail: bytes, blocks: int, data: st.DataObject) -> None:
    content = bytes(range(251)) * 262 * blocks + tail
    framed = b"".join(
        b"\0" + len(part).to_bytes(2, "little") + (len(part) ^ 65535).to_bytes(2, "little") + part
        for part in (content[at : at + 65535] for at in range(0, len(content), 65535))
    )
    with TemporaryDirectory() as name:
        path = Path(name) / "file"
        path.write_bytes(b"head\0\0\xff\xff" + framed + b"tail")
        with path.open("rb") as file:
            source = Source([file.fileno()])
            first, second, *rest = runs(source)
            assert (first.size, second.start, second.size, second.stored) == (8, 8, len(content), True)
            assert [one.size for one in rest] == [4]
            view = Unframed(source, 8, len(content))
            start = data.draw(st.integers(0, len(content)))
            length = data.draw(st.integers(0, len(content) - start))
            assert view.read(start, length) == content[start : start + length]


def test_memory_does_not_grow_with_the_files(tmp_path: Path) -> None:
    contents = {"one.tar.gz": archive("one", {"a.zip": zipped("a", 12_000_000)})}
    tracemalloc.start()
    try:
        planned = plan(files_in(tmp_path / "from", contents))
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        write_set(planned, lambda data: None)
        assert tracemalloc.get_traced_memory()[1] - before < 5_000_000
    finally:
        tracemalloc.stop()
