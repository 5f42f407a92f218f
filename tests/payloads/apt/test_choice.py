"""What a manifest may ask for of Debian packages."""

from __future__ import annotations

import re

import pytest
from pydantic import TypeAdapter, ValidationError

from bundler.model.target import Target
from bundler.payloads.apt.choice import AptChoice
from bundler.payloads.apt.distributions import DISTRIBUTIONS

TARGETS = [
    Target("debian", "12", "amd64", 36, None),
    Target("debian", "13", "arm64", 41, None),
    Target("ubuntu", "24.04", "arm64", 39, None),
]
KEY = {"address": "https://keys.test/key.asc", "fingerprint": "A" * 40}
MORE = {"name": "more", "address": "https://more.test/{codename}", "suite": "x", "components": ["main"], "key": KEY}


def choice(**keys: object) -> AptChoice:
    return TypeAdapter(AptChoice).validate_python({"sets": {"base": [{"names": ["git"]}]}, **keys})


def test_packages_are_those_of_the_target_in_the_manifests_order() -> None:
    asked = choice(
        sets={
            "base": [{"names": ["git", "curl"]}, {"names": ["bb", "git"], "targets": ["debian-12"]}],
            "browser": [{"names": ["xx | yy"], "targets": ["arm64"]}],
        }
    )
    assert asked.wanted(TARGETS[0]) == {"base": ("git", "curl", "bb"), "browser": ()}
    assert asked.wanted(TARGETS[1]) == {"base": ("git", "curl"), "browser": ("xx | yy",)}


def test_a_sound_manifest_has_no_problems() -> None:
    assert list(choice(archives=[MORE]).problems(TARGETS)) == []


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"sets": {"base": [{"names": ["git"], "targets": ["debain"]}]}}, "set base: unknown target 'debain' .*debian"),
        ({"archives": [{**MORE, "targets": ["macos"]}]}, "archive more: unknown target"),
        ({"archives": [MORE, MORE]}, "archive more is there twice"),
        ({"archives": [{**MORE, "name": "debian"}]}, "archive debian .* a distribution's own"),
        ({"archives": [{**MORE, "components": []}]}, "a suite has components, unless"),
        ({"archives": [{**MORE, "suite": "./"}]}, "a suite has components, unless"),
        ({"components": {"fedora": ["main"]}}, "fedora is no distribution"),
        ({"keyrings": {"fedora": "/x"}}, "fedora is no distribution"),
        ({"mirrors": {"fedora": "https://x.test/"}}, "fedora is no distribution's archive"),
    ],
)
def test_each_problem_is_told(keys: dict[str, object], problem: str) -> None:
    (found,) = choice(**keys).problems(TARGETS)
    assert re.search(problem, found)


def test_a_target_that_no_distribution_here_has_is_told() -> None:
    (found,) = choice().problems([Target("debian", "10", "amd64", 28, None)])
    assert found == "debian-10-amd64: no Debian packages are known for debian 10"


@pytest.mark.parametrize(
    "keys",
    [
        {"sets": {}},
        {"sets": {"Base": [{"names": ["git"]}]}},
        {"sets": {"base": [{"names": []}]}},
        {"sets": {"base": [{"names": ["git", "git"]}]}},
        {"sets": {"base": [{"names": ["--option"]}]}},
        {"sets": {"base": [{"names": ["-oX=y"]}]}},
        {"sets": {"base": [{"names": ["git-"]}]}},
        {"sets": {"base": [{"names": ["git/bookworm"]}]}},
        {"sets": {"base": [{"names": ["?essential"]}]}},
        {"sets": {"base": [{"names": ["./a.deb"]}]}},
        {"sets": {"base": [{"names": ["aa|bb"]}]}},
        {"archives": [{**MORE, "address": "file:///etc/"}]},
        {"archives": [{**MORE, "address": "https://user:password@more.test/"}]},
        {"archives": [{**MORE, "address": "https://more.test/a b"}]},
        {"archives": [{**MORE, "address": "https://more.test/{codename.x}"}]},
        {"archives": [{**MORE, "suite": "x\nTrusted: yes"}]},
        {"archives": [{**MORE, "suite": "{other}"}]},
        {"archives": [{**MORE, "components": ["main restricted"]}]},
        {"archives": [{**MORE, "key": {**KEY, "fingerprint": "A" * 16}}]},
        {"archives": [{**MORE, "key": {**KEY, "address": "http://keys.test/key"}}]},
        {"archives": [{**MORE, "trusted": True}]},
        {"keyrings": {"debian": "relative.gpg"}},
        {"keyrings": {"debian": "/x\nTrusted: yes"}},
        {"priorities": ["optional"]},
    ],
)
def test_what_apt_would_take_for_something_else_is_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        choice(**keys)


def test_ubuntu_has_an_archive_of_its_own_for_other_architectures() -> None:
    assert DISTRIBUTIONS["ubuntu"].suites(TARGETS[2]) == (
        ("ubuntu-ports", "noble"),
        ("ubuntu-ports", "noble-updates"),
        ("ubuntu-ports", "noble-security"),
    )
    assert DISTRIBUTIONS["debian"].suites(TARGETS[1]) == (
        ("debian", "trixie"),
        ("debian", "trixie-updates"),
        ("debian-security", "trixie-security"),
    )
