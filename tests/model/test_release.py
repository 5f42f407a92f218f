"""Releases: what GitHub's answers say, and how a set of assets differs from the wanted one."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import IntegrityError, UsageError
from bundler.model.release import (
    Asset,
    Piece,
    Release,
    compare,
    next_offline_tag,
    parse_address,
    parse_repository,
    parse_tag,
    read_json,
    read_json_list,
    refuse_mixing,
    runtime_commit,
    title_of,
)
from bundler.sidecars import channel
from bundler.sidecars.channel import Channel

A, B = "a" * 64, "b" * 64
RELEASE = Release(1, "t", False, "https://example.com/assets{?name,label}")


def asset(name: str = "x", sha256: str | None = A, *, size: int = 3, state: str = "uploaded", id: int = 1) -> Asset:
    return Asset(id, name, size, state, sha256 and f"sha256:{sha256}")


def piece(name: str = "x", sha256: str = A, size: int = 3) -> Piece:
    return Piece(name, size, sha256)


def test_the_same_assets_need_nothing() -> None:
    found = compare([asset()], [piece()])
    assert found.same
    assert found.kept == (piece(),)


@pytest.mark.parametrize("other", [asset(sha256=B), asset(size=4)])
def test_another_digest_or_size_differs(other: Asset) -> None:
    found = compare([other], [piece()])
    assert found.differing == ((other, piece()),)
    assert not found.same


def test_an_asset_without_digest_is_unproven_if_its_size_fits() -> None:
    found = compare([asset(sha256=None)], [piece()])
    assert [one.name for one, _ in found.unproven] == ["x"]
    assert found.kept == ()
    assert compare([asset(sha256=None, size=4)], [piece()]).differing


def test_a_wreck_is_broken_and_its_name_missing() -> None:
    wreck = asset(state="starter")
    found = compare([wreck], [piece()])
    assert found.broken == (wreck,)
    assert found.missing == (piece(),)
    assert found.surplus == ()


def test_what_is_not_wanted_or_there_twice_is_surplus() -> None:
    twice = [asset(id=1), asset(id=2)]
    assert compare([*twice, asset("y")], [piece()]).surplus == (twice[1], asset("y"))


names = st.lists(st.sampled_from("abcdef"), unique=True)


@given(names, names)
def test_every_wanted_asset_is_kept_or_missing_and_every_other_surplus(there: list[str], wanted: list[str]) -> None:
    found = compare([asset(name) for name in there], [piece(name) for name in wanted])
    assert {p.name for p in found.kept} == set(there) & set(wanted)
    assert {p.name for p in found.missing} == set(wanted) - set(there)
    assert {a.name for a in found.surplus} == set(there) - set(wanted)


def nothing_there() -> tuple[Release, ...]:
    return ()


def test_a_published_release_may_be_completed_but_not_mixed() -> None:
    refuse_mixing(RELEASE, compare([asset()], [piece(), piece("y")]), nothing_there)
    with pytest.raises(IntegrityError, match=f"expected {A}, 3 bytes\n    actual   {B}"):
        refuse_mixing(RELEASE, compare([asset(sha256=B)], [piece()]), nothing_there)
    with pytest.raises(IntegrityError, match="y: not in what you publish"):
        refuse_mixing(RELEASE, compare([asset(), asset("y")], [piece()]), nothing_there)


def test_an_immutable_release_cannot_even_be_completed() -> None:
    immutable = replace(RELEASE, immutable=True)
    refuse_mixing(immutable, compare([asset()], [piece()]), nothing_there)
    with pytest.raises(IntegrityError, match="immutable and lacks y"):
        refuse_mixing(immutable, compare([asset()], [piece(), piece("y")]), nothing_there)


def test_an_offline_release_that_may_not_change_tells_the_next_number() -> None:
    offline = replace(RELEASE, tag_name="offline-ai-workspace-9", immutable=True)
    there = [offline, *(replace(RELEASE, tag_name=tag) for tag in ("draft-offline-ai-workspace-10", "runtime-11"))]
    for found in (compare([asset(sha256=B)], [piece()]), compare([asset()], [piece(), piece("y")])):
        with pytest.raises(IntegrityError) as caught:
            refuse_mixing(offline, found, lambda: there)
        assert caught.value.hint.endswith("--tag offline-ai-workspace-11")


@pytest.mark.parametrize(
    ("tags", "following"),
    [
        ([], "offline-ai-workspace-1"),
        (["offline-ai-workspace-007", "offline-ai-workspace-x", "v9"], "offline-ai-workspace-1"),
        (["offline-ai-workspace-2", "offline-ai-workspace-10"], "offline-ai-workspace-11"),
    ],
)
def test_the_next_number_follows_all_that_were_given(tags: list[str], following: str) -> None:
    assert next_offline_tag([replace(RELEASE, tag_name=tag) for tag in tags]) == following


def test_only_offline_releases_are_called_builds() -> None:
    assert title_of("offline-ai-workspace-7") == "Build offline-ai-workspace-7"
    assert title_of("runtime-0123456789ab") == "runtime-0123456789ab"
    assert title_of("latest-runtime") == "latest-runtime"


@pytest.mark.parametrize("digest", [None, "", "md5:abc", "sha256:xyz", f"sha256:{A}0", A])
def test_a_digest_that_is_none_is_unknown(digest: str | None) -> None:
    assert Asset(1, "x", 1, "uploaded", digest).sha256 is None


def test_a_digest_in_capitals_is_the_same() -> None:
    assert Asset(1, "x", 1, "uploaded", f"sha256:{A.upper()}").sha256 == A


@pytest.mark.parametrize(
    ("tag", "digits"),
    [("runtime-0123456789ab", "0123456789ab"), ("runtime-0123456789abc", None), ("runtime-X", None), ("v1", None)],
)
def test_the_commit_in_a_tag(tag: str, digits: str | None) -> None:
    assert runtime_commit(tag) == digits


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("o/r@runtime-1", ("o/r", "runtime-1")),
        ("o/r@a/b", ("o/r", "a/b")),
        ("./dist", None),
        ("o/r", None),
        ("o/r/x@t", None),
        ("o/r@", None),
        ("o/r@-x", None),
        ("o/r@a b", None),
        ("o/r@.x", None),
    ],
)
def test_an_address_of_a_release(text: str, found: tuple[str, str] | None) -> None:
    assert parse_address(text) == found


@pytest.mark.parametrize("text", ["", "o", "o/r/x", "o r/x", "https://example.com/o/r"])
def test_what_is_no_repository(text: str) -> None:
    with pytest.raises(UsageError, match="not OWNER/REPO"):
        parse_repository(text)


@pytest.mark.parametrize("text", ["", "-x", ".x", "a..b", "a b", "x.lock", "x/", "é", "a?b"])
def test_what_is_no_tag(text: str) -> None:
    with pytest.raises(UsageError, match="not a tag"):
        parse_tag(text)


@pytest.mark.parametrize("text", [".x", "a..b", "x.lock", "x/", "-x"])
def test_a_tag_has_one_grammar_wherever_it_is_read(text: str) -> None:
    """In an address, in an option, and in channel.json."""
    with pytest.raises(UsageError):
        parse_tag(text)
    with suppress(UsageError):
        assert parse_address(f"o/r@{text}") is None
    said = Channel("latest-runtime", "o/r", text, "c" * 40, {})
    with pytest.raises(IntegrityError):
        channel.parse(channel.compose(said))


def test_answers_of_another_shape_are_refused_without_quoting_them() -> None:
    with pytest.raises(IntegrityError, match="o/r: an answer that makes no sense") as error:
        read_json(Release, json.dumps({"id": "secret"}).encode(), "o/r")
    assert "secret" not in error.value.message
    for answer in (b"", b"<html>", b"[1]", b'{"id": 1}'):
        with pytest.raises(IntegrityError):
            read_json_list(Asset, answer, "o/r")


def test_a_name_with_control_characters_is_refused() -> None:
    text = json.dumps([{"id": 1, "name": "\x1b[2J", "size": 1, "state": "uploaded", "digest": None}])
    with pytest.raises(IntegrityError):
        read_json_list(Asset, text.encode(), "o/r")
