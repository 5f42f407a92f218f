"""That the limits of `tests.limits` hold what they are told to hold."""

import sys

import pytest

from tests.limits import launched, limited


def test_what_a_run_took_is_told() -> None:
    done = limited(["--version"])
    assert done.code == 0
    assert done.out.startswith("aiws-bundle")
    assert 5 < done.megabytes < 100
    assert 0 < done.seconds < 5


def test_memory_is_limited() -> None:
    done = launched([sys.executable, "-c", "bytearray(300 << 20)"], 5, 250, None, None)
    assert done.code == 1
    assert "MemoryError" in done.err


def test_what_was_resident_is_counted_and_not_what_the_tests_hold() -> None:
    held = bytearray(b"x" * (100 << 20))
    assert launched([sys.executable, "-c", ""], 5, 250, None, None).megabytes < 50
    assert launched([sys.executable, "-c", "bytearray(b'x' * (90 << 20))"], 5, 250, None, None).megabytes > 90
    assert held


@pytest.mark.slow
def test_time_is_limited() -> None:
    done = launched([sys.executable, "-c", "while True: pass"], 1, 250, None, None)
    assert done.code < 0
    assert done.seconds < 3
