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


def test_a_mark_may_say_that_it_was_the_latest_and_one_of_before_does_not() -> None:
    mark = Mark("replaced", "runtime-1", RUN, latest=True)
    assert mark_of(mark.render() + "text") == mark
    assert unmarked(mark.render() + "text") == "text"
    before = f"<!-- aiws-bundle: replaced of runtime-1 by {RUN}; the next publish uses or removes this -->\ntext"
    assert mark_of(before) == Mark("replaced", "runtime-1", RUN)


@pytest.mark.parametrize("body", [None, "", "text", "text\n" + Mark("draft", "t", RUN).render()])
def test_drafts_of_others_carry_none(body: str | None) -> None:
    assert mark_of(body) is None


def test_a_published_release_carries_none_and_tells_how_to_join_parts() -> None:
    text = render("t", "c" * 40, ("big.tar.gz",))
    assert mark_of(text) is None
    assert "cat big.tar.gz.part-* > big.tar.gz" in text
