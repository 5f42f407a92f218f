"""How work tells how far it is."""

from __future__ import annotations

import io
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace

import pytest

from bundler.cli.output import choose
from bundler.live import Terminal
from bundler.progress import Groups, Lines, Progress, Silent
from tests.screens import screen


def work(progress: Progress) -> None:
    """Something of 3 MB, done by several threads, with a piece that had to be done again."""
    with progress.task("fetching", 3_000_000) as task:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: task.advance(10_000), range(310)))
        task.advance(-100_000)
    progress.say("built [a] 100 %")


def test_silence_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    work(Silent())
    assert capfd.readouterr() == ("", "")


def test_lines_go_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    work(Lines())
    out, err = capfd.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith("fetching: 3.0 MB in ")
    assert second == "built [a] 100 %"


def test_a_long_task_tells_how_far_it_is(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 9.0, 11.0, 12.0, 22.0, 23.0])
    monkeypatch.setattr("bundler.progress.time", SimpleNamespace(monotonic=lambda: next(now)))
    with Lines().task("fetching", 4_000_000) as task:
        for _ in range(4):
            task.advance(1_000_000)
    err = capfd.readouterr().err
    assert err.splitlines() == [
        "fetching: 50 % of 4.0 MB",
        "fetching: 100 % of 4.0 MB",
        "fetching: 4.0 MB in 23.0 s",
    ]


def test_a_task_without_a_size_is_no_error(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 11.0, 12.0])
    monkeypatch.setattr("bundler.progress.time", SimpleNamespace(monotonic=lambda: next(now)))
    with Lines().task("fetching", 0) as task:
        task.advance(0)
    assert "fetching: 0 % of 0 bytes" in capfd.readouterr().err


def test_a_failed_task_is_not_told_as_done(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="broken"), Lines().task("fetching", 1):
        raise ValueError("broken")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("fails", [False, True])
def test_the_end_of_a_brief_task_is_told_by_what_it_made(capfd: pytest.CaptureFixture[str], fails: bool) -> None:
    with suppress(ValueError), Lines().task("packing", 4_000_000, brief=True) as task:
        task.advance(4_000_000)
        if fails:
            raise ValueError
    assert capfd.readouterr().err == ""


def test_a_long_brief_task_tells_how_far_it_is(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([0.0, 11.0])
    monkeypatch.setattr("bundler.progress.time", SimpleNamespace(monotonic=lambda: next(now)))
    with Lines().task("packing", 4_000_000, brief=True) as task:
        task.advance(3_000_000)
    assert capfd.readouterr().err == "packing: 75 % of 4.0 MB\n"


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_bars_fit_the_terminal(columns: int) -> None:
    with screen(columns, {"COLUMNS": str(columns)}) as shown:  # rich asks standard input, which is another one here
        terminal = Terminal()
        with (
            terminal.task("fetching 203 of 203 files", 1_999_000_000) as first,
            terminal.task("uploading xworkspace-console-runtime-linux-amd64.tar.gz", 154_600_000),
            terminal.task("packing litellm-runtime-ubuntu-22.04-amd64", 154_600_000),
        ):
            first.advance(1_234_500_000)
            terminal._bars.refresh()
    assert shown.widest <= columns
    drawn = [line for line in shown.lines if "packing" in line or "fetching" in line or "uploading" in line]
    assert all("GB" in line or "MB" in line for line in drawn), "how far it is stands in every bar"
    if columns >= 80:
        assert any("packing litellm-runtime-ubuntu-22.04-amd64 " in line for line in drawn)


def test_what_is_said_while_bars_end_has_a_line_of_its_own() -> None:
    with screen(80) as shown:
        terminal = Terminal()

        def make(number: int) -> None:
            with terminal.task(f"packing {number}", 1):
                pass
            terminal.say(f"built {number}")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(make, range(200)))
    assert not [line for line in shown.lines if "packing" in line and "built" in line]


def test_bars_are_drawn_and_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    with terminal.task("outer", 10):
        work(terminal)
    work(terminal)
    shown = screen.getvalue()
    assert "fetching" in shown
    assert shown.count("built [a] 100 %\n") == 2
    assert "\x1b[?25l" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h"), "the cursor must be there again"


def test_bars_obey_and_hide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stderr", screen)
    terminal = Terminal()
    hostile = "[link=http://x]a[/] :bomb: \x1b[2J\x9b\u202e\r\n::add-mask::x \u65e5"
    with terminal.task(hostile, 1):
        terminal.say(hostile)
    screen.flush()
    shown = screen.buffer.getvalue().decode("latin-1")
    assert "\n".join(shown.splitlines()[:1]) == (
        r"[link=http://x]a[/] :bomb: \ufffd[2J\ufffd\ufffd\ufffd\ufffd::add-mask::x \u65e5"
    )
    assert "\x9b" not in shown and "\u202e" not in shown and "\r\n::" not in shown


def test_bars_end_when_work_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    terminal = Terminal()
    with pytest.raises(ValueError, match="broken"), terminal.task("fetching", 1):
        raise ValueError("broken")
    assert terminal._open == 0
    assert not terminal._bars.live.is_started


@pytest.mark.parametrize(
    ("quiet", "json", "bars", "terminal", "ci", "expected"),
    [
        (True, False, True, True, "", Silent),
        (False, True, True, True, "", Silent),
        (False, False, True, True, "", Terminal),
        (False, False, False, True, "", Lines),
        (False, False, True, False, "", Lines),
        (False, False, True, True, "true", Lines),
    ],
)
def test_what_fits_is_chosen(
    monkeypatch: pytest.MonkeyPatch,
    quiet: bool,
    json: bool,
    bars: bool,
    terminal: bool,
    ci: str,
    expected: type[object],
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("TERM", "xterm")
    assert type(choose(quiet=quiet, json=json, bars=bars)) is expected


def test_a_terminal_that_only_prints_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("CI", "")
    monkeypatch.setenv("TERM", "dumb")
    assert type(choose(quiet=False, json=False, bars=True)) is Lines


NAMES = ["litellm-runtime-debian-12-amd64.tar.gz", "litellm-runtime-debian-12-arm64.tar.gz"]


def made(progress: Progress) -> None:
    """Two archives, one of which fails."""
    with progress.follow(NAMES):
        progress.stage(NAMES[0], "fetching", 1_000_000).advance(1_000_000)
        for name in NAMES:
            progress.stage(name, "proving")
        progress.stage(NAMES[0], "packing", 2_000_000).advance(2_000_000)
        progress.stage(NAMES[1], "failed", told="::error::no wheel\n##[error]fits")
        progress.stage(NAMES[0], "done", 1, told="built ::it")


def test_plain_lines_tell_what_is_done(capfd: pytest.CaptureFixture[str]) -> None:
    made(Lines())
    assert capfd.readouterr() == ("", "built ::it\n")


def test_on_github_each_archive_is_a_group(capfd: pytest.CaptureFixture[str]) -> None:
    made(Groups())
    out, err = capfd.readouterr()
    assert out == ""
    assert re.sub(r"\d+\.\d s", "0.0 s", err).splitlines() == [
        "::group::litellm-runtime-debian-12-arm64: failed", "proving: 0.0 s", ": :error::no wheel\ufffd## [error]fits",
        "::endgroup::",
        "::group::litellm-runtime-debian-12-amd64: done", "fetching: 0.0 s", "proving: 0.0 s", "packing: 0.0 s",
        "built ::it", "::endgroup::",
    ]  # fmt: skip


def test_what_is_not_followed_is_told_as_ever(capfd: pytest.CaptureFixture[str]) -> None:
    Groups().stage("part.tar.gz", "done", told="built part.tar.gz")
    assert capfd.readouterr().err == "built part.tar.gz\n"


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_live_view_fits_and_goes(columns: int) -> None:
    with screen(columns, {"COLUMNS": str(columns), "LINES": "24"}) as shown:
        terminal = Terminal()
        with terminal.follow(NAMES), terminal.task("fetching 203 of 203 files", 9_000_000):
            terminal.stage(NAMES[0], "packing", 9_000_000).advance(3_000_000)
            part = terminal.stage("part.tar.gz", "packing", 9_000_000)
            part.advance(1)
            terminal._bars.refresh()
        assert terminal.stage(NAMES[0], "packing", 9_000_000), "late, by a thread that still runs: nothing is drawn"
    assert shown.widest <= columns
    assert "litellm-runtime: 0 of 2 done" in shown.text and "packing part" in shown.text
    assert shown.text.endswith("\x1b[?25h") or shown.text.rindex("\x1b[?25h") > shown.text.rindex("\x1b[?25l")


def test_an_interrupted_view_stays_and_shows_the_cursor() -> None:
    with screen(80, {"COLUMNS": "80", "LINES": "24"}) as shown:
        terminal = Terminal()
        with suppress(KeyboardInterrupt), terminal.follow(NAMES):
            terminal.stage(NAMES[0], "done", 1, "built")
            raise KeyboardInterrupt
    last = shown.text.split("\x1b[?25h")[-2]
    assert "1 of 2 done" in last
    assert shown.text.rindex("\x1b[?25h") > shown.text.rindex("\x1b[?25l")
