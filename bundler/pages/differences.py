"""A page of what differs between two sets of archives: where the megabytes went, and what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from bundler.model.changes import Shared
from bundler.model.comparison import Comparison, Gain, Pair
from bundler.model.comparison_text import alone, sharing
from bundler.model.item_change import Event, ItemChange
from bundler.pages.frame import page, section, summary
from bundler.pages.markup import Child, Markup, between, element, faint, mark
from bundler.pages.table import Column, Row, counted, gained, megabytes, search_field, table

_WORDS: Mapping[Event, tuple[str, str]] = {
    "opened": ("advisory opened", "bad"),
    "closed": ("advisory closed", "good"),
    "rebuilt": ("rebuilt: other bytes, same name", "caution"),
    "startup": ("runs at every start", "caution"),
    "publisher": ("publisher", "caution"),
    "licence": ("licence", "caution"),
    "added": ("added", "good"),
    "removed": ("removed", ""),
    "down": ("older", "caution"),
    "up": ("newer", ""),
    "changed": ("changed", ""),
    "file": ("another file", ""),
}
_FIRST = 20
_MOST_VERSIONS = 4
# The way from what was asked for to an item, by the item's kind and name.
Ways = Mapping[tuple[str, str], Sequence[str]]


def differences_page(old: str, new: str, comparison: Comparison, ways: Ways) -> str:
    """The page of a comparison; `ways` lead to what was added."""
    sections = (_summary(comparison), _archives(comparison), _megabytes(comparison), _changes(comparison, ways))
    return page("What differs", " → ".join(_apart(old, new)), sections)


def _apart(old: str, new: str) -> tuple[str, str]:
    """Two paths without the folders that both are in."""
    before, after = old.split("/"), new.split("/")
    number = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before[:-1], after[:-1], strict=False)))
    return "/".join(before[number:]), "/".join(after[number:])


def _summary(comparison: Comparison) -> Markup:
    changes = [change for group in comparison.shared for change in group.changes]
    before = sum(pair.before.size for pair in comparison.pairs)
    after = sum(pair.after.size for pair in comparison.pairs)
    heavier = f"{megabytes(after - before, sign=True)} MB"
    figures = [
        (heavier, f"of packages, {megabytes(before)} → {megabytes(after)} MB"),
        *((str(number), what) for what, number in _counts(changes)),
    ]
    lines = [element("p", line, class_="faint") for line in alone(comparison)]
    if not comparison.differs:
        lines.append(element("p", "Nothing differs.", class_="good"))
    return summary(figures, lines)


def _counts(changes: Sequence[ItemChange]) -> Iterator[tuple[str, int]]:
    """How many changes there are of each sort; of advisories only where there are any."""
    events = [change.event for change in changes]
    yield "added", events.count("added")
    yield "removed", events.count("removed")
    yield "other versions", events.count("up") + events.count("down") + events.count("changed")
    if opened := events.count("opened"):
        yield "advisories opened", opened
    if closed := events.count("closed"):
        yield "advisories closed", closed


def _archives(comparison: Comparison) -> Markup:
    pairs = [pair for pair in comparison.pairs if pair.differs]
    if not pairs:
        return element("section", hidden=True)
    most = max(abs(pair.after.size - pair.before.size) for pair in pairs)
    sized = any(pair.before.file and pair.after.file for pair in pairs)
    columns = (
        Column("Archive"),
        Column("Packages", number=True),
        Column("MB of packages", number=True),
        Column("Gained MB", number=True),
        Column(""),
        *((Column("MB of archive", number=True),) if sized else ()),
    )
    rows = (_pair(pair, most, sized=sized) for pair in pairs)
    return section("archives", "Archives", table("Archives", columns, rows))


def _pair(pair: Pair, most: int, *, sized: bool) -> Row:
    before, after = pair.before, pair.after
    gain = after.size - before.size
    file = _from_to(megabytes(before.file), megabytes(after.file)) if before.file and after.file else ""
    return Row(
        (
            pair.name,
            _from_to(str(before.items), str(after.items)),
            _from_to(megabytes(before.size), megabytes(after.size)),
            megabytes(gain, sign=True) if gain else "0",
            gained(gain, most),
            *((file,) if sized else ()),
        )
    )


def _from_to(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _megabytes(comparison: Comparison) -> Markup:
    gains = comparison.gains
    if not gains:
        return element("section", hidden=True)
    several = len(comparison.pairs) > 1
    most = max(max(abs(gain.least), abs(gain.most)) for gain in gains)
    columns = (
        Column("Package"),
        Column("Gained MB", number=True, hint="In each archive"),
        Column(""),
        Column("Before"),
        Column("After"),
        *((Column("Archives", number=True),) if several else ()),
    )
    rows = [_gain(gain, most, several=several) for gain in gains]
    first = table("What gained or lost most", columns, rows[:_FIRST])
    rest: Child = ""
    if more := rows[_FIRST:]:
        total = megabytes(sum(gain.total for gain in gains[_FIRST:]), sign=True)
        told = element("summary", f"{counted(len(more), 'more', 'more')}, {total} MB together")
        rest = element("details", told, table("What gained or lost less", columns, more))
    key = [element("li", element("span", class_=f"key {what}"), what) for what in ("gained", "lost")]
    return section("megabytes", "Where the megabytes went", element("ul", key, class_="legend"), first, rest)


def _gain(gain: Gain, most: int, *, several: bool) -> Row:
    least, much = megabytes(gain.least, sign=True), megabytes(gain.most, sign=True)
    furthest = max(gain.least, gain.most, key=abs)
    return Row(
        (
            (_named(gain.kind, gain.name)),
            least if least == much else f"{least} to {much}",
            gained(furthest, most),
            _versions(gain.before),
            _versions(gain.after),
            *((str(gain.archives),) if several else ()),
        )
    )


def _named(kind: str, name: str) -> Child:
    return element("b", name), " ", mark(kind) if kind != "wheel" else ""


def _versions(versions: Sequence[str]) -> Child:
    if not versions:
        return faint("not there")
    more = f" and {len(versions) - _MOST_VERSIONS} more" if len(versions) > _MOST_VERSIONS else ""
    return f"{', '.join(versions[:_MOST_VERSIONS])}{more}"


def _changes(comparison: Comparison, ways: Ways) -> Markup:
    if not comparison.shared:
        return element("section", hidden=True)
    several, led = len(comparison.pairs) > 1, bool(ways)
    columns = (
        Column("Package"),
        Column("What"),
        Column("Before"),
        Column("After"),
        *((Column("Archives"),) if several else ()),
        *((Column("Why it is there"),) if led else ()),
    )
    rows = [
        _change(change, group, comparison, ways, several=several)
        for group in comparison.shared
        for change in group.changes
    ]
    drawn = table("What changed", columns, rows, searched=True)
    return section("changes", "What changed", search_field(), drawn)


def _change(change: ItemChange, group: Shared[ItemChange], comparison: Comparison, ways: Ways, *, several: bool) -> Row:
    way = ways.get((change.kind, change.name), ()) if change.event == "added" else ()
    version = (" ", element("span", change.version, class_="version")) if change.version else ""
    return Row(
        (
            (_named(change.kind, change.name), version),
            mark(*_WORDS[change.event]),
            change.before,
            change.after,
            *((_sharing(group, comparison),) if several else ()),
            *((between(" › ", way[:-1]) if len(way) > 1 else "asked for" if way else "",) if ways else ()),
        )
    )


def _sharing(group: Shared[ItemChange], comparison: Comparison) -> Child:
    told = sharing(group, comparison)
    if len(group.targets) <= 2 or told.startswith("all "):
        return told
    return element("details", element("summary", counted(len(group.targets), "archive", "archives")), told)
