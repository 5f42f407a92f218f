"""The manual page and the description that shells complete with follow from the help, and roff takes the page."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pytest

from bundler.cli import cli, manual
from bundler.cli.completers import COMPLETERS
from bundler.cli.described import FILE
from tests.modules import MODULES, text_of

ROOT = Path(__file__).parents[2]
AGAIN = "run `python -m bundler.cli.manual`"


def test_the_committed_page_and_description_are_fresh() -> None:
    assert manual.PAGE.read_text(encoding="utf-8") == manual.page(), AGAIN
    assert FILE.read_text(encoding="utf-8") == manual.description(), AGAIN


def test_the_page_names_every_command_and_every_variable() -> None:
    page = manual.page().replace("\\-", "-")
    for name in cli.list_commands(click.Context(cli)):
        assert f".SS aiws-bundle {name}" in page
    assert "OWNER/REPO@TAG           a release on GitHub" in page, "what stands after the options of `diff --help`"
    read = {name for path in MODULES for name in re.findall(r'"(AIWS_[A-Z_]+)"', text_of(path))}
    assert read and all(name in page for name in read), read
    assert re.findall(r"^\.B (\d+)$", page, re.MULTILINE) == ["0", "1", "2", "3", "4", "129", "130", "143"]


def test_what_is_to_be_completed_is_known_to_what_completes() -> None:
    taken = set(re.findall(r'"takes": "(\w+)"', manual.description()))
    assert taken == {*COMPLETERS, "file", "folder"}


@pytest.mark.parametrize("text", [".SH x", "'x", "a\\fBb", 'say "x"', "`a`^~-…é"])
def test_roff_obeys_nothing_of_a_text(text: str) -> None:
    shown = manual._roff(text)
    assert shown.isascii() and not shown.startswith((".", "'")) and "\\f" not in shown
    assert "\\e" in shown if "\\" in text else True


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_has_no_warning() -> None:
    words = ["groff", "-ww", "-man", "-Tutf8", str(manual.PAGE)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "--exclude-newer DATE" in re.sub(".\b|\x1b\\[[0-9;]*m", "", done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_mandoc_misses_a_date_alone() -> None:
    done = subprocess.run(["mandoc", "-Tlint", str(manual.PAGE)], capture_output=True, text=True, check=False)
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []


@pytest.mark.slow
def test_a_wheel_carries_the_page_where_man_looks(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), "."]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        page = next(name for name in wheel.namelist() if name.endswith(".data/data/share/man/man1/aiws-bundle.1"))
        assert wheel.read(page) == manual.PAGE.read_bytes()
        assert "bundler/cli/command_line.json" in wheel.namelist()
    if shutil.which("man"):
        root = tmp_path / "root"
        (root / "bin").mkdir(parents=True)
        (root / "share/man/man1").mkdir(parents=True)
        shutil.copy(manual.PAGE, root / "share/man/man1")
        env = {"PATH": f"{root}/bin:/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C"}
        found = subprocess.run(["man", "-w", "aiws-bundle"], env=env, capture_output=True, text=True, check=True)
        assert found.stdout.strip() == f"{root}/share/man/man1/aiws-bundle.1"
