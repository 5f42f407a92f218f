"""Sizes for people: exact in bytes, and never 0.0 of something."""

from __future__ import annotations

import pytest

from bundler.sizes import share_text, size_text

_TOLD = {
    0: "0 bytes",
    1: "1 byte",
    999: "999 bytes",
    1000: "1.0 kB",
    61_049: "61.0 kB",
    100_000: "0.1 MB",
    152_700_000: "152.7 MB",
    1_344_000_000: "1344.0 MB",
}


@pytest.mark.parametrize(("size", "text"), _TOLD.items())
def test_sizes_are_for_people(size: int, text: str) -> None:
    assert size_text(size) == text


def test_a_share_has_the_unit_of_the_whole_unless_it_has_another() -> None:
    assert share_text(98_100_000, 154_600_000) == "98.1 of 154.6 MB"
    assert share_text(4_000, 154_600_000) == "4.0 kB of 154.6 MB"
    assert share_text(1, 500) == "1 byte of 500 bytes"
    assert share_text(20, 500) == "20 of 500 bytes"
