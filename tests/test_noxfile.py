"""The sessions of noxfile.py: what they run, and that CI, README and the commit hooks run nothing else."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.slow  # nox itself is started

pytest.importorskip("nox")

ROOT = Path(__file__).parent.parent
CHECKS = ["lint", "types", "fast"]
PROGRAMS = ("aiws-bundle", "mypy", "pytest", "python", "ruff", "shellcheck", "sphinx-build", "zizmor")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the noxfile and programs that note how they are called."""
    shutil.copy(ROOT / "noxfile.py", tmp_path)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in PROGRAMS:
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {shlex.quote(str(tmp_path / "calls"))}\n')
        (programs / name).chmod(0o755)
    return tmp_path


def run(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR" and not name.startswith("NOX")}
    env = {**kept, "PATH": f"{checkout / '.venv/bin'}{os.pathsep}{kept['PATH']}"}
    command = [sys.executable, "-m", "nox", "--nocolor", "--noxfile", str(checkout / "noxfile.py"), *words]
    return subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, check=False)


def calls(checkout: Path, *words: str) -> list[str]:
    done = run(checkout, *words)
    assert done.returncode == 0, done.stderr
    return [line.rstrip() for line in (checkout / "calls").read_text().splitlines()]


def indented(name: str, program: str) -> str:
    """The first command line of a document that runs a program of `.venv`, from the program on."""
    found = re.search(rf"^    .*\.venv/bin/({program} .*)$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    return found[1]


def test_the_sessions_are_these_and_each_says_what_it_does(checkout: Path) -> None:
    shown = run(checkout, "--list").stdout
    sessions = re.findall(r"^([*-]) (\w+) -> \w", shown, re.MULTILINE)
    assert {name for _, name in sessions} == {"lint", "types", "fast", "test", "docs", "bench"}
    assert [name for mark, name in sessions if mark == "*"] == CHECKS


def test_without_words_it_runs_what_a_commit_needs(checkout: Path) -> None:
    programs = [line.partition(" ")[0] for line in calls(checkout)]
    assert list(dict.fromkeys(programs)) == ["ruff", "zizmor", "shellcheck", "mypy", "pytest"]


def test_lint_looks_at_the_code_the_workflows_and_the_scripts(checkout: Path) -> None:
    for name in ("bundler/b/install.sh", "bundler/a.sh", "bundler/a.py", "tests/c.sh"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).touch()
    assert calls(checkout, "-s", "lint") == [
        "ruff check .",
        "ruff format --check .",
        "zizmor --offline --no-progress --persona pedantic .github action.yml",
        "shellcheck .ci/run bundler/a.sh bundler/b/install.sh tests/c.sh",
    ]


def test_types_are_those_of_pyproject(checkout: Path) -> None:
    assert calls(checkout, "-s", "types") == ["mypy"]


def test_tests_are_those_that_readme_and_contributing_show(checkout: Path) -> None:
    assert calls(checkout, "-s", "test", "fast") == [
        indented("README.md", "pytest"),
        "pytest -n 2 --dist loadfile -m not slow",
    ]


def test_words_after_two_dashes_go_to_pytest(checkout: Path) -> None:
    assert calls(checkout, "-s", "fast", "--", "tests/cli")[-1].endswith("-m not slow tests/cli")


def test_documents_are_made_strictly_and_their_links_looked_at(checkout: Path) -> None:
    made, looked = calls(checkout, "-s", "docs")
    assert made.startswith("sphinx-build -q -W ") and made.endswith(" . site")
    assert looked == "python docs/links.py site"
    assert (ROOT / looked.split()[1]).is_file()


def test_benchmarks_are_those_that_the_documents_name(checkout: Path) -> None:
    assert calls(checkout, "-s", "bench", "--", "build") == ["python -m benchmarks build"]
    assert "`python -m benchmarks`" in (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")


def test_a_program_that_fails_fails_its_session(checkout: Path) -> None:
    (checkout / ".venv/bin/mypy").write_text("#!/bin/sh\nexit 1\n")
    assert run(checkout, "-s", "types").returncode == 1


def test_without_an_environment_it_says_how_to_make_one(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv")
    done = run(checkout, "-s", "types")
    assert done.returncode == 1
    assert "python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_ci_runs_the_sessions_and_repeats_none_of_their_commands() -> None:
    workflow: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    steps = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert ".venv/bin/nox -s lint types" in steps
    assert ".venv/bin/nox -s fast" in steps
    assert ".venv/bin/nox -s docs" in steps
    assert ".venv/bin/nox -s lint types docs" in script.splitlines()
    for text in [*steps, script]:
        assert not re.search(r"^ *\S*\b(ruff|mypy|zizmor|shellcheck|sphinx-build) ", text, re.MULTILINE), text


def test_the_hooks_run_programs_of_the_project_s_own_environment_and_fetch_nothing() -> None:
    config: dict[str, Any] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == [
        ".venv/bin/ruff check --force-exclude", ".venv/bin/ruff format --force-exclude", ".venv/bin/mypy",
    ]  # fmt: skip
    assert {hook["language"] for hook in hooks} == {"system"}
