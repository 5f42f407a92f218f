"""Sets, opened: what is damaged is told by name, and nothing that a header says is believed."""

from __future__ import annotations

import bz2
import errno
import hashlib
import os
import resource
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bundler.errors import IntegrityError, UsageError, WorkError
from bundler.transfer.damage import explained, faults, refuse_damaged, told
from bundler.transfer.form import RefusedError, Set, Source, read_header
from bundler.transfer.opened import is_set, opened
from bundler.transfer.program import Program
from bundler.transfer.shares import shares
from tests.model.samples import examples
from tests.transfer.sets import archive, make, swapped, taken, zipped

CONTENTS = {
    "one.tar.gz": archive("one", {"a.zip": zipped("a", 100_000), "b.zip": zipped("b", 70_000)}),
    "two.tar.gz": archive("two", {"a.zip": zipped("a", 100_000), "c.zip": zipped("c", 50_000)}),
}


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """A set in volumes."""
    return make(tmp_path, CONTENTS, 50_000)


def _why(path: Path) -> IntegrityError:
    with pytest.raises(IntegrityError) as refused:
        taken(path)
    return explained(path, refused.value)


def test_volumes_are_one_set_by_whichever_name(cut: Path) -> None:
    assert len(list(cut.parent.glob("a.set.0*"))) == 5
    for name in ("a.set", "a.set.001", "a.set.sha256"):
        assert is_set(cut.parent / name)
        assert taken(cut.parent / name) == CONTENTS
    assert not is_set(cut.parent / "from")
    assert not is_set(cut.parent / "from" / "one.tar.gz")
    assert not is_set(cut.parent / "nowhere")
    assert not is_set(Path())
    assert faults(cut, told(cut)) == {}


@pytest.mark.parametrize("number", ["001", "003", "005"])
def test_a_volume_that_is_missing_is_named(cut: Path, number: str) -> None:
    (cut.parent / f"a.set.{number}").unlink()
    assert is_set(cut)
    told = _why(cut)
    assert f"a.set.{number} is missing" in told.message
    assert "copy it anew" in told.hint
    (cut.parent / "a.set.sha256").unlink()
    if number != "001":  # without it, and without a list, nothing tells that this is a set
        assert "cut short" in (message := _why(cut).message) or f"a.set.{number} is missing" in message


def test_a_volume_that_is_damaged_is_named(cut: Path) -> None:
    volume = cut.parent / "a.set.004"
    volume.write_bytes(volume.read_bytes()[:-1] + b"!")
    assert faults(cut, told(cut)) == {"a.set.004": "is damaged"}
    assert "a.set.004 is damaged" in _why(cut).message


def test_a_volume_that_cannot_be_read_on_the_way_is_named(cut: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pread, volume = os.pread, (cut.parent / "a.set.003").stat().st_ino

    def failing(descriptor: int, size: int, offset: int) -> bytes:
        if os.fstat(descriptor).st_ino == volume and offset + size > 30_000:
            raise OSError(errno.EIO, "Input/output error")
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", failing)
    with pytest.raises(IntegrityError, match=r"a\.set\.003 cannot be read: Input/output error"):
        taken(cut)


def test_a_set_that_is_damaged_where_it_begins_is_a_set(tmp_path: Path) -> None:
    path = make(tmp_path, CONTENTS)
    path.write_bytes(b"x" + path.read_bytes()[1:])
    assert not is_set(path)
    (tmp_path / "a.set.sh").touch()
    assert is_set(path)
    assert "a.set is damaged" in _why(path).message


def test_more_volumes_than_may_be_open_are_no_damage(tmp_path: Path) -> None:
    path = make(tmp_path, CONTENTS, 2000)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (90, hard))
    try:
        with pytest.raises(WorkError, match="fewer files may be open") as refused:
            taken(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "ulimit -n 2" in refused.value.hint


def test_volumes_in_each_other_s_place_are_named(cut: Path) -> None:
    with swapped(cut.parent / "a.set.002", cut.parent / "a.set.003"):
        message = _why(cut).message
    assert "a.set.002 is damaged" in message
    assert "a.set.003 is damaged" in message


def test_a_set_that_is_cut_or_goes_on_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path, CONTENTS)
    whole = path.read_bytes()
    for content in (whole[:-1], whole + b"x", whole[: len(whole) // 2], whole[:20], b""):
        path.write_bytes(content)
        with pytest.raises(IntegrityError):
            taken(path)
    path.unlink()
    (tmp_path / "a.set.sha256").unlink()
    with pytest.raises(UsageError, match=r"nor is a\.set\.001"):
        taken(path)


def test_a_list_of_digests_that_names_other_files_is_refused(cut: Path) -> None:
    listing = cut.parent / "a.set.sha256"
    for text in (f"{'0' * 64}  ../x\n", f"{'0' * 64}  other\n", "nothing\n", f"{'0' * 64}  a.set.002\n"):
        listing.write_text(text)
        with pytest.raises(IntegrityError, match=r"a\.set\.sha256 is malformed: line 1 is"):
            refuse_damaged(cut, lambda size: None)
        assert taken(cut) == CONTENTS


def _header(path: Path, old: bytes, new: bytes) -> Path:
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    "name", [b"../e.tar.gz", b".e.tar.gz", b"/ne.tar.gz", b"one tar.gz", b"\xc3\xb6e.tar.gz", b"two.tar.gz"]
)
def test_a_name_that_is_a_path_or_twice_is_refused(tmp_path: Path, name: bytes) -> None:
    path = _header(make(tmp_path, CONTENTS), b" one.tar.gz ", b" " + name + b" ")
    with pytest.raises(IntegrityError):
        taken(path)


def test_files_that_are_absurdly_large_are_refused(tmp_path: Path) -> None:
    path = make(tmp_path, CONTENTS)
    size = str(len(CONTENTS["one.tar.gz"])).encode()
    _header(path, b" " + size + b" one", b" 999999999999999 one")
    with pytest.raises(IntegrityError, match="far larger"):
        taken(path)
    small = f"file {'0' * 64} 1000000 NAME 0 0\n"
    many = "".join(small.replace("NAME", f"n{number:04}") for number in range(2000))
    path.write_text(f"aiws-set 1\n{many}content 0\n\n")
    with pytest.raises(IntegrityError, match="far larger"):
        taken(path)


def _of_programs(path: Path, code: bytes, size: int, count: int, content: bytes) -> Path:
    """A set of files that are all made by one program, and are nothing but zeros."""
    packed, sha256 = bz2.compress(code), hashlib.sha256(bytes(size)).hexdigest()
    files = "".join(f"file {sha256} {size} n{number:04} {len(packed)} {len(code)}\n" for number in range(count))
    path.write_bytes(f"aiws-set 1\n{files}content {len(content)}\n\n".encode() + packed * count + content)
    return path


def test_programs_that_would_take_days_are_refused(tmp_path: Path) -> None:
    # Each file may take little; all together have to.
    copies = Program()
    for number in range(300_000):
        copies.copy(number % 7, 1)
    code = copies.end()
    with pytest.raises(IntegrityError, match="programs are far larger"):
        taken(_of_programs(tmp_path / "a.set", code, 300_000, 10, bytes(10)))
    assert len(taken(_of_programs(tmp_path / "a.set", code, 300_000, 1, bytes(10)))) == 1


@pytest.mark.parametrize("files", [1, 4])
def test_what_programs_that_copy_far_too_often_share_is_not_told(tmp_path: Path, files: int) -> None:
    often = Program()
    for number in range(300_000 // files):
        often.copy(2 * number % 9000, 1)
    path = _of_programs(tmp_path / "a.set", often.end(), 300_000 // files, files, bytes(10_000))
    with opened(path) as whole, pytest.raises(IntegrityError, match="copy too often"):
        shares(whole.source, whole.header)


def test_programs_of_sets_inflate_nothing(tmp_path: Path) -> None:
    deflated = zlib.compress(bytes(1000), wbits=-15)
    inflates, unframes, deflates = Program(), Program(), Program()
    inflates.inflate(0, len(deflated), 1000)
    inflates.copy(len(deflated), 1000)
    unframes.unframe(0, 10)
    deflates.deflate(6, 8, 1000, len(deflated))
    for program in (inflates, unframes, deflates):
        with pytest.raises(IntegrityError, match="does more than copy and frame"):
            taken(_of_programs(tmp_path / "a.set", program.end(), 1000, 1, deflated))


def test_a_file_of_another_digest_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path, CONTENTS)
    _header(path, hashlib.sha256(CONTENTS["one.tar.gz"]).hexdigest().encode(), b"0" * 64)
    with pytest.raises(IntegrityError, match=r"what it makes is not one\.tar\.gz"):
        taken(path)
    assert "it was made so" not in explained(path, IntegrityError("x")).hint  # the digest of the file differs too


def test_what_files_share_is_told(tmp_path: Path) -> None:
    with opened(make(tmp_path, CONTENTS)) as whole:
        found = shares(whole.source, whole.header)
        assert found.shared + sum(found.own.values()) == whole.header.content.size
    assert 100_000 <= found.shared < 101_000
    assert 70_000 <= found.own["one.tar.gz"] < 72_000
    assert 50_000 <= found.own["two.tar.gz"] < 52_000


_LINES = st.lists(
    st.sampled_from([b"aiws-set 1", b"content 5", b"content 0", b"file " + b"0" * 64 + b" 5 a 3 3", b"content 1e9"])
    | st.binary(max_size=30),
    max_size=6,
)


@settings(max_examples=examples(150), deadline=None)
@given(_LINES.map(b"\n".join), st.binary(max_size=60))
@example(b"aiws-set 1\ncontent 0", b"")
def test_any_header_is_read_or_refused(head: bytes, rest: bytes) -> None:
    with TemporaryDirectory() as name:
        path = Path(name) / "x"
        path.write_bytes(head + b"\n\n" + rest)
        with path.open("rb") as file:
            source = Source([file.fileno()])
            try:
                header = read_header(source)
            except RefusedError:
                return
        assert isinstance(header, Set)
        assert header.content.offset + header.content.size == source.size


@settings(max_examples=examples(100), deadline=None)
@given(st.data())
def test_a_set_with_any_byte_changed_makes_what_it_says_or_nothing(data: st.DataObject) -> None:
    with TemporaryDirectory() as name:
        path = make(Path(name), {"a": b"one\ntwo\n", "b.tar.gz": archive("b", {"z.zip": zipped("z", 300)})})
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        try:
            made = taken(path)
        except IntegrityError:
            return
        with opened(path) as whole:
            assert {k: hashlib.sha256(v).hexdigest() for k, v in made.items()} == {
                k: one.sha256 for k, one in whole.header.files.items()
            }
