"""Where each of several things stands, as lines that fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.board import Board
from bundler.progress import State
from bundler.terminal import Styled
from tests.model.samples import PROPERTY

HOSTS = [f"{d}-{a}" for d in ("debian-11", "debian-12", "ubuntu-22.04", "ubuntu-26.04") for a in ("amd64", "arm64")]
NAMES = [f"litellm-runtime-{host}.tar.gz" for host in HOSTS]
STATES: tuple[State, ...] = ("waiting", "fetching", "proving", "packing", "verifying", "done", "failed")


def texts(board: Board, width: int, height: int, now: float = 75.0) -> list[str]:
    return [line.text if isinstance(line, Styled) else line for line in board.lines(width, height, now)]


def under_way() -> Board:
    board = Board(NAMES, 0.0)
    board.enter(NAMES[0], "fetching", 100_000_000, "", 1.0).done = 100_000_000
    board.enter(NAMES[0], "proving", 0, "", 10.0)
    board.enter(NAMES[0], "done", 152_700_000, f"built {NAMES[0]} (152.7 MB, 63 wheels)", 62.0)
    board.enter(NAMES[1], "packing", 100_000_000, "", 2.0).done = 25_000_000
    board.enter(NAMES[2], "fetching", 100_000_000, "", 3.0).done = 50_000_000
    board.enter(NAMES[3], "fetching", 100_000_000, "", 3.0).done = 100_000_000
    board.enter(NAMES[4], "fetching", 100_000_000, "", 3.0)
    board.enter(NAMES[5], "failed", 0, "no wheel of x\nfits", 4.0)
    return board


def test_every_row_says_how_it_stands() -> None:
    assert texts(under_way(), 80, 24) == [
        "debian-11-amd64     done       1:01  152.7 MB",
        "debian-11-arm64     packing    1:13  ━━━━━━──────────────────── 25.0 of 100.0 MB",
        "debian-12-amd64     fetching   1:12  ━━━━━━━━━━━━━───────────── 50.0 of 100.0 MB",
        "debian-12-arm64     waiting    1:12  fetched",
        "ubuntu-22.04-amd64  waiting    1:12",
        "ubuntu-22.04-arm64  failed     0:00  no wheel of x\N{REPLACEMENT CHARACTER}fits",
        "ubuntu-26.04-amd64  waiting",
        "ubuntu-26.04-arm64  waiting",
        "litellm-runtime: 1 of 8 done, 1 failed in 1:15",
    ]
    assert texts(under_way(), 200, 50)[0].endswith(f"built {NAMES[0]} (152.7 MB, 63 wheels)")


def test_a_small_terminal_folds_what_is_done_and_then_what_waits() -> None:
    board = under_way()
    assert texts(board, 80, 9)[0].startswith("debian-11-amd64"), "all fit"
    assert [line.split()[0] for line in texts(board, 80, 8)] == [
        "1", "debian-11-arm64", "debian-12-amd64", "debian-12-arm64", "ubuntu-22.04-amd64", "ubuntu-22.04-arm64",
        "and", "litellm-runtime:",
    ]  # fmt: skip
    small = texts(board, 80, 5)
    assert [line.split("  ")[0] for line in small] == [
        "1 done", "debian-11-arm64", "debian-12-amd64", "and 5 more", "litellm-runtime: 1 of 8 done, 1 failed in 1:15",
    ]  # fmt: skip
    assert texts(board, 80, 1) == small[-1:]


def test_one_archive_has_its_whole_name() -> None:
    assert texts(Board(["litellm-runtime-debian-12-amd64.tar.gz"], 0.0), 80, 9)[0].startswith(
        "litellm-runtime-debian-12"
    )
    assert texts(Board(["a-x.tar.gz", "b-x.tar.gz"], 0.0), 80, 9)[-1] == "0 of 2 done in 1:15"


def test_what_ended_stays_ended() -> None:
    board = under_way()
    board.enter(NAMES[0], "packing", 5, "", 70.0)
    assert board.rows[NAMES[0]].state == "done"


@PROPERTY
@given(
    st.lists(
        st.tuples(st.text(st.characters(), min_size=1), st.sampled_from(STATES), st.integers(0, 10**12)), max_size=30
    ),
    st.integers(0, 250),
    st.integers(1, 40),
)
def test_lines_fit_whatever_there_is(rows: list[tuple[str, State, int]], width: int, height: int) -> None:
    board = Board([name for name, _, _ in rows], 0.0)
    for name, state, size in rows:
        board.enter(name, state, size, name, 1.0).done = size // 3
    shown = texts(board, width, height)
    assert len(shown) <= height
    assert all(len(line) <= width and "\n" not in line for line in shown)


@pytest.mark.parametrize("width", [80, 200])
def test_twelve_targets_fit_a_terminal_of_24_lines(width: int) -> None:
    board = Board([f"x-{number}.tar.gz" for number in range(12)], 0.0)
    assert len(texts(board, width, 22)) == 13
