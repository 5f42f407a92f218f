"""What a manifest may ask of npm."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from bundler.model.target import Target
from bundler.payloads.npm import CHOICE

ADAPTER = TypeAdapter(CHOICE)


def test_packages_have_exact_versions() -> None:
    choice = ADAPTER.validate_python({"packages": ["demo@1.2.3", "@a/b@1.0.0-rc.1"]})
    assert choice.packages == ("demo@1.2.3", "@a/b@1.0.0-rc.1")


@pytest.mark.parametrize(
    "packages",
    [
        [],
        ["demo"],
        ["demo@latest"],
        ["demo@^1.0.0"],
        ["demo@1.0.0", "demo@2.0.0"],
        ["../demo@1.0.0"],
        ["@a/b/c@1.0.0"],
        ["--global@1.0.0"],
        ["demo@file:/etc"],
    ],
)
def test_what_is_no_package_of_one_version_is_refused(packages: list[str]) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python({"packages": packages})


def test_a_package_that_is_both_asked_for_and_left_out_is_a_problem_and_so_is_another_system() -> None:
    choice = ADAPTER.validate_python({"packages": ["demo@1.0.0"], "without": ["demo"]})
    linux, other = Target("debian", "12", "amd64", 36, None), Target("macos", "11", "arm64", 0, None)
    assert list(choice.problems([linux])) == ["demo is asked for and left out"]
    assert any("macos" in problem for problem in choice.problems([other]))
