from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.pages.markup import Markup, between, element, joined
from bundler.terminal import one_line
from tests.model.samples import PROPERTY


class Read(HTMLParser):
    """What a parser makes of a text: its elements with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.said += data


HOSTILE = st.one_of(
    st.text(),
    st.sampled_from(
        ["</p><script>alert(1)</script>", '" onclick="x', "&lt;", "]]>", "<!--", "\u2028\u2029", "\u202eabc"]
    ),
)


@PROPERTY
@given(HOSTILE, HOSTILE)
def test_text_stays_text(text: str, told: str) -> None:
    found = Read(element("p", text, title=told).text)
    expected = {"title": one_line(told)} if told else {}
    assert found.elements == [("p", expected)]
    assert found.said == one_line(text)


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "http://example.org", "data:text/html,x", "//example.org", " https://e", "x"]
)
def test_links_lead_to_https_or_within_the_page(address: str) -> None:
    assert element("a", "x", href=address).text == "<a>x</a>"
    assert element("a", "x", href="https://e/?a=1&b").text == '<a href="https://e/?a=1&amp;b">x</a>'
    assert element("a", "x", href="#p1").text == '<a href="#p1">x</a>'


@pytest.mark.parametrize("name", ["script", "style", "iframe", "object", "embed", "base", "form"])
def test_what_could_do_more_than_show_is_no_element(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        element(name)


def test_attributes_that_do_something_are_left_out() -> None:
    assert element("p", "x", onclick="y", style="z", hidden=True, class_="", title=False).text == "<p hidden>x</p>"


def test_markup_stays_markup() -> None:
    assert joined(["<", Markup("<b>"), ["&", ("x",)]]).text == "&lt;<b>&amp;x"
    assert joined(between(", ", ["a", "b", "c"])).text == "a, b, c"
    assert joined(between(", ", [])).text == ""
