from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.model.cooldown import Cooling
from bundler.model.locked_wheel import LockedWheel
from bundler.model.moment import rfc3339, uploaded_at
from bundler.model.trust import Cooldown, Hurried

TODAY = date(2026, 11, 29)
WEEK = Cooling(Cooldown(), TODAY)


@pytest.mark.parametrize(
    ("uploaded", "held", "first"),
    [
        ("2026-11-22T00:00:00Z", False, "2026-11-29"),
        ("2026-11-22T00:00:01Z", True, "2026-11-30"),
        ("2026-11-28T23:59:59Z", True, "2026-12-06"),
        ("2026-12-31T00:00:00Z", True, "2027-01-07"),
        ("9999-12-31T23:59:59Z", True, "9999-12-31"),
    ],
)
def test_a_file_is_held_back_for_whole_days(uploaded: str, held: bool, first: str) -> None:
    moment = datetime.fromisoformat(uploaded)
    assert WEEK.holds_back("demo", "1", moment) is held
    assert str(WEEK.first_day(moment)) == first


def test_what_has_no_time_is_not_held_back() -> None:
    assert not WEEK.holds_back("demo", "1", None)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)), st.integers(0, 365))
def test_on_its_first_day_a_file_may_be_taken_and_not_on_the_day_before(uploaded: datetime, days: int) -> None:
    rule = Cooldown(days)
    first = Cooling(rule, TODAY).first_day(uploaded)
    assert not Cooling(rule, first).holds_back("demo", "1", uploaded)
    assert Cooling(rule, first - timedelta(days=1)).holds_back("demo", "1", uploaded)


def test_an_exception_holds_for_its_versions_until_its_last_day() -> None:
    rule = Cooldown(7, (Hurried("De.Mo>=2,<3", "a hole", date(2026, 11, 29)), Hurried("other", "ours")))
    young = datetime(2026, 11, 28, tzinfo=UTC)
    now, later = Cooling(rule, TODAY), Cooling(rule, TODAY + timedelta(days=1))
    assert not now.holds_back("de-mo", "2.1", young)
    assert now.holds_back("de-mo", "3", young)
    assert now.hurried == {"de-mo", "other"}
    assert later.holds_back("de-mo", "2.1", young)
    assert later.hurried == {"other"}


def test_what_to_add_is_an_entry_of_the_exceptions() -> None:
    wheel = LockedWheel(
        "demo", "1", "demo-1-py3-none-any.whl", 1, "a" * 64, uploaded=datetime(2026, 11, 28, 5, tzinfo=UTC)
    )
    assert WEEK.exceptions_for([wheel]) == '- {requirement: demo==1, reason: "…", until: 2026-12-06}'


@given(st.text(max_size=30))
def test_no_text_of_an_index_is_more_than_a_time_or_none(text: str) -> None:
    moment = uploaded_at(text)
    assert moment is None or uploaded_at(rfc3339(moment)) == moment


@pytest.mark.parametrize("text", ["", "2026-11-28", "2026-11-28T01:02:03", "0001-01-01T00:00:00+14:00", "soon"])
def test_what_is_no_moment_is_no_time(text: str) -> None:
    assert uploaded_at(text) is None


def test_a_time_is_told_in_utc_and_whole_seconds() -> None:
    assert uploaded_at("2026-11-28T01:02:03.999999+01:00") == datetime(2026, 11, 28, 0, 2, 3, tzinfo=UTC)
