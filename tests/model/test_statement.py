"""What a signature says of a release: written and read in one spelling only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.model.statement import Statement
from tests.model.samples import PROPERTY

SHA, COMMIT, DATE = "a" * 64, "c" * 40, "2026-01-01T00:00:00Z"
TAGS = st.sampled_from(["", "runtime-0123456789ab", "offline-ai-workspace-7", "v1.0+x", "a/b", "commit"])
SAID = st.builds(Statement, TAGS, st.sampled_from(["", COMMIT]), st.just(SHA), st.sampled_from(["", DATE]))


def test_the_comment_and_the_namespace_are_exactly_these() -> None:
    said = Statement("runtime-0123456789ab", COMMIT, SHA, DATE)
    assert said.comment == f"tag:runtime-0123456789ab commit:{COMMIT} sha256:{SHA} date:{DATE}"
    assert said.namespace == "runtime-0123456789ab@aiws-bundle"
    assert (Statement(sha256=SHA).comment, Statement().namespace) == (f"sha256:{SHA}", "folder@aiws-bundle")


@PROPERTY
@given(SAID)
def test_what_is_written_is_read_back(said: Statement) -> None:
    assert Statement.of_comment(said.comment) == said
    assert Statement.of_namespace(said.namespace) == Statement(tag=said.tag)


@PROPERTY
@given(SAID, st.integers(0, 200), st.integers(0, 3), st.text(max_size=3))
def test_what_is_read_is_what_would_be_written(said: Statement, place: int, cut: int, more: str) -> None:
    changed = said.comment[:place] + more + said.comment[place + cut :]
    try:
        assert Statement.of_comment(changed).comment == changed
    except ValueError as error:
        assert "does not say of which release it is" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"sha256:{SHA} tag:x",
        f"tag: sha256:{SHA}",
        f"tag:x  sha256:{SHA}",
        f"tag:x sha256:{SHA}\n",
        f"tag:x sha256:{SHA.upper()}",
        f"tag:x commit:{COMMIT}",
        f"tag:x commit:{COMMIT[1:]} sha256:{SHA}",
        f"sha256:{SHA} date:2026-01-01",
        f"sha256:{SHA} date:2026-01-01T00:00:00+00:00",
        f"sha256:{SHA} date:{DATE} more:x",
        "timestamp:1 file:SHA256SUMS hashed",
    ],
)
def test_another_comment_says_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="does not say"):
        Statement.of_comment(text)


@pytest.mark.parametrize(
    "text", ["file", "x@other", "@aiws-bundle", "x@aiws-bundle ", "x@aiws-bundle\n", "a b@aiws-bundle"]
)
def test_another_namespace_is_of_something_else(text: str) -> None:
    with pytest.raises(ValueError, match="made for something else"):
        Statement.of_namespace(text)


def test_what_is_not_known_is_not_compared() -> None:
    said = Statement("v1", COMMIT, SHA, DATE)
    assert (
        said.unlike("v1", COMMIT, SHA) == said.unlike("", "", SHA) == Statement(tag="v1").unlike("v1", "d", "e") == ""
    )
    assert said.unlike("v1", COMMIT, "b" * 64).startswith("of another SHA256SUMS")
    assert said.unlike("v2", COMMIT, SHA).startswith("of another release")
    assert said.unlike("v1", "d" * 40, SHA).startswith("of another commit")
    assert "a folder that is of none" in Statement(sha256=SHA).unlike("v1", "", SHA)
