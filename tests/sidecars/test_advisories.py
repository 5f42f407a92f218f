from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bundler.errors import IntegrityError
from bundler.model.advisories import Advisories
from bundler.model.inventory import Inventory, Item
from bundler.model.sidecar import NOTHING_TOLD, SidecarFacts
from bundler.model.snapshot import compose, parse
from bundler.model.verdict import Finding
from bundler.sidecars.advisories import LARGEST, NAME, findings, render
from tests.model.samples import PROPERTY
from tests.model.test_advisory import DOCUMENT, of, package, record

KNOWN = Advisories(
    date(2026, 11, 29),
    "the package index",
    (record(of([{"introduced": "0"}, {"fixed": "1.0"}], "0.1"), aliases=["CVE-1"], summary="naïve"),),
    frozenset({package("0.1"), package("1.0")}),
)
CONTENT = compose(KNOWN)


def held(*versions: str) -> SidecarFacts:
    items = tuple(Item(f"pkg:pypi/some-name@{v}", "wheel", "some-name", v) for v in versions)
    return replace(NOTHING_TOLD, inventories={"a": Inventory("x", "1", "debian 12 amd64", items=items)})


def test_it_is_read_as_it_was_written_and_written_in_one_way() -> None:
    assert parse(CONTENT) == KNOWN
    assert compose(replace(KNOWN, records=KNOWN.records[::-1])) == CONTENT
    assert "1.0" in CONTENT.decode() and DOCUMENT["id"] in CONTENT.decode()


def test_what_lies_in_the_folder_goes_to_the_release_and_nothing_if_nothing_does() -> None:
    assert render(NOTHING_TOLD) is None
    assert render(replace(NOTHING_TOLD, read=lambda name: iter((CONTENT[:9], CONTENT[9:])))) == CONTENT
    with pytest.raises(IntegrityError, match=f"more than {LARGEST} bytes"):
        render(replace(NOTHING_TOLD, read=lambda name: iter((bytes(LARGEST), b"x"))))


def test_it_is_sound_if_it_tells_of_all_that_archives_hold() -> None:
    assert list(findings(CONTENT, held("0.1", "1.0"))) == []
    assert list(findings(None, held("0.1"))) == []


def test_what_it_tells_nothing_of_is_noted() -> None:
    (found,) = findings(CONTENT, held(*(f"{number}.0" for number in range(1, 9))))
    assert found == Finding(
        f"{NAME}: of 2026-11-29, and tells nothing of some-name 2.0, some-name 3.0, some-name 4.0, some-name 5.0, "
        "some-name 6.0 and 2 more",
        "note",
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        CONTENT[:-1],
        CONTENT + b"\n",
        CONTENT.replace(b" ", b""),
        CONTENT.replace(b'"format": 1', b'"format": 2'),
        CONTENT.replace(b'"format": 1', b'"format": true'),
        CONTENT.replace(b'"format": 1,', b'"format": 1,\n "more": 1,'),
        CONTENT.replace(b'"made": "2026-11-29"', b'"made": "29.11.2026"'),
        CONTENT.replace(b'"0.1",\n    "1.0"', b'"1.0",\n    "0.1"'),
        CONTENT.replace(b'"0.1",\n    "1.0"', b'"0.1",\n    "0.1",\n    "1.0"'),
        CONTENT.replace("naïve".encode(), b"na\\u00efve"),
        CONTENT.replace("naïve".encode(), b"na\\ud800"),
        CONTENT.replace(b"{", b'{"id": "twice",', 1),
        b" " * (LARGEST + 1),
        b"[" * 100_000,
        b"\xff",
    ],
    ids=range(17),
)
def test_what_was_changed_or_is_cut_is_a_fault(content: bytes) -> None:
    assert content != CONTENT
    (found,) = findings(content, held("0.1"))
    assert found.grade == "integrity" and found.message.startswith(f"{NAME}: ")


@PROPERTY
@given(st.integers(0, len(CONTENT) - 1), st.binary(max_size=3))
@example(0, b"")
def test_any_change_is_refused_or_makes_another_snapshot(at: int, by: bytes) -> None:
    changed = CONTENT[:at] + by + CONTENT[at + 1 :]
    with contextlib.suppress(IntegrityError):
        assert (parse(changed) == KNOWN) is (changed == CONTENT)
