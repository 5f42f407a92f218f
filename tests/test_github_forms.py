"""What GitHub asks people and its update robot: the issue forms, the pull request's list, dependabot.yml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github"
FORMS = ["bug.yml", "feature.yml"]


def load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def form(name: str) -> dict[str, Any]:
    return load(GITHUB / "ISSUE_TEMPLATE" / name)


def test_issues_begin_with_a_form() -> None:
    assert sorted(path.name for path in (GITHUB / "ISSUE_TEMPLATE").iterdir()) == [
        "bug.yml",
        "config.yml",
        "feature.yml",
    ]
    assert form("config.yml") == {"blank_issues_enabled": False}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_one_that_github_takes(name: str) -> None:
    """docs.github.com: "Syntax for GitHub's form schema"."""
    document = form(name)
    assert set(document) == {"name", "description", "labels", "body"}
    fields = [field for field in document["body"] if field["type"] != "markdown"]
    ids = [field["id"] for field in fields]
    labels = [field["attributes"]["label"] for field in fields]
    assert all(re.fullmatch(r"[\w-]+", one) for one in ids)
    assert (len(set(ids)), len(set(labels))) == (len(fields), len(fields))
    assert {field["type"] for field in document["body"]} <= {"markdown", "input", "textarea", "dropdown", "checkboxes"}
    for field in fields:
        if field["type"] == "checkboxes":
            assert field["attributes"]["options"]


def test_a_bug_is_told_with_what_it_takes_to_see_it_and_a_vulnerability_is_not() -> None:
    document = form("bug.yml")
    required = [field["id"] for field in document["body"] if field.get("validations", {}).get("required")]
    assert required == ["version", "machine", "command", "expected"]
    first = document["body"][0]
    assert first["type"] == "markdown"
    assert "SECURITY.md" in first["attributes"]["value"]


def test_what_the_templates_name_is_there() -> None:
    texts = [path.read_text(encoding="utf-8") for path in GITHUB.glob("ISSUE_TEMPLATE/*.yml")]
    texts.append((GITHUB / "pull_request_template.md").read_text(encoding="utf-8"))
    named = {name.rstrip("/") for text in texts for name in re.findall(r"[\w/.-]+\.md|docs/\w*", text)}
    assert named >= {"SECURITY.md", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/adr"}
    for name in named:
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("ecosystem", ["github-actions", "pip"])
def test_updates_come_together_once_a_week_and_not_at_once(ecosystem: str) -> None:
    document = load(GITHUB / "dependabot.yml")
    assert document["version"] == 2
    (update,) = [one for one in document["updates"] if one["package-ecosystem"] == ecosystem]
    assert update["schedule"] == {"interval": "weekly"}
    assert update["cooldown"] == {"default-days": 7}
    assert [group["patterns"] for group in update["groups"].values()] == [["*"]]


def test_what_decides_an_archive_s_bytes_is_not_updated_by_a_robot() -> None:
    exact = re.findall(r'^  "([\w-]+)==', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    (pip,) = [one for one in load(GITHUB / "dependabot.yml")["updates"] if one["package-ecosystem"] == "pip"]
    assert [one["dependency-name"] for one in pip["ignore"]] == exact == ["zlib-ng"]
    assert list((ROOT / pip["directory"].lstrip("/")).glob("requirements*.txt"))
