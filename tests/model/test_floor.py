"""Which release is older than another: by number, by date, or it cannot be told."""

from __future__ import annotations

import pytest

from bundler.model.floor import Floor, below
from bundler.model.moment import utc
from bundler.model.statement import Statement

DATE, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"
ONE, TWO, SEVEN, TEN = "runtime-" + "1" * 12, "runtime-" + "2" * 12, "offline-ai-workspace-7", "offline-ai-workspace-10"


@pytest.mark.parametrize(
    ("said", "floor", "word"),
    [
        (Statement(SEVEN), Floor(SEVEN), ""),
        (Statement(TEN), Floor(SEVEN), ""),
        (Statement(SEVEN), Floor(TEN), "older than asked for"),
        (Statement(SEVEN, date=LATER), Floor(TEN, DATE), "older than asked for"),
        (Statement(ONE, date=DATE), Floor(TWO, DATE), ""),
        (Statement(ONE, date=LATER), Floor(TWO, DATE), ""),
        (Statement(ONE, date=DATE), Floor(TWO, LATER), "older than asked for"),
        (Statement(ONE, date=DATE), Floor("", LATER), "older than asked for"),
        (Statement(SEVEN, date=DATE), Floor(ONE, LATER), "older than asked for"),
        (Statement("", date=LATER), Floor(ONE, DATE), ""),
        (Statement(ONE), Floor(ONE), ""),
        (Statement(ONE), Floor(TWO, DATE), "no signature that counts has a date"),
        (Statement(ONE, date=DATE), Floor(TWO), f"the date of {TWO} is not known, give {TWO}@DATE"),
        (Statement(ONE), Floor(TWO), "That cannot be told"),
        (Statement(SEVEN), Floor(ONE), "That cannot be told"),
        (None, Floor(SEVEN), "That cannot be told: no signature that counts says which release"),
        (None, Floor("", DATE), "That cannot be told"),
    ],
)
def test_what_is_older(said: Statement | None, floor: Floor, word: str) -> None:
    found = below(said, floor)
    assert bool(found) == bool(word)
    assert word in found


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-14:00", "soon", ""])
def test_what_is_no_date_in_utc_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|in UTC"):
        utc(text)


def test_dates_are_compared_in_utc() -> None:
    assert utc("0999-01-31") == "0999-01-31T00:00:00Z"
    assert utc("2026-01-31") == "2026-01-31T00:00:00Z"
    assert utc("2026-01-31T12:00:00+02:00") == "2026-01-31T10:00:00Z"
    assert str(Floor(ONE, DATE)) == f"{ONE} of {DATE}"
    with pytest.raises(ValueError, match="Invalid"):
        utc("soon")
