"""What commands print fits a terminal of 80 columns, is coloured there, and tells once what is true of several."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from bundler import cli
from bundler.adapters.sandbox import Attempt
from bundler.cli import rehearse
from bundler.cli.output import alike, complain_of_all, print_lacking, print_table, result
from bundler.commands.rehearse import RehearsalReport
from bundler.errors import LockError, UnreachableError
from bundler.kinds.steps import Measures, Rehearsal, Step
from bundler.model.verdict import Verdict
from tests.screens import GRAPHICS, Screen, screen
from tests.world import World

# Whole commands, or other programs: each takes a good part of a second.
pytestmark = pytest.mark.slow

ROOT = Path(cli.__file__).parents[2]
ROWS = [
    ("target", "lock", "packages", ""),
    ("debian-11-amd64", result("stale"), "101", "the manifests changed: Python was 3.11.2, is 3.11.4"),
    ("ubuntu-22.04-arm64", result("current"), "9", ""),
]  # fmt: skip


def on_screen(root: Path, *words: str, columns: int = 80, **env: str) -> Screen:
    """Run a command on a terminal."""
    with contextlib.chdir(root), screen(columns, env) as shown:
        cli.run(list(words))
    return shown


def test_a_table_fits_the_terminal_and_loses_nothing() -> None:
    with screen(60) as shown:
        print_table(ROWS, right=(2,))
    assert GRAPHICS.sub("", shown.text).splitlines() == [
        "target              lock     packages",
        "debian-11-amd64     stale         101  the manifests",
        "                                       changed: Python was",
        "                                       3.11.2, is 3.11.4",
        "ubuntu-22.04-arm64  current         9",
    ]
    assert "\x1b[33mstale\x1b[0m" in shown.text and "\x1b[32mcurrent\x1b[0m" in shown.text


def test_a_table_in_a_pipe_has_a_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(ROWS, right=(2,))
    assert capsys.readouterr().out.splitlines() == [
        "target              lock     packages",
        f"debian-11-amd64     stale         101  {ROWS[1][3]}",
        "ubuntu-22.04-arm64  current         9",
    ]


@pytest.mark.parametrize("columns", [1, 10, 20])
def test_a_table_on_a_very_narrow_terminal_is_all_there(columns: int) -> None:
    with screen(columns) as shown:
        print_table([("a" * 30, "b" * 30)])
    assert (shown.text.count("a"), shown.text.count("b")) == (30, 30)


@pytest.mark.parametrize("words", [["lock", "--check"], ["targets"], ["check"]], ids=" ".join)
def test_the_committed_manifests_are_told_in_80_columns(words: list[str], tmp_path: Path) -> None:
    shown = on_screen(ROOT, *words, AIWS_CACHE_DIR=str(tmp_path))
    assert "debian-11-amd64" in shown.text
    assert shown.widest <= 80, max(shown.lines, key=len)
    assert "\x1b[" not in on_screen(ROOT, *words, AIWS_CACHE_DIR=str(tmp_path), NO_COLOR="1").text


def test_what_was_built_is_told_in_80_columns(locked: World, tmp_path: Path) -> None:
    with mock.patch.dict(os.environ, locked.env(), clear=True):
        made = on_screen(locked.root, "build", "all")
        again = on_screen(locked.root, "build", "all", "--out", "a/folder/of/a/rather/long/name/in/which/dist/stands")
        verified = on_screen(locked.root, "verify", "dist")
        shown = on_screen(locked.root, "inspect", "dist/litellm-runtime-debian-12-amd64.tar.gz")
    assert "\x1b[32mbuilt\x1b[0m" in made.text and "\x1b[32mok\x1b[0m" in verified.text
    for one in (made, again, verified, shown):
        assert one.widest <= 80, max(one.lines, key=len)


def test_what_is_not_ok_is_red_and_what_lacks_a_lock_is_yellow(unlocked: World) -> None:
    (unlocked.root / "x.tar.gz").write_bytes(b"no archive")
    assert "\x1b[31mNOT ok\x1b[0m  x.tar.gz" in on_screen(unlocked.root, "verify", "x.tar.gz").text
    assert "\x1b[33mmissing\x1b[0m" in on_screen(unlocked.root, "lock", "--check").text
    assert "\x1b[31maiws-bundle:\x1b[0m " in on_screen(unlocked.root, "inspect", "nowhere").text


def test_a_rehearsal_is_told_in_80_columns() -> None:
    steps = (
        Step("install without a network", 13.2, True, "63 packages, of which 12 were there before and " * 2),
        Step("start the proxy", 4.1, False, "Error:\n  " + "a line of what it said " * 5, (Attempt("a:53/udp", "x"),)),
    )
    versions = {f"project-{number}": "1.2.3" for number in range(9)}
    rehearsal = Rehearsal(steps, Measures(versions, 7))
    report = RehearsalReport(Path("x.tar.gz"), Path("/"), "a" * 64, Verdict("x"), rehearsal)
    with screen(80) as shown:
        rehearse._show(report)
    assert shown.widest <= 80, max(shown.lines, key=len)
    for coloured in ("\x1b[32mok\x1b[0m", "\x1b[31mFAILED\x1b[0m", "\x1b[31mFAILED:\x1b[0m start the proxy"):
        assert coloured in shown.text


def test_alike_values_are_told_once_with_all_their_names() -> None:
    assert alike([("x", "a"), ("y", "b"), ("x", "c")]) == {"x": ["a", "c"], "y": ["b"]}


def test_every_reason_stands_beside_its_own_targets(capsys: pytest.CaptureFixture[str]) -> None:
    old, new, models = (("database", "no engines for 1.1.x"), ("database", "no engines for 3.0.x"), ("models", "none"))
    lacking = [("debian-11-amd64", (old,)), ("debian-12-amd64", (new, models)), ("debian-11-arm64", (old,)), ("x", ())]
    print_lacking(lacking, "`aiws-bundle lock` adds it")
    assert capsys.readouterr().out.splitlines() == [
        "",
        "without database support (3): `aiws-bundle lock` adds it",
        "  debian-11-amd64, debian-11-arm64: no engines for 1.1.x",
        "  debian-12-amd64: no engines for 3.0.x",
        "",
        "without models support (1): `aiws-bundle lock` adds it",
        "  debian-12-amd64: none",
    ]
    print_lacking([], "")
    assert capsys.readouterr().out == ""


def test_twelve_identical_errors_are_one(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"debian-{number}-amd64" for number in range(12)]
    failed = [(name, LockError(f"{name}: cannot be resolved\n  why", "is the index up?")) for name in names]
    complain_of_all([*failed, ("a", LockError("b: cannot be resolved")), ("c", UnreachableError("no index"))])
    assert capsys.readouterr().err.splitlines() == [
        "", f"{', '.join(names)} failed:", "aiws-bundle: cannot be resolved", "  why", "  hint: is the index up?",
        "", "a failed:", "aiws-bundle: b: cannot be resolved",
        "", "c failed:", "aiws-bundle: no index",
    ]  # fmt: skip


def test_help_loads_nothing_that_draws() -> None:
    code = """
import sys
from bundler.cli import run
codes = [run(["--help"]), run(["bild"])]
sys.exit(f"{codes} {'rich' in sys.modules}")
"""
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stderr.endswith("[0, 2] False\n")
