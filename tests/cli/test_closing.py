"""How long commands end, and what Ctrl-C leaves of a live view: on a real terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shlex
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from bundler import cli
from bundler.cli import Options
from bundler.cli.closing import close
from tests.world import World

PROGRAM = Path(sys.executable).with_name("aiws-bundle")


def options(**given: bool) -> Options:
    return Options(Path("my manifests"), None, given.get("json", False), given.get("quiet", False), False, False)


def test_commands_are_fit_to_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    close(options(), "2 archives made", ["verify", Path("a folder")], ["check"])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "", "2 archives made",
        "next: aiws-bundle --manifests 'my manifests' verify 'a folder'",
        "      aiws-bundle --manifests 'my manifests' check",
    ]  # fmt: skip


@pytest.mark.parametrize("given", [{"json": True}, {"quiet": True}], ids=str)
def test_quiet_stays_quiet(given: dict[str, bool], capsys: pytest.CaptureFixture[str]) -> None:
    close(options(**given), "made", ["check"])
    assert capsys.readouterr() == ("", "")


def followed(world: World, err: str) -> list[int]:
    """The exit codes of the commands that a summary names, pasted."""
    lines = re.findall(r"^(?:next:|     ) aiws-bundle (.*)$", err, re.MULTILINE)
    assert lines, err
    return [world.run(*shlex.split(line)).code for line in lines]


@pytest.mark.slow
def test_what_is_next_works_when_it_is_pasted(locked: World) -> None:
    built = locked.run("build", "debian-12", "--out", "some dist")
    assert "2 archives made (" in built.err and "0 failed, in some dist" in built.err
    assert followed(locked, built.err) == [0]
    verified = locked.run("verify", "some dist")
    assert "proven: some dist" in verified.err
    assert followed(locked, verified.err) == [0, 0]
    assert followed(locked, locked.run("lock").err) == [0]
    for quiet in ("-q", "--json"):
        assert "next:" not in locked.run(quiet, "build", "debian-12", "--out", "some dist").err


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_what_failed_is_tried_again(locked: World) -> None:
    failed = locked.run(
        "build", "debian-12-amd64", "--component", "litellm", PIP_INDEX_URL="http://127.0.0.1:9/simple/"
    )
    assert "1 failed" in failed.err
    assert followed(locked, failed.err) == [0]


@pytest.mark.slow
@pytest.mark.parametrize("columns", [80, 200])
def test_ctrl_c_in_a_live_view_leaves_the_terminal_right(locked: World, stalled: threading.Event, columns: int) -> None:
    near, far = os.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {name: value for name, value in locked.env(TERM="xterm").items() if name not in ("CI", "NO_COLOR")}
    process = subprocess.Popen(
        [PROGRAM, "build", "all"], cwd=locked.root, env=env, stdin=far, stdout=far, stderr=far, start_new_session=True
    )
    os.close(far)
    seen, told, end = b"", False, time.monotonic() + 60
    with contextlib.suppress(OSError):  # EIO: the program has ended
        while data := os.read(near, 1 << 16):
            seen += data
            if b"0 of 4 done" in seen and not told:
                process.send_signal(signal.SIGINT)
                told = True
            assert time.monotonic() < end
    assert process.wait(timeout=30) == 130
    os.close(near)
    text = seen.decode()
    assert "debian-12-amd64" in text and "waiting" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is shown"
    assert "interrupted; what is finished stays" in text and "Traceback" not in text
    lines = re.split(r"\r?\n|\r", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text))
    assert max(map(len, lines)) <= columns


def test_on_github_an_error_is_an_annotation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for runner, count in (("true", 1), ("", 0)):
        monkeypatch.setenv("GITHUB_ACTIONS", runner)
        assert cli.run(["inspect", "100%\n::add-mask::x"]) == 2
        lines = capsys.readouterr().err.splitlines()
        found = [line for line in lines if line.startswith("::")]
        assert len(found) == count
        assert all(line.startswith("::error title=aiws-bundle::100%25%0A") for line in found), found
