"""The list of an asset's parts: what is written is what is read, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import IntegrityError
from bundler.sidecars import parts


@given(st.integers(1, 300))
def test_what_is_written_is_read(count: int) -> None:
    names = tuple(parts.part_name("a.tar.gz", number) for number in range(count))
    assert parts.parse(parts.compose(names), "a.tar.gz") == names


def test_the_format_is_the_consumers() -> None:
    assert parts.compose([parts.part_name("a", 0), parts.part_name("a", 1)]) == b"a.part-000\na.part-001\n"


@pytest.mark.parametrize(
    "content",
    [
        *[b"", b"\n", b"a.part-000", b"a.part-001\n", b"b.part-000\n", b"a.part-000\na.part-002\n", b"../a.part-000\n"],
        *[b"a.part-000\r\n", b"a.part-000\n\n", b"a.part-000\na.part-000\n", b"\xff\n"],
    ],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"a\.parts: does not list"):
        parts.parse(content, "a")


@pytest.mark.parametrize(
    ("name", "asset"),
    [("a.parts", "a"), ("a.part-000", "a"), ("a.part-00", None), (".parts", None), ("a.tar.gz", None)],
)
def test_whose_part_a_file_is(name: str, asset: str | None) -> None:
    assert parts.asset_of(name) == asset


def test_a_list_longer_than_any_is_refused() -> None:
    with pytest.raises(IntegrityError, match="too many"):
        parts.parse(b"\n" * (parts.LARGEST + 1), "a")
