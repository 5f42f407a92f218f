from __future__ import annotations

from dataclasses import replace

from bundler.model.care import Concern, Held, concerns_between, shared_concerns, yanked
from bundler.model.locked_wheel import LockedWheel, Source
from bundler.model.publisher import Publisher

OLD = Held("demo", "1", "demo-1-py3-none-any.whl", 4_000_000, "a" * 64, "GitHub us/demo release.yml", ())
NEW = replace(OLD, version="2", filename="demo-2-py3-none-any.whl", sha256="b" * 64)


def signs(*after: Held, before: tuple[Held, ...] = (OLD,), **unverified: str) -> list[tuple[str, str, str]]:
    return [(one.sign, one.before, one.after) for one in concerns_between(before, after, unverified)]


def test_an_ordinary_update_shows_no_sign() -> None:
    assert signs(NEW) == signs(OLD) == signs() == []


def test_a_first_lock_shows_no_sign() -> None:
    assert signs(NEW, before=()) == []


def test_every_sign() -> None:
    assert signs(replace(OLD, sha256="b" * 64)) == [("rebuilt", "1 sha256 aaaaaaaaaaaa", "1 sha256 bbbbbbbbbbbb")]
    assert signs(replace(NEW, publisher="x")) == [("publisher changed", OLD.publisher, "x")]
    assert signs(replace(NEW, publisher="")) == [("attestation lost", OLD.publisher, "none")]
    assert signs(replace(NEW, publisher=""), demo="why") == [("attestation lost", OLD.publisher, "not verified: why")]
    assert signs(replace(NEW, startup=("x.pth",))) == [("startup files", "none", "x.pth")]
    assert signs(replace(NEW, size=9_000_001)) == [("grew", "4.0 MB", "9.0 MB")]
    assert signs(OLD, replace(NEW, project="other")) == [("new", "none", "2")]


def test_what_is_no_sign() -> None:
    assert signs(replace(NEW, size=9_000_000)) == [], "5 MB more are no jump"
    assert signs(replace(NEW, size=19_000_000), before=(replace(OLD, size=9_500_000),)) == [], "nor is twice as much"
    assert signs(NEW, before=(replace(OLD, publisher=""),)) == [], "nor a first attestation"
    assert signs(replace(OLD, sha256="b" * 64, own=True)) == [], "what is built here may differ"
    assert signs(replace(OLD, sha256="b" * 64, filename="demo-1-1-py3-none-any.whl")) == [], (
        "another build has a number"
    )


def test_startup_files_that_were_not_looked_for_are_said_to_be_unknown() -> None:
    unknown = replace(OLD, startup=None)
    assert signs(replace(NEW, startup=("x.pth",)), before=(unknown,)) == [("startup files", "not known", "x.pth")]
    assert signs(replace(OLD, startup=("x.pth",)), before=(unknown,)) == [], "the same file"


def test_the_loudest_come_first_and_each_is_told_once() -> None:
    after = replace(OLD, sha256="b" * 64, publisher="x", size=40_000_000, startup=("x.pth",))
    found = concerns_between([OLD], [after, replace(NEW, project="a")])
    assert [one.sign for one in found] == ["rebuilt", "publisher changed", "startup files", "grew", "new"]
    told = shared_concerns([("one", found[1:]), ("two", found)])
    assert [targets for _, targets in told] == [("two",), *[("one", "two")] * 4]
    assert str(told[0][0]).startswith("rebuilt: demo: 1 sha256 aaaaaaaaaaaa -> 1 sha256 bbbbbbbbbbbb: ")


def test_what_was_yanked_is_told_with_what_came_for_it() -> None:
    assert list(yanked([OLD], [NEW], {OLD.sha256: "leaks"})) == [
        Concern("yanked", "demo", "1", "2", "its makers withdrew it: leaks")
    ]
    assert list(yanked([OLD], [], {"c" * 64: "leaks"})) == []


def test_a_wheel_of_a_lock_is_seen_as_what_it_says() -> None:
    publisher = Publisher("GitHub", (("repository", "us/demo"), ("workflow", "release.yml")))
    wheel = LockedWheel("demo", "1", OLD.filename, OLD.size, OLD.sha256, publishers=(publisher,))
    assert Held.of_wheel(wheel, ()) == OLD
    assert Held.of_wheel(replace(wheel, source=Source("a" * 40, "b" * 64))).own
