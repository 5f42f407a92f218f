"""The list of an asset's parts: what is written is what is read, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import IntegrityError
from bundler.model.sidecar import Place, SidecarFacts
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


def found(content: bytes | None, *names: str, tag: str = "v1", partial: bool = False) -> list[str]:
    files = dict.fromkeys(names, (1, "a" * 64))
    facts = SidecarFacts(files, lambda name: iter(()), "a.tar.gz", place=Place("o/r", tag), partial=partial)
    return [finding.message for finding in parts.findings(content, facts)]


LISTED = parts.compose(["a.tar.gz.part-000", "a.tar.gz.part-001"])
BOTH = ("a.tar.gz.part-000", "a.tar.gz.part-001")


@pytest.mark.parametrize(
    ("content", "names", "wrong"),
    [
        (LISTED, BOTH, []),
        (None, ("a.tar.gz",), []),
        (None, BOTH, ["a.tar.gz.parts: missing, but parts"]),
        (LISTED, BOTH[:1], ["a.tar.gz.part-001: missing, so a.tar.gz cannot"]),
        (LISTED, (*BOTH, "a.tar.gz.part-002"), ["a.tar.gz.part-002: surplus"]),
        (LISTED, (*BOTH, "a.tar.gz"), ["a.tar.gz: is there whole and in parts"]),
        (b"x\n", BOTH, ["a.tar.gz.parts: does not list"]),
    ],
)
def test_a_list_and_its_parts_belong_together(content: bytes | None, names: tuple[str, ...], wrong: list[str]) -> None:
    messages = found(content, *names)
    assert len(messages) == len(wrong)
    assert all(message.startswith(words) for message, words in zip(messages, wrong, strict=True))


def test_in_a_folder_parts_may_be_joined_already_and_some_may_be_away() -> None:
    assert found(LISTED, *BOTH, "a.tar.gz", tag="") == []
    assert found(LISTED, BOTH[0], "a.tar.gz", tag="", partial=True) == []
    assert found(None, BOTH[0], tag="", partial=True) == []
