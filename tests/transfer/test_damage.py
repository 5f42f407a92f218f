"""What is wrong with a set is told volume by volume, once, with what to do about it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bundler.errors import IntegrityError
from bundler.transfer.damage import as_word, explained, faults, refuse_damaged, told
from bundler.transfer.opened import is_set, opened
from tests.adapters.par2_sets import recovery_file
from tests.transfer.sets import archive, make, taken, zipped

CONTENTS = {f"{name}.tar.gz": archive(name, {"z.zip": zipped(name, 100_000)}) for name in ("one", "two")}


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """A set in five volumes."""
    return make(tmp_path, CONTENTS, 50_000)


def _volume(cut: Path, number: int) -> Path:
    return cut.parent / f"{cut.name}.{number:03}"


def _listing(cut: Path) -> Path:
    return cut.parent / f"{cut.name}.sha256"


def _opening(path: Path) -> IntegrityError:
    with pytest.raises(IntegrityError) as refused:
        taken(path)
    return refused.value if refused.value.hint else explained(path, refused.value)


def _verifying(path: Path) -> IntegrityError:
    with pytest.raises(IntegrityError) as refused:
        refuse_damaged(path, lambda size: None)
    return refused.value


def _put(kind: str, path: Path) -> None:
    """Put something at a path that is no file."""
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("nowhere")


def test_a_volume_too_many_is_named(cut: Path) -> None:
    _volume(cut, 6).write_bytes(b"of the release before")
    for error in (_opening(cut), _verifying(cut)):
        assert "a.set.006 does not belong to it" in error.message
        assert error.hint == "move a.set.006 away: of another set, or left from one before"
    _listing(cut).unlink()
    assert "a.set.006 does not belong to it" in _opening(cut).message


def test_volumes_that_are_missing_are_named_once(cut: Path) -> None:
    for number in (1, 3, 4):
        _volume(cut, number).unlink()
    wanted = "a.set is not whole\n  - a.set.001 is missing\n  - a.set.003 is missing\n  - a.set.004 is missing"
    for error in (_opening(cut), _verifying(cut)):
        assert error.message == str(cut.parent / wanted)
    assert explained(cut, error).message == error.message
    _volume(cut, 5).write_bytes(b"")
    assert explained(cut, error).message == f"{error.message}\n  - a.set.005 is damaged"
    _listing(cut).unlink()
    assert is_set(cut)
    assert _opening(cut).message == str(cut.parent / wanted)


def test_the_last_volumes_that_are_missing_are_named_without_a_list(cut: Path) -> None:
    _listing(cut).unlink()
    _volume(cut, 5).unlink()
    assert "it is cut short: a.set.005 is missing, or a.set.004 is not whole" in _opening(cut).message


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_what_is_no_file_is_named(cut: Path, kind: str) -> None:
    volume = _volume(cut, 2)
    volume.unlink()
    _put(kind, volume)
    for error in (_opening(cut), _verifying(cut)):
        assert "a.set.002 is no regular file" in error.message


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that fails with EIO")
@pytest.mark.parametrize("number", [1, 2])
def test_a_volume_that_cannot_be_read_is_named(cut: Path, number: int) -> None:
    size = _volume(cut, number).stat().st_size
    _volume(cut, number).unlink()
    _volume(cut, number).symlink_to("/proc/self/mem")
    error = _verifying(cut)
    assert size and error.message.endswith(f"a.set.{number:03} cannot be read: Input/output error")
    assert f"a.set.{number:03} cannot be read" in _opening(cut).message


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "line 1 is no SHA-256, two spaces and a name"),
        (b"\xff\xfe", "line 1 is no SHA-256"),
        (b"%s  a.set.001\n%s a.set.002\n" % (b"0" * 64, b"1" * 64), "line 2 is no SHA-256, two spaces and a name"),
        (b"%s  a.set.001\n%s  a.set.003\n" % (b"0" * 64, b"1" * 64), "line 2 is of a.set.003, not of a.set.002"),
        (b"%s  ../../x\n" % (b"0" * 64), "line 1 is no SHA-256"),
        (b"%s  b.set\n" % (b"0" * 64), "line 1 is of b.set, not of a.set.001"),
        (b"0" * (1 << 19), "is larger than"),
    ],
)
def test_what_is_wrong_with_the_list_is_told(cut: Path, content: bytes, fault: str) -> None:
    _listing(cut).write_bytes(content)
    error = _verifying(cut)
    assert fault in error.message
    assert "copy the list anew, or remove it" in error.hint
    assert taken(cut) == CONTENTS  # which needs no list
    _volume(cut, 3).unlink()
    error = _opening(cut)
    assert "a.set.003 is missing" in error.message and fault in error.message
    assert error.hint == "copy it anew from where the set is kept"


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_a_list_that_is_no_file_is_told(cut: Path, kind: str) -> None:
    listing = _listing(cut)
    listing.unlink()
    _put(kind, listing)
    assert str(listing) in _verifying(cut).message
    assert taken(cut) == CONTENTS


def test_recovery_files_tell_what_the_list_would(cut: Path) -> None:
    volumes = {f"a.set.{number:03}".encode(): _volume(cut, number).read_bytes() for number in range(1, 6)}
    (cut.parent / "a.set.par2").write_bytes(recovery_file(volumes, 1000))
    _listing(cut).unlink()
    refuse_damaged(cut, lambda size: None)
    _volume(cut, 5).unlink()
    _volume(cut, 2).write_bytes(_volume(cut, 2).read_bytes()[:-1] + b"!")
    assert faults(cut, told(cut)) == {"a.set.002": "is damaged", "a.set.005": "is missing"}
    error = _verifying(cut)
    assert f"`aiws-bundle emit {cut} --repair`" in error.hint and f"`par2 repair {cut}.par2`" in error.hint
    _listing(cut).write_text("no list")
    assert "line 1 is no SHA-256" in _verifying(cut).message


def test_volumes_that_were_put_together_are_one_file(cut: Path) -> None:
    cut.write_bytes(b"".join(_volume(cut, number).read_bytes() for number in range(1, 6)))
    assert taken(cut) == CONTENTS
    refuse_damaged(cut, lambda size: None)


def test_a_thousand_faults_are_told_shortly(cut: Path) -> None:
    _listing(cut).write_text("".join(f"{'0' * 64}  a.set.{number:03}\n" for number in range(1, 1000)))
    assert "… and 974 more" in _opening(cut).message


def test_any_volume_names_the_set(cut: Path) -> None:
    for number in (1, 3, 5):
        with opened(_volume(cut, number)) as whole:
            assert whole.base == cut
    _volume(cut, 1).unlink()
    assert "a.set.001 is missing" in _opening(_volume(cut, 4)).message


def test_paths_are_words_of_commands() -> None:
    assert [as_word(Path(one)) for one in ("a/b", "-r/b", "a b")] == ["a/b", "./-r/b", "'a b'"]
