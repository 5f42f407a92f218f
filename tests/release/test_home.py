"""Where a release stands if nobody names its repository."""

from __future__ import annotations

import pytest

from bundler.errors import UsageError
from bundler.kinds.kind import Home
from bundler.kinds.manifests import Manifests
from bundler.release.home import address_of, addresses, home_of
from tests.model.samples import real_texts
from tests.world import PYTHON, TARGETS, WHEELHOUSE

OTHER = WHEELHOUSE.replace("component: litellm", "component: other").replace("asset: litellm-", "asset: other-")


def parsed(litellm: str = WHEELHOUSE, **more: str) -> Manifests:
    texts = {"targets.yaml": TARGETS, "python.yaml": PYTHON, "litellm.yaml": litellm}
    return Manifests.parse(texts | {f"{name}.yaml": text for name, text in more.items()})


def test_the_committed_manifests_say_where_each_release_stands() -> None:
    manifests = Manifests.parse(real_texts())
    assert home_of(manifests, "runtime-3ad385a8a469") == Home("ai-workspace-services/litellm", "latest-runtime")
    assert home_of(manifests, "offline-ai-workspace-7") == Home("ai-workspace-lab/xworkspace-console", "")


def test_a_component_that_is_not_released_has_no_say() -> None:
    other = OTHER.replace("example/litellm", "example/other") + "released: false\n"
    assert home_of(parsed(other=other), "runtime-1").repository == "example/litellm"


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (OTHER.replace("example/litellm", "a/b"), "the manifests of litellm, other say a/b and example/litellm"),
        (OTHER + "channel: latest-runtime\n", "the manifests of litellm, other disagree on what follows runtime-1"),
    ],
)
def test_manifests_that_disagree_are_told(other: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        home_of(parsed(other=other), "runtime-1")


def test_no_manifest_says_nothing() -> None:
    with pytest.raises(UsageError, match="There are no manifests here to say"):
        home_of(None, "runtime-1")
    with pytest.raises(UsageError, match="no manifest says"):
        home_of(parsed(WHEELHOUSE + "released: false\n"), "runtime-1")


@pytest.mark.parametrize(
    ("word", "address"),
    [
        ("@runtime-1", ("example/litellm", "runtime-1")),
        ("@latest-runtime", ("example/litellm", "latest-runtime")),
        ("a/b@x", ("a/b", "x")),
        # What git calls its head, and before it.
        ("@", None),
        ("@~1", None),
        ("@{upstream}", None),
        ("@:manifests", None),
        ("runtime-1", None),
        ("a/b", None),
    ],
)
def test_a_tag_alone_is_of_the_manifests_own_repository(word: str, address: tuple[str, str] | None) -> None:
    assert address_of(word, parsed) == address
    assert addresses([word], parsed()) == ({word: address} if address else {})


def test_what_is_no_tag_is_told() -> None:
    with pytest.raises(UsageError, match="is not a tag"):
        address_of("@a..b", parsed)
