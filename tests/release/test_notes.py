"""The text of a release, and the mark that only our own drafts carry."""

from __future__ import annotations

import pytest

from bundler.release.notes import Mark, Role, mark_of, render, unmarked

RUN = "0123456789abcdef"


@pytest.mark.parametrize("role", ["draft", "replaced"])
def test_a_mark_is_known_again(role: Role) -> None:
    mark = Mark(role, "runtime-1", RUN)
    body = mark.render() + "the text of before"
    assert mark_of(body) == mark
    assert unmarked(body) == "the text of before"


@pytest.mark.parametrize("body", [None, "", "text", "text\n" + Mark("draft", "t", RUN).render()])
def test_drafts_of_others_carry_none(body: str | None) -> None:
    assert mark_of(body) is None


def test_a_published_release_carries_none_and_tells_how_to_join_parts() -> None:
    text = render("t", "c" * 40, ("big.tar.gz",))
    assert mark_of(text) is None
    assert "cat big.tar.gz.part-* > big.tar.gz" in text
