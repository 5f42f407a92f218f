from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from bundler.errors import UsageError
from bundler.kinds.manifests import Manifests
from bundler.kinds.wheelhouse.manifest import Override, Wheelhouse
from bundler.kinds.wheelhouse.request import Request, request_for
from bundler.model.hosts import Hosts
from bundler.model.interpreter import Interpreter
from bundler.model.portable_python import PortablePython, PythonPin
from bundler.model.versions import parse_versions
from tests.model.samples import DEBIAN_12, PROPERTY, REQUEST, UBUNTU_26, real_manifests, real_texts, request_of

DEBIAN_13 = replace(DEBIAN_12, version="13", floor=41, system_python="3.13.5")
WHEELHOUSE = Wheelhouse(
    kind="wheelhouse",
    component="litellm",
    repository="example/litellm",
    asset="litellm-{distro}-{version}-{arch}.tar.gz",
    requirement="litellm[proxy]==1.0",
    extra_requirements=("prisma",),
    bootstrap=("pip>=25.1",),
    environment={"B": "2", "A": "1"},
)
PIN = PythonPin("https://example.org/cpython.tar.gz", "a" * 64)


def asked(target: object, *overrides: Override) -> Request:
    wheelhouse = replace(WHEELHOUSE, overrides=overrides)
    python = PortablePython("3.13.9", "1", {"amd64": PIN, "arm64": PIN})
    hosts = Hosts((DEBIAN_12, DEBIAN_13, UBUNTU_26), python)
    (chosen,) = [candidate for candidate in hosts.targets if candidate == target]
    return request_for(wheelhouse, hosts, chosen)


def test_a_target_with_a_system_python_is_served_by_it() -> None:
    assert asked(DEBIAN_12) == Request(
        component="litellm",
        target=DEBIAN_12,
        python=Interpreter("3.11.2", "linux-amd64", 36),
        portable=False,
        requirement="litellm[proxy]==1.0",
        extra_requirements=("prisma",),
        bootstrap=("pip>=25.1",),
        environment=(("A", "1"), ("B", "2")),
    )


def test_a_target_without_one_is_served_by_the_portable_python() -> None:
    request = asked(UBUNTU_26)
    assert request.portable
    assert request.python == Interpreter("3.13.9", "linux-arm64", 43)


def test_an_override_chooses_the_portable_python() -> None:
    request = asked(DEBIAN_12, Override(("debian-12",), python="portable"))
    assert request.portable
    assert request.python == Interpreter("3.13.9", "linux-amd64", 36)
    assert not asked(DEBIAN_13, Override(("debian-12",), python="portable")).portable


def test_a_later_override_wins_and_leaves_what_it_does_not_say() -> None:
    overrides = (
        Override(("debian",), requirement="litellm==2.0", python="portable"),
        Override(("debian-12",), python="system"),
        Override(("debian-13",), requirement="litellm==3.0"),
    )
    twelve, thirteen, ubuntu = (asked(t, *overrides) for t in (DEBIAN_12, DEBIAN_13, UBUNTU_26))
    assert (twelve.requirement, twelve.portable) == ("litellm==2.0", False)
    assert (thirteen.requirement, thirteen.portable) == ("litellm==3.0", True)
    assert (ubuntu.requirement, ubuntu.portable) == ("litellm[proxy]==1.0", True)


def test_the_components_requirement_comes_first() -> None:
    assert REQUEST.requirements == ("litellm[proxy]==1.0", "prisma", "pip>=25.1", "setuptools")


CHOICES = [
    replace(REQUEST, component="other"),
    replace(REQUEST, target=DEBIAN_13),
    replace(REQUEST, python=Interpreter("3.11.3", "linux-amd64", 36)),
    replace(REQUEST, python=Interpreter("3.11.2", "linux-amd64", 37)),
    replace(REQUEST, portable=True),
    replace(REQUEST, requirement="litellm==1.0"),
    replace(REQUEST, extra_requirements=()),
    replace(REQUEST, extra_requirements=("prisma==1",)),
    replace(REQUEST, extra_requirements=("prisma", "pip>=25.1"), bootstrap=("setuptools",)),
    replace(REQUEST, bootstrap=("setuptools", "pip>=25.1")),
]


def test_every_choice_that_a_lock_depends_on_changes_the_digest() -> None:
    digests = [request.digest() for request in (REQUEST, *CHOICES)]
    assert len(set(digests)) == len(digests)
    assert all(len(digest) == 64 for digest in digests)


def test_what_a_lock_does_not_depend_on_leaves_the_digest() -> None:
    assert replace(REQUEST, environment=(("A", "1"),)).digest() == REQUEST.digest()
    assert replace(REQUEST).digest() == REQUEST.digest()


def test_comments_and_layout_of_the_manifests_leave_the_digests() -> None:
    texts = real_texts()
    dressed = {name: f"# a comment\n\n{text}\n# another\n" for name, text in texts.items()}
    before, after = real_manifests(), Manifests.parse(dressed)
    for target in before.targets:
        assert request_of(before, "litellm", target).digest() == request_of(after, "litellm", target).digest()


def test_versions_pin_the_requirements_that_they_name() -> None:
    pinned = REQUEST.with_versions({"litellm": "2.0", "pip": "26.0", "unknown": "1"})
    assert pinned.requirements == ("litellm[proxy]==2.0", "prisma", "pip==26.0", "setuptools")
    assert pinned == replace(REQUEST, requirement="litellm[proxy]==2.0", bootstrap=("pip==26.0", "setuptools"))


def test_versions_find_a_project_however_it_is_spelled() -> None:
    request = replace(REQUEST, extra_requirements=("Psycopg2_Binary[b,a]>=2,<3",))
    assert request.with_versions({"psycopg2-binary": "2.9"}).extra_requirements == ("Psycopg2_Binary[a,b]==2.9",)


@PROPERTY
@given(st.dictionaries(st.sampled_from(["litellm", "prisma", "pip", "x"]), st.sampled_from(["1", "2.0.1", "3rc1"])))
def test_pinning_changes_versions_only_and_once(versions: dict[str, str]) -> None:
    pinned = REQUEST.with_versions(versions)
    assert pinned.with_versions(versions) == pinned
    for old, new in zip(map(Requirement, REQUEST.requirements), map(Requirement, pinned.requirements), strict=True):
        assert (old.name, old.extras) == (new.name, new.extras)
        wanted = f"=={versions[old.name]}" if old.name in versions else str(old.specifier)
        assert str(new.specifier) == wanted


@pytest.mark.parametrize(
    ("words", "versions"),
    [
        ((), {}),
        (("litellm=1.90.0",), {"litellm": "1.90.0"}),
        (("litellm==1.90.0",), {"litellm": "1.90.0"}),
        (("Psycopg2_Binary=2.9", "aiohttp=3"), {"aiohttp": "3", "psycopg2-binary": "2.9"}),
        (("x=v1.0-rc1",), {"x": "1.0rc1"}),
        (("x=1", "X=2"), {"x": "2"}),
    ],
)
def test_versions_are_parsed_and_sorted(words: tuple[str, ...], versions: dict[str, str]) -> None:
    assert parse_versions(words) == versions
    assert list(parse_versions(words)) == sorted(versions)


@pytest.mark.parametrize(
    "word",
    ["", "litellm", "litellm=", "=1", "litellm=one", "litellm===1", "litellm>=1", "-x=1", "a b=1", "x=1=2", "x=*"],
)
def test_a_word_that_is_not_name_and_version_is_told(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_versions(("litellm=1", word))
    assert caught.value.message == f"--set {word!r} is not NAME=VERSION"
    assert caught.value.hint


def test_what_is_asked_for_can_be_a_key() -> None:
    """Whatever the manifest says, a service with files and variables too: `lock` tells orders apart by them."""
    request = request_of(real_manifests(), "litellm", DEBIAN_12)
    assert request.service and hash(request) == hash(replace(request))
