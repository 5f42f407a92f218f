from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bundler.adapters.durable import syncing, write_whole
from bundler.errors import UsageError, WorkError


def test_a_file_is_written_whole_over_another(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(b"before, and longer")
    write_whole(path, b"after")
    assert path.read_bytes() == b"after"
    assert not [one.name for one in tmp_path.iterdir() if one.name.startswith(".")]


_KILLED = """
import os, signal, sys
from pathlib import Path
from bundler.adapters import durable
durable.os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
durable.write_whole(Path(sys.argv[1]), b"after")
"""


def test_what_a_killed_run_left_goes_with_the_next(tmp_path: Path) -> None:
    path = tmp_path / "pages" / "page.html"
    path.parent.mkdir()
    path.write_bytes(b"before")
    done = subprocess.run([sys.executable, "-c", _KILLED, path], check=False)
    assert (done.returncode, path.read_bytes(), len([*path.parent.iterdir()])) == (-signal.SIGKILL, b"before", 2)
    write_whole(path, b"after")
    assert (path.read_bytes(), [*path.parent.iterdir()]) == (b"after", [path])


def test_a_file_is_for_others_to_read_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_whole(tmp_path / "page.html", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "page.html").stat().st_mode) == 0o644


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "link").symlink_to("other")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "other").read_bytes() == b"other"
    assert not (tmp_path / "link").is_symlink()


def test_a_disk_that_fails_is_told_even_if_it_fails_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, synced = tmp_path / "archive", list[bytes]()

    def sync(descriptor: int) -> None:
        synced.append(path.read_bytes())
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", sync)
    with path.open("wb") as file, pytest.raises(OSError, match="Input/output error"), syncing(file):
        pass
    with path.open("ab") as file, pytest.raises(KeyError), syncing(file):
        raise KeyError
    file = path.open("wb")
    file.write(b"all of it")
    with file, pytest.raises(OSError, match="Input/output error"), syncing(file):
        pass
    assert synced == [b"", b"", b"all of it"]


def test_nothing_but_a_file_is_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(UsageError, match="not a regular file"):
            write_whole(tmp_path / name, b"")
    with pytest.raises(UsageError):
        write_whole(Path(os.devnull), b"")
    with pytest.raises(WorkError):
        write_whole(tmp_path / "not" / "there", b"")
    assert not [one.name for one in tmp_path.iterdir() if one.name.startswith(".")]
