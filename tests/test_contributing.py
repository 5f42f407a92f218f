"""CONTRIBUTING.md and CHANGELOG.md name what is there."""

from __future__ import annotations

import re
import runpy
import shlex
import tomllib
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
SPANS = re.findall(r"`([^`\n]+)`", TEXT)


def slug(heading: str) -> str:
    """How GitHub names a heading in a link."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_first_command_makes_what_nox_runs() -> None:
    (command,) = re.findall(r"^    (python3 -m venv .*)$", TEXT, re.MULTILINE)
    assert command == "python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]' && .venv/bin/nox"
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert any(requirement.startswith("nox") for requirement in extra["dev"])


def test_every_session_that_is_named_exists() -> None:
    pytest.importorskip("nox")
    sessions = runpy.run_path(str(ROOT / "noxfile.py"))
    named = {shlex.split(span)[2] for span in SPANS if span.startswith(".venv/bin/nox -s ")}
    assert named == {"fast", "test", "docs", "bench"}
    assert named < set(sessions)


def test_every_file_and_module_that_is_named_exists() -> None:
    named = [span for span in SPANS if re.fullmatch(r"\.?[\w-]+(/[\w.-]*)+|\w+\.(py|md|toml)", span)]
    named = [name for name in named if not name.startswith((".venv/", "site/"))]  # which commands make
    assert len(named) > 8
    for name in named:
        assert (ROOT / name).exists(), name
    modules = re.findall(r"`python -m ([\w.]+)`", TEXT)
    assert modules
    for module in modules:
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file(), module


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        name, _, anchor = target.partition("#")
        text = (ROOT / name).read_text(encoding="utf-8")
        if anchor:
            assert anchor in [slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)], target


def test_the_changelog_is_one_that_people_and_programs_read() -> None:
    """The format of keepachangelog.com 1.1.0: what is not released first, then versions, the newest first."""
    first, *versions = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    assert first == "[Unreleased]"
    found = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d\d-\d\d)", version) for version in versions]
    numbers = [tuple(map(int, one.groups()[:3])) for one in found if one]
    assert len(numbers) == len(versions) > 0
    assert all(newer > older for newer, older in pairwise(numbers))
    assert all(date.fromisoformat(one[4]) for one in found if one)
    kinds = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    for section in re.split(r"^## ", CHANGELOG, flags=re.MULTILINE)[1:]:
        headings = re.findall(r"^### (.+)$", section, re.MULTILINE)
        assert headings == [kind for kind in kinds if kind in headings], section[:40]


def test_the_version_is_one_that_the_changelog_tells() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert re.findall(r"^## \[(\d[^\]]*)\]", CHANGELOG, re.MULTILINE)[0] == version
