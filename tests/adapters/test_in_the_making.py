"""What killed runs left hidden goes with the next run; what a run is at work with stays."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundler.adapters.in_the_making import PREFIX, hidden_file, hidden_folder
from bundler.adapters.new_files import all_appearing, appearing
from bundler.errors import from_os
from bundler.transfer import apply_delta

_AT_WORK = """
import sys, time
from pathlib import Path
from bundler.adapters.new_files import all_appearing, appearing
out = Path(sys.argv[1])
with appearing(out / "one") as file, all_appearing(out) as hidden:
    file.write(b"half")
    (hidden / "half").write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Another process makes a file and a folder's files there, until it is killed."""
    with subprocess.Popen([sys.executable, "-c", _AT_WORK, folder], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.send_signal(signal.SIGKILL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with nothing in it."""
    path = tmp_path / "folder"
    path.mkdir()
    return path


def test_what_a_killed_run_left_goes_with_the_next_one_and_no_sooner(folder: Path) -> None:
    with at_work(folder):
        half = {one.name for one in folder.iterdir()}
        assert len(half) == 2
        with appearing(folder / "mine") as file:
            file.write(b"1")
        assert {one.name for one in folder.iterdir()} == {*half, "mine"}
    assert {one.name for one in folder.iterdir()} == {*half, "mine"}
    with all_appearing(folder) as hidden:
        (hidden / "other").write_text("2")
    assert {one.name for one in folder.iterdir()} == {"mine", "other"}


def test_nothing_else_is_taken_for_it(folder: Path) -> None:
    (folder / "away").mkdir()
    (folder / "away" / "kept").touch()
    (folder / f"{PREFIX}abcdefgh").symlink_to("away")
    (folder / f"{PREFIX}abcdefg").touch()
    os.mkfifo(folder / f"{PREFIX}abcdefg1")
    before = set(folder.iterdir())
    with hidden_file(folder) as (path, _), hidden_folder(folder) as below:
        assert set(folder.iterdir()) == {*before, path, below}
    assert set(folder.iterdir()) == before
    assert (folder / "away" / "kept").exists()


def test_the_script_for_hosts_calls_what_it_makes_alike() -> None:
    assert apply_delta._HIDDEN == PREFIX, "either removes what the other left"


def test_modes_that_cannot_be_set_are_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(descriptor: int, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")  # as a stick answers that root mounted for everybody

    monkeypatch.setattr(os, "fchmod", refusing)
    with appearing(folder / "one") as file, all_appearing(folder) as hidden:
        file.write(b"1")
        (hidden / "two").write_text("2")
    assert {one.name for one in folder.iterdir()} == {"one", "two"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG])
def test_a_full_disk_is_told_with_the_folder(number: int, folder: Path) -> None:
    with pytest.raises(OSError, match="no room") as raised, appearing(folder / "one"):
        raise OSError(number, "no room")  # as writing to an open file does, which names nothing
    assert raised.value.filename == str(folder)
    assert not list(folder.iterdir())
    assert from_os(raised.value).hint
