from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

from bundler.model.version_order import by_text, is_older, less, order_of
from tests.model.samples import PROPERTY, examples

# semver.org, section 11, and the examples of Debian Policy 5.6.12 and of dpkg's own tests.
SEMVER = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11"]
SEMVER += ["1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0"]
DEBIAN = ["1~~", "1~~a", "1~", "1", "1-0.1", "1a", "1+b1", "1.0~rc1-1", "1.0-1~deb12u1", "1.0-1", "1.0-1+deb12u1"]
DEBIAN += ["1.0-2", "1.0-10", "1.0.1-1", "1.10-1", "2:0.1"]
DEBIAN_VERSIONS = st.from_regex(r"([0-9]:)?[0-9][A-Za-z0-9.+~]{0,8}(-[A-Za-z0-9.+~]{1,6})?", fullmatch=True)


@pytest.mark.parametrize(("ecosystem", "ordered"), [("npm", SEMVER), ("Debian:12", DEBIAN)])
def test_versions_are_ordered(ecosystem: str, ordered: list[str]) -> None:
    orders = [order_of(ecosystem, text) for text in ordered]
    for i, one in enumerate(orders):
        for j, other in enumerate(orders):
            assert less(one, other) is (i < j), (ordered[i], ordered[j])


@pytest.mark.parametrize(
    ("ecosystem", "one", "other"),
    [("npm", "1.0.0+a", "1.0.0+b"), ("Debian", "1.0", "0:1.0-0"), ("Debian", "1.01", "1.1"), ("PyPI", "1.0", "1")],
)
def test_some_spellings_are_one_version(ecosystem: str, one: str, other: str) -> None:
    assert order_of(ecosystem, one) == order_of(ecosystem, other)


@pytest.mark.parametrize(
    ("ecosystem", "text"),
    [
        *(("npm", text) for text in ("1.0", "01.0.0", "1.0.0-", "1.0.0\n")),
        *(("Debian", text) for text in ("a", "1.0_1", "1\n")),
        *(("PyPI", text) for text in ("1.0-x-y", "1" * 201)),
        ("crates.io", "1.0.0"),
    ],
)
def test_what_cannot_be_compared_is_refused(ecosystem: str, text: str) -> None:
    with pytest.raises(ValueError, match="version"):
        order_of(ecosystem, text)


@PROPERTY
@given(st.text("0123456789.abrcdevpost!+", max_size=12), st.text("0123456789.abrcdevpost!+", max_size=12))
def test_python_versions_are_those_of_packaging(one: str, other: str) -> None:
    try:
        expected = Version(one) < Version(other)
    except InvalidVersion:
        return
    assert less(order_of("PyPI", one), order_of("PyPI", other)) is expected


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not there")
@pytest.mark.parametrize("number", range(3))
def test_debian_versions_are_ordered_as_dpkg_orders_them(number: int) -> None:
    from hypothesis import settings

    @settings(PROPERTY, max_examples=examples(100))
    @given(DEBIAN_VERSIONS, DEBIAN_VERSIONS)
    def compare(one: str, other: str) -> None:
        word = ("lt", "gt", "eq")[number]
        said = subprocess.run(["dpkg", "--compare-versions", one, word, other], check=False).returncode == 0
        first, second = order_of("Debian", one), order_of("Debian", other)
        assert said is {"lt": less(first, second), "gt": less(second, first), "eq": first == second}[word]

    compare()


WORDS = st.text("0123456789.~+-:abrcu", max_size=12)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9", "1.10"),
        ("1.0rc1", "1.0"),
        ("1.0", "1.0.post1"),
        ("2.36-9+deb12u9", "2.36-9+deb12u10"),
        ("1.0~rc1", "1.0"),
        ("1:1.0", "2:0.1"),
        ("9" * 4999, "1" + "0" * 4999),
        ("v1.9-x", "v1.10-x"),
    ],
)
def test_the_older_one_is_known(older: str, newer: str) -> None:
    assert is_older(older, newer)
    assert not is_older(newer, older)
    assert not is_older(older, older)


@given(WORDS, WORDS)
def test_of_two_versions_one_is_older_or_both_are_alike(one: str, other: str) -> None:
    assert not (is_older(one, other) and is_older(other, one))
    assert (by_text(one) == by_text(other)) <= (one.replace("0", "") == other.replace("0", ""))
