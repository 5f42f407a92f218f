"""Regular files only, and nobody waits."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from bundler.adapters.regular import open_regular, read_regular
from bundler.errors import UsageError


def test_a_file_is_read_through_links_unless_told_not_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link", 4) == b"text"
    with pytest.raises(UsageError, match="not a regular file"):
        open_regular(tmp_path / "link", follow=False)


def test_nothing_else_is_opened_and_nobody_waits(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        for path in (tmp_path / "fifo", tmp_path / "socket", tmp_path, Path("/dev/zero")):
            with pytest.raises(UsageError, match="not a regular file"):
                open_regular(path)


def test_no_more_is_read_than_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(5))
    with pytest.raises(UsageError, match="larger than 4 bytes"):
        read_regular(tmp_path / "file", 4)


def test_what_is_not_there_stays_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "absent")


def test_an_interruption_right_after_it_is_open_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file closes its descriptor then: who closed it once more would tell of that, or close another thread's."""
    real = os.fdopen

    def interrupted(descriptor: int, mode: str) -> None:
        with real(descriptor, mode):
            pass
        raise KeyboardInterrupt

    (tmp_path / "file").write_bytes(b"x")
    monkeypatch.setattr(os, "fdopen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_regular(tmp_path / "file")
