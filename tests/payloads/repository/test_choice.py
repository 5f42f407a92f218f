"""What a manifest may say of repositories."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bundler.model.manifest_schema import Schema
from bundler.model.manifest_values import adapter_of
from bundler.payloads.repository.choice import Repositories, Repository

DEMO = {"name": "demo", "address": "https://example.org/o/demo.git", "ref": "main"}


def parsed(*sections: dict[str, Any]) -> Repositories:
    return adapter_of(Repositories).validate_python([{**DEMO, **section} for section in sections])


def test_a_list_of_repositories_is_taken() -> None:
    made = parsed({"branches": ["main", "release/v1.1.4"], "branch": "main", "copies": {"a/b.sh": "scripts/b.sh"}})
    (one,) = made.repositories
    assert one.all_branches() == ("main", "release/v1.1.4")
    assert list(made.problems([])) == []


def test_the_schema_tells_a_list() -> None:
    schema = Schema.of(adapter_of(Repositories))
    assert schema.root["type"] == "array"
    assert set(schema.keys((0,))) >= {"name", "address", "ref", "copies", "additions", "branches"}


@pytest.mark.parametrize(
    "section",
    [
        {"name": "../x"}, {"name": ".git"}, {"name": "a/b"}, {"name": "a..b"}, {"name": "demo."}, {"name": ""},
        {"address": "http://example.org/a"}, {"address": "file:///a"}, {"address": "ext::sh -c touch% /x"},
        {"address": "https://u:p@example.org/a"}, {"address": "https://example.org/a?b"}, {"address": "git@h:a/b"},
        {"address": "https://example.org/a/../b"}, {"address": "https://example.org/-u"[:0]},
        {"address": 'https://example.org/a"\n[core]'}, {"address": "-u/x"},
        {"ref": "-x"}, {"ref": "a:b"}, {"ref": "+a"}, {"ref": "a..b"}, {"ref": "a.lock"}, {"ref": "a b"}, {"ref": ""},
        {"branch": "a//b"}, {"branch": "a/.b"}, {"branch": "../x"}, {"branches": ["a", "a"]},
        {"branches": ["x.lock/a"]},
        {"copies": {"a": "metadata/x"}}, {"copies": {"a": "repos/demo/.git/config"}}, {"copies": {"a": "install.sh"}},
        {"copies": {"a": "scripts/../metadata/x"}}, {"copies": {"a": "scripts/"}}, {"copies": {"a": "/scripts/a"}},
        {"copies": {"../a": "scripts/a"}}, {"copies": {"": "scripts/a"}}, {"copies": {"a/": "scripts/a"}},
        {"copies": {"a": "packages/pip/a.whl"}}, {"copies": {"a": "packages/bin/.."}},
        {"additions": {".git/config": "x"}}, {"additions": {"a/.GIT/x": "x"}}, {"additions": {"../a": "x"}},
        {"additions": {"/a": "x"}}, {"additions": {"a/./b": "x"}}, {"additions": {".gitattributes": "x"}},
        {"additions": {"a*": "x"}}, {"additions": {"!a": "x"}}, {"additions": {"a": "x" * 70_000}},
        {"submodules": "ignore"},
    ],
)  # fmt: skip
def test_what_is_unsafe_or_unknown_is_refused(section: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parsed(section)


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        ([{}, {"name": "DEMO"}], "demo is there twice"),
        ([{"copies": {"a": "scripts/a"}}, {"name": "b", "copies": {"x": "scripts/a"}}], "scripts/a is there twice"),
        ([{"copies": {"a": "scripts/a", "b": "scripts/a/b"}}], "scripts/a would be a folder and a file"),
        ([{"branch": "a", "branches": ["a/b"]}], "demo: branch a would be a folder and a file"),
        ([{"additions": {"a": "", "a/b": ""}}], "demo: addition a would be a folder and a file"),
        ([{"branch": "HEAD"}], "demo: a branch has the name of something else"),
        ([{"branches": ["0" * 40]}], "demo: a branch has the name of something else"),
    ],
)
def test_what_no_single_value_shows_is_a_problem(sections: list[dict[str, Any]], problem: str) -> None:
    assert list(parsed(*sections).problems([])) == [problem]


def test_a_branch_that_is_on_the_list_too_is_one() -> None:
    assert Repository("demo", DEMO["address"], "main", branch="b", branches=("b", "a")).all_branches() == ("a", "b")
