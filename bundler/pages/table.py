"""Tables: what is read without a script is sorted with one, and on a phone each row is a card of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bundler.model.comparison_text import mb
from bundler.pages.markup import Child, Markup, element

_LINE = Markup("\n")


@dataclass(frozen=True)
class Column:
    """A column's heading; numbers are aligned to the right. `hint` is told where a pointer rests on the heading."""

    heading: str
    number: bool = False
    hint: str = ""


@dataclass(frozen=True)
class Row:
    """A row: a cell a column, the first of which names it, and attributes of its own."""

    cells: Sequence[Child]
    attributes: dict[str, str | int | bool] = field(default_factory=dict)


def table(caption: str, columns: Sequence[Column], rows: Iterable[Row], *, searched: bool = False) -> Markup:
    """A table; a reader that shows nothing is told its caption. `searched`: what the search field is for."""
    heads = [
        element("th", column.heading, scope="col", class_="number" if column.number else "", title=column.hint)
        for column in columns
    ]
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", heads)),
        element("tbody", [_row(columns, row) for row in rows]),
        class_="searched" if searched else "",
    )


def _row(columns: Sequence[Column], row: Row) -> tuple[Markup, Markup]:
    cells = []
    for number, (column, cell) in enumerate(zip(columns, row.cells, strict=True)):
        name, kind = ("td", "number" if column.number else "") if number else ("th", "")
        scope = "" if number else "row"
        cells.append(element(name, cell, scope=scope, class_=kind, data_label=column.heading))
    return element("tr", cells, **row.attributes), _LINE


def bar(share: float) -> Markup:
    """How much of a whole something is (0 to 1), drawn."""
    width = f"{100 * min(1.0, max(0.0, share)):.1f}%"
    return element("svg", element("rect", width=width, height="100%"), class_="bar", aria_hidden="true")


def gained(gain: int, most: int) -> Markup:
    """A gain or a loss drawn from the middle, `most` being as long as half the bar."""
    share = 50 * min(1.0, abs(gain) / most) if most else 0.0
    drawn = element("rect", x=f"{50 if gain > 0 else 50 - share:.1f}%", width=f"{share:.1f}%", height="100%")
    middle = element("rect", x="50%", width="1", height="100%", class_="middle")
    return element("svg", drawn, middle, class_="gain grew" if gain > 0 else "gain shrank", aria_hidden="true")


def megabytes(size: int, *, sign: bool = False) -> str:
    """Bytes in MB, as other lists of sizes have them, but no more than three digits after the point."""
    return mb(size, sign=sign) if abs(size) >= 500 or not size else f"{size / 1e6:{'+' if sign else ''}.3f}"


def search_field() -> Markup:
    """Where a page's tables are searched; only a script shows it."""
    field = element("input", type="search", id="search", autocomplete="off")
    found = element("output", id="found", aria_live="polite")
    return element("p", element("label", "Search ", field), " ", found, class_="search", hidden=True)


def counted(number: int, one: str, more: str) -> str:
    """A number of things."""
    return f"{number:,} {one if number == 1 else more}"
