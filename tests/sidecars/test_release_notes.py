"""The text of a release, and the mark that only our own drafts carry."""

from __future__ import annotations

import pytest

from bundler.sidecars.release_notes import Role, mark, render, role_of, unmarked


@pytest.mark.parametrize("role", ["draft", "replaced"])
def test_a_mark_is_known_again_for_its_own_tag_only(role: Role) -> None:
    body = mark(role, "runtime-1") + "the text of before"
    assert role_of(body, "runtime-1") == role
    assert role_of(body, "runtime-2") is None
    assert unmarked(body) == "the text of before"


@pytest.mark.parametrize("body", [None, "", "text", "text\n" + mark("draft", "t")])
def test_drafts_of_others_carry_none(body: str | None) -> None:
    assert role_of(body, "t") is None


def test_a_published_release_carries_none_and_tells_how_to_join_parts() -> None:
    text = render("t", "c" * 40, ("big.tar.gz",))
    assert role_of(text, "t") is None
    assert "cat big.tar.gz.part-* > big.tar.gz" in text
