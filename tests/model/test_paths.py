from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.model.paths import is_plain_name, link_fault, path_fault
from tests.model.samples import COSTLY_PROPERTY, PROPERTY

TOP = "litellm-runtime"


@pytest.mark.parametrize("name", ["a", "litellm-1.0-py3-none-any.whl", "x-1!2.0+local_1-py3.whl", "0", "a" * 255])
def test_plain_names(name: str) -> None:
    assert is_plain_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", ".hidden", "-x", "_x", "a/b", "/a", "a\\b", "a b", " a", "a ", "a\n", "a\nb", "\na", "a\r",
        "a\0", "a\t", "é", "a:b", "a*", "a'", "$a", "~a", "a;b", "a" * 256,
    ],
)  # fmt: skip
def test_names_that_are_not_plain(name: str) -> None:
    assert not is_plain_name(name)


@pytest.mark.parametrize(
    "path", ["a", "a/", "a/b/c.txt", "a/.hidden", "a/b c", "a/é", "a/..b", "a/b..", "a/...", "a" * 255]
)
def test_safe_paths(path: str) -> None:
    assert path_fault(path) is None


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("", "empty"),
        ("/", "empty"),
        ("///", "empty"),
        ("/etc/passwd", "absolute"),
        ("//host/x", "absolute"),
        ("..", "climbs"),
        ("../x", "climbs"),
        ("a/../../x", "climbs"),
        ("a/b/..", "climbs"),
        ("a/../", "climbs"),
        (".", "normal form"),
        ("./a", "normal form"),
        ("a/./b", "normal form"),
        ("a//b", "normal form"),
        ("a\\..\\b", "backslash"),
        ("C:\\x", "backslash"),
        ("a\nb", "control"),
        ("a\x00", "control"),
        ("a\x1b[2J", "control"),
        ("a\x7f", "control"),
        ("a/\ud800", "UTF-8"),
        ("a" * 256, "too long"),
        ("é" * 128, "too long"),
        ("a/" * 600, "too long"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_unsafe_paths_are_told_why(path: str, fault: str) -> None:
    assert fault in str(path_fault(path))


_SEGMENTS = st.sampled_from(["", ".", "..", "...", "a", "b", " ", "..a", "a\\b", "~", "\n", "é", "C:"])
_PATHS = st.one_of(st.lists(_SEGMENTS, max_size=6).map("/".join), st.text(max_size=12))


@PROPERTY
@given(_PATHS)
def test_an_accepted_path_stays_below_the_folder_it_is_put_into(path: str) -> None:
    if path_fault(path) is None:
        landing = os.path.normpath(os.path.join("/top/here", path))  # noqa: PTH118
        assert landing == f"/top/here/{path.rstrip('/')}"
        assert landing != "/top/here"
    else:
        assert path_fault(path + "/")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (f"{TOP}/bin/python3", "python3.13"),
        (f"{TOP}/bin/python3", "./python3.13"),
        (f"{TOP}/lib/a/b", "../../bin/x"),
        (f"{TOP}/lib/a", "../lib/b/"),
        (f"{TOP}/lib/a", ".."),
        (f"{TOP}/a", "."),
        (f"{TOP}/a", "é b"),
    ],
)
def test_links_that_stay_inside(path: str, target: str) -> None:
    assert link_fault(path, target, TOP) is None


@pytest.mark.parametrize(
    ("path", "target", "fault"),
    [
        (f"{TOP}/a", "", "points to"),
        (f"{TOP}/a", "/etc/passwd", "points to"),
        (f"{TOP}/a", f"/{TOP}/b", "points to"),
        (f"{TOP}/a", "..", "points out"),
        (f"{TOP}/a", "../x", "points out"),
        (f"{TOP}/a", f"../{TOP}x", "points out"),
        (f"{TOP}/a", f"../{TOP}-2/x", "points out"),
        (f"{TOP}/a/b", "../../x", "points out"),
        (f"{TOP}/a/b", "../../../x", "points out"),
        (TOP, "x", "points out"),
        (f"{TOP}/a/b", "x/../y", "climbs"),
        (f"{TOP}/a/b", "../x/../y", "climbs"),
        (f"{TOP}/a/b", "x/..", "climbs"),
        (f"{TOP}/a", "b\\c", "backslash"),
        (f"{TOP}/a", "b\nc", "control"),
        (f"{TOP}/a", "b\x7f", "control"),
        (f"{TOP}/a", "\udcff", "UTF-8"),
        (f"{TOP}/a", "b" * 256, "too long"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_links_that_may_lead_elsewhere_are_told_why(path: str, target: str, fault: str) -> None:
    assert fault in str(link_fault(path, target, TOP))


_NAMES = st.sampled_from(["a", "b", "c"])
_LINKS = st.lists(
    st.tuples(
        st.lists(_NAMES, min_size=1, max_size=3),
        st.lists(st.sampled_from(["..", ".", "a", "b", "c", ""]), min_size=1, max_size=5).map("/".join),
    ),
    min_size=1,
    max_size=8,
)


@COSTLY_PROPERTY
@given(_LINKS)
def test_accepted_links_stay_inside_however_they_lead_to_each_other(links: list[tuple[list[str], str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name).resolve() / TOP
        top.mkdir()
        made = []
        for parts, target in links:
            path = top.joinpath(*parts)
            if link_fault("/".join([TOP, *parts]), target, TOP) is None and _is_free(path, top):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to(target)
                made.append(path)
        for path in made:
            assert _turns_in_circles(path) or Path(os.path.realpath(path)).is_relative_to(top), f"{path} leads outside"


def _turns_in_circles(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def _is_free(path: Path, top: Path) -> bool:
    """Nothing is at `path`, and no link is above it: an archive has no members below a link."""
    return not os.path.lexists(path) and not any(parent.is_symlink() for parent in path.parents)
