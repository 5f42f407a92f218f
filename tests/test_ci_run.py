"""`.ci/run`: it installs system packages only where it is asked to, and ends with README's test command."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NEEDED = ("bash", "cut", "dirname", "env", "grep", "head", "sed", "tr")
MISSING = "mmdebstrap"


@dataclass(frozen=True)
class Machine:
    """A checkout, and a PATH with nothing on it but programs that note how they are called."""

    folder: Path

    def program(self, name: str, body: str = "", where: str = "bin") -> None:
        path = self.folder / where / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.folder}/calls\n{body}\n')
        path.chmod(0o755)

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.folder / "bin" / "bash"), str(self.folder / ".ci" / "run"), *words],
            cwd="/", env={"PATH": str(self.folder / "bin"), "HOME": "/nonexistent", **env},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def calls(self, name: str) -> list[str]:
        noted = (self.folder / "calls").read_text().splitlines()
        return [line.removeprefix(f"{name} ") for line in noted if line.startswith(f"{name} ")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci")
    shutil.copy(ROOT / "README.md", tmp_path)
    for name in ("python3", "python3.11", "apt-get"):
        made.program(name)
    made.program("id", "echo 0")
    for name in ("python", "pip", "nox", "aiws-bundle"):
        made.program(name, where=".venv/bin")
    made.program("pytest", 'echo "== 7 passed =="', where=".venv/bin")
    for name in NEEDED:
        path = shutil.which(name)
        assert path
        (tmp_path / "bin" / name).symlink_to(path)
    return made


@pytest.mark.parametrize("env", [{}, {"CI": ""}, {"CI": "false"}], ids=["unset", "empty", "false"])
def test_on_a_contributor_s_machine_it_installs_nothing_and_says_what_is_missing(
    machine: Machine, env: dict[str, str]
) -> None:
    done = machine.run(**env)
    assert done.returncode == 0, done.stderr
    assert machine.calls("apt-get") == []
    (line,) = [line for line in done.stdout.splitlines() if MISSING in line]
    assert line.startswith("not installed, so their tests skip: ")
    assert "apt-get install" not in done.stdout
    assert "`.ci/run --install` installs them" in done.stdout


@pytest.mark.parametrize(("words", "env"), [(["--install"], {}), ([], {"CI": "true"})], ids=["asked", "in CI"])
def test_where_it_is_asked_to_it_installs_what_is_missing(
    machine: Machine, words: list[str], env: dict[str, str]
) -> None:
    machine.program("unzip")
    done = machine.run(*words, **env)
    assert done.returncode == 0, done.stderr
    update, install = machine.calls("apt-get")
    assert update == "update -qq"
    assert install.startswith("install -y -qq --no-install-recommends ")
    assert MISSING in install.split()
    assert "unzip" not in install.split(), "it is there"


def test_what_cannot_be_installed_stops_no_other(machine: Machine) -> None:
    machine.program("apt-get", f'[ "$1" != install ] || [ "$#" -eq 5 ] && [ "$5" != {MISSING} ]')
    done = machine.run("--install")
    assert done.returncode == 0, done.stderr
    assert f"not installed, so its tests skip: {MISSING}\n" in done.stdout
    assert done.stdout.count("not installed") == 1


def test_who_may_not_install_is_told_what_is_missing(machine: Machine) -> None:
    machine.program("id", "echo 1000")
    done = machine.run("--install")
    assert done.returncode == 0, done.stderr
    assert machine.calls("apt-get") == []
    assert "not installed, so their tests skip: " in done.stdout
    assert "as root" in done.stdout


def test_another_word_is_refused_before_anything_happens(machine: Machine) -> None:
    done = machine.run("--instal")
    assert done.returncode == 2
    assert done.stderr == "usage: .ci/run [--install]\n"
    assert not (machine.folder / "calls").exists()


def test_it_ends_with_the_summary_of_readme_s_test_command(machine: Machine) -> None:
    done = machine.run()
    assert done.stdout.splitlines()[-1] == "== 7 passed =="
    command = re.search(r"^    .*\.venv/bin/pytest( .*)?$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert command
    assert machine.calls("pytest") == [(command[1] or "").strip()]


@pytest.mark.parametrize("name", ["nox", "aiws-bundle", "pytest"])
def test_whatever_fails_fails_it(machine: Machine, name: str) -> None:
    machine.program(name, "exit 1", where=".venv/bin")
    assert machine.run().returncode == 1
