"""targets.yaml with more hosts: what was there stays, with its comments; what a person has to do is told."""

from __future__ import annotations

import pytest

from bundler.errors import UsageError
from bundler.model.document import parse_yaml
from bundler.model.known_hosts import known_targets
from bundler.model.manifest_values import adapter_of
from bundler.model.target import Target, select
from bundler.model.targets_file import TargetsFile
from bundler.model.targets_text import extended_text, new_text
from bundler.model.validation import validate

OLD = """\
# top
distros:
    debian:
        "12":
            glibc: "2.36"  # theirs
            python: 3.11.2
        # after it
# before arches
arches: [amd64]
"""


def read(text: str) -> tuple[Target, ...]:
    return validate(parse_yaml(text, "targets.yaml"), adapter_of(TargetsFile)).targets()


def some(*words: str) -> tuple[Target, ...]:
    return select(known_targets(), words)


def test_a_new_file_lists_what_is_wanted() -> None:
    assert read(new_text(some("debian-12", "ubuntu-22.04"))) == some("debian-12", "ubuntu-22.04")
    assert read(new_text(some("debian-12-amd64", "macos"))) == some("debian-12-amd64", "macos")


def test_one_that_stands_gets_lines_and_loses_none() -> None:
    text = extended_text(OLD, read(OLD), some("debian-13-amd64", "ubuntu-24.04-amd64", "debian-12-amd64"))
    assert [one.name for one in read(text)] == ["debian-12-amd64", "debian-13-amd64", "ubuntu-24.04-amd64"]
    assert [line for line in text.splitlines() if line in OLD.splitlines()] == OLD.splitlines()
    assert extended_text(text, read(text), some("debian-13-amd64")) == text


def test_a_release_for_another_architecture_says_so() -> None:
    text = extended_text(OLD, read(OLD), some("macos", "debian-13"))
    assert [one.name for one in read(text)] == [
        "debian-12-amd64",
        "debian-13-amd64",
        "debian-13-arm64",
        "macos-11-arm64",
    ]


@pytest.mark.parametrize(
    ("text", "wanted", "told"),
    [
        (OLD, "debian-12-arm64", "is for amd64, not for debian-12-arm64"),
        (
            'distros: {debian: {"12": {glibc: "2.36", python: 3.11.2}}}\narches: [amd64]\n',
            "debian-13-amd64",
            "another way",
        ),
    ],
)
def test_what_a_person_has_to_do_is_told(text: str, wanted: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        extended_text(text, read(text), some(wanted))
