from __future__ import annotations

import contextlib
import json
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from bundler.model.advisories import Advisories
from bundler.model.advisory import Advisory, Package, parse_advisory
from tests.model.samples import PROPERTY

VERSIONS = st.sampled_from(["0.1", "1.0a1", "1.0", "1.0.post1", "1.1", "1.2rc1", "1.2", "2.0", "2.0.1", "3.0", "10.0"])
RANGE = st.lists(VERSIONS, min_size=1, max_size=4, unique=True).map(lambda some: sorted(some, key=Version))


def record(*affected: dict[str, Any], **more: Any) -> Advisory:
    document = {"id": "X-1", "modified": "2026-01-01T00:00:00Z", "affected": list(affected), **more}
    return parse_advisory(json.dumps(document).encode())


def of(
    events: list[dict[str, str]], *versions: str, name: str = "Some.Name", kind: str = "ECOSYSTEM"
) -> dict[str, Any]:
    package = {"ecosystem": "PyPI", "name": name}
    return {"package": package, "ranges": [{"type": kind, "events": events}], "versions": list(versions)}


def package(version: str) -> Package:
    return Package("PyPI", "some-name", version)


def judged(version: str, events: list[dict[str, str]], *versions: str) -> bool | None:
    return record(of(events, *versions)).judged(package(version))


@PROPERTY
@given(RANGE, VERSIONS, st.booleans(), st.randoms(use_true_random=False))
@example(["1.0", "1.1"], "1.0", True, Random(1))
def test_ranges_hold_what_packagings_specifiers_hold(
    bounds: list[str], version: str, fixed: bool, random: Random
) -> None:
    """Turns from introduced to fixed, in any order, are the same as so many pairs of bounds."""
    events, held = [], False
    for number in range(0, len(bounds), 2):
        first, *last = bounds[number : number + 2]
        events.append({"introduced": first})
        events += [{"fixed" if fixed else "last_affected": text} for text in last]
        specifier = [f">={first}", *(f"{'<' if fixed else '<='}{text}" for text in last)]
        # `<1.0` of a specifier leaves out 1.0's own pre-releases, and `<=` knows nothing of them: compare as versions.
        low = Version(first) <= Version(version)
        high = all(Version(version) < Version(t) if fixed else Version(version) <= Version(t) for t in last)
        held = held or (low and high)
        if not Version(version).is_prerelease and not Version(version).is_postrelease:
            assert (low and high) is SpecifierSet(",".join(specifier)).contains(version, prereleases=True)
    random.shuffle(events)
    assert judged(version, events) is held


@pytest.mark.parametrize(
    ("version", "events", "expected"),
    [
        ("0.0.dev0", [{"introduced": "0"}], True),
        ("1.0", [{"introduced": "0"}, {"fixed": "1.0"}], False),
        ("1.0a1", [{"introduced": "0"}, {"fixed": "1.0"}], True),
        ("1.0", [{"introduced": "1.0"}, {"last_affected": "1.0"}], True),
        ("1.0.1", [{"introduced": "1.0"}, {"last_affected": "1.0"}], False),
        ("1.5", [{"introduced": "1.0"}, {"limit": "1.5"}], False),
        ("1.4", [{"introduced": "1.0"}, {"limit": "1.5"}], True),
        ("9", [{"introduced": "1.0"}, {"limit": "*"}], True),
        ("1.0", [{"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "1.0"}], True),
        ("1.0", [{"introduced": "nobody knows"}], None),
        ("what", [{"introduced": "0"}, {"fixed": "1.0"}], None),
    ],
)
def test_bounds(version: str, events: list[dict[str, str]], expected: bool | None) -> None:
    assert judged(version, events) is expected


def test_a_listed_version_is_affected_whatever_ranges_say_and_however_it_is_spelled() -> None:
    assert judged("2.0", [{"introduced": "0"}, {"fixed": "1.0"}], "v2.0.0") is True
    assert judged("2.0", [{"introduced": "nobody knows"}], "2.0") is True
    assert judged("2.1", [{"introduced": "0"}, {"fixed": "1.0"}], "2.0", "nothing") is False


def test_commits_tell_nothing_of_a_version() -> None:
    events = [{"introduced": "0"}, {"fixed": "a" * 40}]
    assert record(of(events, kind="GIT")).judged(package("1.0")) is None
    assert record(of(events, "0.9", kind="GIT")).judged(package("1.0")) is False


def test_another_project_or_ecosystem_is_not_meant() -> None:
    everything = record(of([{"introduced": "0"}]))
    assert everything.judged(Package("npm", "some-name", "1.0.0")) is False
    assert everything.judged(Package("PyPI", "some", "1.0")) is False


DOCUMENT: dict[str, Any] = {
    "id": "X-1",
    "modified": "2026-01-01T00:00:00Z",
    "affected": [of([{"introduced": "0"}, {"fixed": "1.0"}], "0.1")],
    "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N"}],
    "database_specific": {"severity": "HIGH"},
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": ""}, "id"),
        ({"id": "a b"}, "id"),
        ({"id": "X" * 101}, "id"),
        ({"id": 7}, "id"),
        ({"modified": "yesterday"}, "modified"),
        ({"modified": "2026-01-01T00:00:00"}, "modified"),
        ({"modified": 5}, "modified"),
        ({"modified": "0001-01-01T00:00:00+14:00"}, "modified"),
        ({"modified": "9999-12-31T23:59:59-14:00"}, "modified"),
        ({"withdrawn": True}, "withdrawn"),
        ({"aliases": "CVE-1"}, "aliases"),
        ({"aliases": ["CVE-1"] * 501}, "aliases"),
        ({"affected": [of([])]}, "events"),
        ({"affected": [of([{}])]}, "exactly one"),
        ({"affected": [of([{"introduced": "1", "fixed": "2"}])]}, "exactly one"),
        ({"affected": [of([{"introduced": "1\n2"}])]}, "introduced"),
        ({"affected": [of([{"introduced": "0"}], kind="OTHER")]}, "type"),
        ({"affected": [of([{"introduced": "0"}], name="")]}, "name"),
        ({"affected": [{"versions": "1.0"}]}, "versions"),
        ({"summary": "x" * 20_001}, "summary"),
    ],
)
def test_what_is_no_record_is_refused(change: dict[str, Any], said: str) -> None:
    assert parse_advisory(json.dumps(DOCUMENT).encode()).gravity == "high"
    with pytest.raises(ValueError, match=said):
        parse_advisory(json.dumps(DOCUMENT | change).encode())


@PROPERTY
@given(
    st.one_of(
        st.binary(max_size=200), st.text(max_size=200).map(lambda text: json.dumps(DOCUMENT | {"id": text}).encode())
    )
)
@example(b"[" * 100_000)
@example(json.dumps(DOCUMENT).encode()[:-1])
@example(b'{"id": "X", "modified": NaN}')
def test_anything_else_is_refused_in_one_way(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_advisory(content)


@PROPERTY
@given(st.lists(VERSIONS, max_size=4), RANGE, st.sets(VERSIONS, min_size=1, max_size=4), st.booleans())
def test_a_subset_says_the_same_of_what_was_asked(
    listed: list[str], bounds: list[str], asked: set[str], withdrawn: bool
) -> None:
    events = [{"introduced" if number % 2 == 0 else "fixed": text} for number, text in enumerate(bounds)]
    other = of([{"introduced": "0"}], name="other")
    more = {"withdrawn": "2026-01-02T00:00:00Z"} if withdrawn else {}
    whole = Advisories.of_records([record(of(events, *listed), of([{"introduced": "9"}]), other, **more)], "here")
    packages = {package(version) for version in asked}
    cut = whole.subset(packages)
    assert cut.issues(packages) == whole.issues(packages)
    assert cut.asked == frozenset(packages) and cut.subset(packages) == cut
    assert not withdrawn or cut.records == ()
