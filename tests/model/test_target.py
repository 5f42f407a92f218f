from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import UsageError
from bundler.model.target import Target, select
from tests.model.samples import DEBIAN_12, PROPERTY, UBUNTU_26, real_manifests

TARGETS = real_manifests().targets
WORDS = sorted({word for target in TARGETS for word in target.words})


def names(*selectors: str) -> list[str]:
    return [target.name for target in select(TARGETS, selectors)]


def test_a_target_is_spelled_in_three_ways() -> None:
    assert (DEBIAN_12.name, DEBIAN_12.slug, DEBIAN_12.platform) == ("debian-12-amd64", "debian-12-amd64", "linux-amd64")
    assert (UBUNTU_26.name, UBUNTU_26.slug, UBUNTU_26.platform) == (
        "ubuntu-26.04-arm64",
        "ubuntu-26-04-arm64",
        "linux-arm64",
    )


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("debian-12-amd64", ["debian-12-amd64"]),
        ("debian-12", ["debian-12-amd64", "debian-12-arm64"]),
        ("ubuntu-22.04", ["ubuntu-22.04-amd64", "ubuntu-22.04-arm64"]),
        ("debian", [t.name for t in TARGETS if t.distro == "debian"]),
        ("ubuntu-arm64", [t.name for t in TARGETS if t.distro == "ubuntu" and t.arch == "arm64"]),
        ("linux-amd64", [t.name for t in TARGETS if t.arch == "amd64"]),
        ("arm64", [t.name for t in TARGETS if t.arch == "arm64"]),
        ("linux", [t.name for t in TARGETS if t.distro != "macos"]),
        ("macos", ["macos-11-arm64"]),
        ("darwin", ["macos-11-arm64"]),
        ("darwin-arm64", ["macos-11-arm64"]),
        ("macOS-aarch64", ["macos-11-arm64"]),
        ("apple-silicon", ["macos-11-arm64"]),
        ("macos-11", ["macos-11-arm64"]),
        ("all", [t.name for t in TARGETS]),
        ("x86_64", [t.name for t in TARGETS if t.arch == "amd64"]),
        ("x86-64", [t.name for t in TARGETS if t.arch == "amd64"]),
        ("aarch64", [t.name for t in TARGETS if t.arch == "arm64"]),
        ("linux-aarch64", [t.name for t in TARGETS if t.arch == "arm64" and t.distro != "macos"]),
        ("debian-12-x86_64", ["debian-12-amd64"]),
        ("debian-12-x86-64", ["debian-12-amd64"]),
        ("ubuntu-24.04-aarch64", ["ubuntu-24.04-arm64"]),
        (" Debian-12-AMD64 ", ["debian-12-amd64"]),
        ("ubuntu-22-04-amd64", ["ubuntu-22.04-amd64"]),
        ("ubuntu-22-04", ["ubuntu-22.04-amd64", "ubuntu-22.04-arm64"]),
        ("ubuntu-22-04-x86-64", ["ubuntu-22.04-amd64"]),
    ],
)
def test_selectors(selector: str, chosen: list[str]) -> None:
    assert chosen
    assert names(selector) == chosen


def test_selectors_add_up_once_each_in_the_order_of_the_manifest() -> None:
    assert names("ubuntu-22.04-arm64", "debian-12", "debian-12-arm64") == [
        "debian-12-amd64",
        "debian-12-arm64",
        "ubuntu-22.04-arm64",
    ]


def test_the_order_is_the_manifests_whatever_it_is() -> None:
    assert select(TARGETS[::-1], ["all"]) == TARGETS[::-1]


def test_no_selector_selects_nothing() -> None:
    assert names() == []


@pytest.mark.parametrize(
    ("selector", "nearest"),
    [
        ("debain-12", "debian-12"),
        ("debian-12-amd46", "debian-12-amd64"),
        ("ubuntu-26", "ubuntu-26.04"),
        ("ubuntu-2404-amd64", "ubuntu-24.04-amd64"),
        ("arm", "arm64"),
        ("amd", "amd64"),
        ("macos-14-arm64", "macos-11-arm64"),
        ("mac", "macos"),
        ("macos-amd64", "darwin-arm64"),
    ],
)
def test_an_unknown_selector_names_the_nearest(selector: str, nearest: str) -> None:
    with pytest.raises(UsageError) as caught:
        names("debian", selector)
    assert caught.value.message == f"unknown target {selector!r}"
    assert caught.value.hint.startswith("did you mean ")
    assert nearest in caught.value.hint.removeprefix("did you mean ").removesuffix("?").split(" or ")


@pytest.mark.parametrize("selector", ["", "12", "zzz", "!!", pytest.param("x" * 1000, id="long")])
def test_a_selector_near_nothing_is_answered_with_every_word(selector: str) -> None:
    with pytest.raises(UsageError) as caught:
        names(selector)
    assert set(caught.value.hint.removeprefix("one of: ").split(", ")) == set(WORDS)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_word_of_a_target_selects_it(target: Target) -> None:
    for word in {*target.words, target.slug}:
        assert target in select(TARGETS, [word])


@PROPERTY
@given(st.lists(st.sampled_from(WORDS)))
def test_any_selection_is_a_subset_in_order_and_no_more_than_asked(selectors: list[str]) -> None:
    chosen = select(TARGETS, selectors)
    assert list(chosen) == [target for target in TARGETS if target in chosen]
    for target in TARGETS:
        assert (target in chosen) == any(word in target.words for word in selectors)


@PROPERTY
@given(st.text(max_size=20))
def test_any_word_selects_something_or_is_refused(word: str) -> None:
    try:
        assert select(TARGETS, [word])
    except UsageError as error:
        assert error.hint


def test_targets_are_told_apart_by_all_that_they_are() -> None:
    assert replace(DEBIAN_12, system_python="3.11.9") != DEBIAN_12
    assert len(set(TARGETS)) == len({target.slug for target in TARGETS}) == 13
