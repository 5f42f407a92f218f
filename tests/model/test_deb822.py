"""Stanzas of control files and indexes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.model.deb822 import parse_stanza, render_stanza, stanzas

NAMES = st.from_regex(r"[A-Z][A-Za-z0-9-]{0,20}", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x2FF), max_size=40).map(lambda text: text.strip())
FIELDS = st.dictionaries(NAMES, VALUES, min_size=1).filter(lambda found: len({n.lower() for n in found}) == len(found))


@given(st.lists(FIELDS, min_size=1, max_size=4))
def test_what_was_written_is_read(written: list[dict[str, str]]) -> None:
    written = [{name: " ".join(value.split()) for name, value in fields.items()} for fields in written]
    assert list(stanzas("\n".join(map(render_stanza, written)))) == written


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_as_no_stanza(text: str) -> None:
    try:
        found = parse_stanza(text)
    except ValueError:
        return
    assert all(name and ":" not in name for name in found)


def test_folded_values_keep_their_lines() -> None:
    assert parse_stanza("Depends: a,\n b,\n\tc\nX: 1\n") == {"Depends": "a,\n b,\n\tc", "X": "1"}


@pytest.mark.parametrize("text", ["", " folded\n", "no field\n", "A: 1\na: 2\n", ": x\n", "-A: x\n", "#A: x\n"])
def test_what_is_no_stanza_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="field"):
        parse_stanza(text)


def test_stanzas_are_parted_by_any_number_of_empty_lines() -> None:
    assert list(stanzas("\nA: 1\n\n \n\nA: 2\n\n")) == [{"A": "1"}, {"A": "2"}]
    assert list(stanzas("\n\n")) == []
