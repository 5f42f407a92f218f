"""A comparison as people read it, whatever archives call their packages."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bundler.model.comparison import Comparison, Gain, Pair, Totals, compare
from bundler.model.comparison_text import alone, gains, markdown, mb, more_gains, sharing, totals
from bundler.model.item_change import ItemChange
from tests.model.test_comparison import holding, item

HOSTS = tuple(f"debian {number} amd64" for number in (11, 12, 13))


def grown() -> Comparison:
    """Three archives: two of them grow by the same package, one does not differ."""
    same = [holding(item("x", "1", size=2_000_000), host=host, size=3_000_000) for host in HOSTS]
    new = [
        holding(item("x", "1", size=2_000_000), item("big", "2", size=number * 1_000_000), host=host, size=9_000_000)
        for number, host in enumerate(HOSTS[1:], 4)
    ]
    return compare(same, [same[0], *new])


def test_only_archives_that_differ_have_a_row() -> None:
    assert totals(grown()) == [
        ("", "packages", "MB of packages", "", "MB of archive", ""),
        ("debian-12-amd64", "1 -> 2", "2.0 -> 6.0", "+4.0", "3.0 -> 9.0", "+6.0"),
        ("debian-13-amd64", "1 -> 2", "2.0 -> 7.0", "+5.0", "3.0 -> 9.0", "+6.0"),
    ]
    assert alone(grown()) == ["1 do not differ"]


def test_files_are_left_out_where_no_size_of_one_is_known() -> None:
    found = compare([holding(item("x", "1"))], [holding(item("x", "2"), size=5)])
    assert totals(found) == [("", "packages", "MB of packages", ""), ("debian-12-amd64", "1", "1.0", "")]


def test_gains_are_told_an_archive_and_in_how_many() -> None:
    assert gains(grown()) == [("MB each", "package", "archives"), ("+4.0 to +5.0", "+ big 2", "2")]
    assert gains(grown(), most=0) == []
    assert more_gains(grown(), most=0) == "and 1 more, +9.0 MB together"
    assert more_gains(grown()) == ""


def test_what_all_archives_share_names_none() -> None:
    found = grown()
    assert [sharing(group, found) for group in found.shared] == ["debian-12-amd64, debian-13-amd64"]
    assert sharing(found.shared[0], replace(found, pairs=found.pairs[1:])) == "all 2"
    assert sharing(found.shared[0], replace(found, pairs=found.pairs[:1])) == "debian-12-amd64, debian-13-amd64"


@pytest.mark.parametrize(
    ("size", "text"), [(0, "+0.0"), (1_234_567, "+1.2"), (-60_000, "-0.1"), (1_500, "+0.002"), (7, "+0.000007")]
)
def test_small_sizes_are_not_nothing(size: int, text: str) -> None:
    assert mb(size, sign=True) == text


def test_a_page_has_the_answer_first() -> None:
    assert (
        markdown(grown(), "What changed since `v1`")
        == """\
### What changed since `v1`

                     packages  MB of packages        MB of archive
    debian-12-amd64    1 -> 2  2.0 -> 6.0      +4.0  3.0 -> 9.0     +6.0
    debian-13-amd64    1 -> 2  2.0 -> 7.0      +5.0  3.0 -> 9.0     +6.0

    1 do not differ

#### Where the megabytes went

         MB each  package  archives
    +4.0 to +5.0  + big 2  2

#### What changed

    debian-12-amd64, debian-13-amd64:
      + big 2
"""
    )


def test_nothing_is_said_where_nothing_differs() -> None:
    assert markdown(compare([holding()], [holding()]), "x") == ""


@pytest.mark.parametrize("limit", [1, 40, 200, 380, 10_000])
def test_a_page_that_is_too_long_is_cut_and_says_so(limit: int) -> None:
    whole, cut = markdown(grown(), "x"), markdown(grown(), "x", limit)
    assert len(cut) <= max(limit, 0)
    assert cut == whole if limit > len(whole) else cut == "" or cut.endswith("left out: it is too long\n")


class Seen(HTMLParser):
    """Which elements a page has, and what it says in them."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.elements.add(tag)


HOSTILE = (
    "</code></pre><script>alert(1)</script>", "\n\n# heading\n\n", "\r\n- x", "![](http://x/y.png)", "`` ` ``",
    "@everyone", "#1", "<!-- ", "-->", "\x1b[31m", "::error::x", "\u202eevil", "\u2028x", "\t", "    ", "| a | b |",
    "~~~\n", "```\n",
)  # fmt: skip
WORDS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=8))


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=4))
@example([(one, one, one) for one in HOSTILE])
def test_nothing_that_archives_say_is_markup(words: list[tuple[str, str, str]]) -> None:
    changes = [ItemChange("licence", "wheel", name, before, after, before) for name, before, after in words]
    changes += [ItemChange("up", kind, name, version, version) for kind, name, version in words]
    told = tuple(Gain("wheel", name, (before,), (after,), 1, 2, 3) for name, before, after in words)
    pairs = tuple(
        Pair(f"{name} {before}", Totals(1, 2, 3), Totals(4, 5, 6), tuple(changes), told) for name, before, _ in words
    )
    page = markdown(Comparison(pairs, (words[0][0],), (words[0][1],)), "title")
    seen = Seen()
    seen.feed(MarkdownIt("commonmark").render(page))
    assert seen.elements <= {"h3", "h4", "pre", "code"}
    headings = [line for line in page.split("\n") if line and not line.startswith("    ")]
    assert set(headings) <= {"### title", "#### Where the megabytes went", "#### What changed", "<!-- -->"}
    assert "\x1b" not in page
    assert not any(line.strip().startswith("::") for line in page.split("\n"))
