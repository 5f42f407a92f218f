"""A page of one archive: what takes the space, why each package is there, licences, and what is known against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bundler.model.advisories import Advisories, Issue, package_of, packages_of
from bundler.model.dependencies import Dependencies
from bundler.model.inventory import Inventory, Item
from bundler.pages.frame import facts, page, section, summary
from bundler.pages.markup import Child, Markup, between, element, faint, mark, outside
from bundler.pages.table import Column, Row, bar, counted, megabytes, search_field, table
from bundler.pages.tiles import Tile, treemap

_STEPS = (
    ("step0", "asked for"),
    ("step1", "needed by what was asked for"),
    ("step2", "two steps away"),
    ("step3", "further away"),
    ("others", "asked for by nothing that is known"),
)
_KINDS = ("wheel", "python", "program", "npm", "deb", "repository", "image", "archive", "file")
_ADVISORY = "https://osv.dev/vulnerability/"
_UNKNOWN = "not told"
_MOST_TOLD = 40


@dataclass(frozen=True)
class Subject:
    """An archive: its file's name and size in bytes, what it says of itself, what it holds, and what is known of that.

    `lines` are labels and texts for people.
    """

    name: str
    size: int
    lines: Sequence[tuple[str, str]]
    inventory: Inventory
    known: Advisories | None = None

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """What it holds, as the page lists it: the largest first."""
        return tuple(sorted(self.inventory.items, key=lambda item: (-item.size, item.name, item.purl)))

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The number of each item on the page, by purl."""
        return {item.purl: number for number, item in enumerate(self.items)}

    @cached_property
    def graph(self) -> Dependencies:
        """What needs what."""
        return Dependencies(self.inventory)

    @cached_property
    def issues(self) -> tuple[Issue, ...]:
        """What is known against what it holds."""
        return self.known.issues(packages_of(self.inventory)) if self.known else ()

    @cached_property
    def warned(self) -> Mapping[str, int]:
        """How many issues each item has, by purl, where it has any."""
        found: dict[str, int] = {}
        for issue in self.issues:
            for item in self.affected(issue):
                found[item.purl] = found.get(item.purl, 0) + 1
        return found

    def affected(self, issue: Issue) -> list[Item]:
        """The items that an issue is about."""
        return [item for item in self.items if package_of(item, self.inventory) in issue.packages]

    def link(self, item: Item, **attributes: str) -> Markup:
        """An item's name, which leads to its row."""
        return element("a", item.name, href=f"#p{self.places[item.purl]}", **attributes)


def archive_page(subject: Subject) -> str:
    """The page of an archive."""
    drawn, rules = _space(subject)
    sections = (_summary(subject), drawn, _packages(subject), _licences(subject), _advisories(subject))
    held = subject.inventory
    what = f"Archive of {held.component} {held.version}{f' for {held.host}' if held.host else ''}"
    return page(what, subject.name, sections, rules)


def _summary(subject: Subject) -> Markup:
    held = subject.inventory
    sizes = sum(item.size for item in held.items)
    figures: list[tuple[str, str]] = [
        (f"{megabytes(subject.size)} MB", "archive"),
        (str(len(held.items)), f"packages, {megabytes(sizes)} MB"),
        (str(len({licence for item in held.items for licence in item.licences})), "different licences"),
        (str(len(subject.issues)), "advisory" if len(subject.issues) == 1 else "advisories")
        if subject.known
        else ("–", "advisories: nobody was asked"),
    ]
    told = element("details", element("summary", "What it says of itself"), facts(subject.lines))
    return summary(figures, told if subject.lines else "")


def _space(subject: Subject) -> tuple[Markup, str]:
    total = sum(item.size for item in subject.items) or 1
    kinds = {kind for kind in _KINDS if sum(item.size for item in subject.items if item.kind == kind) > total / 100}
    legend = [(f"kind{_KINDS.index(kind)}", kind) for kind in _KINDS] if len(kinds) > 1 else list(_STEPS)
    tiles = [
        Tile(
            item.size,
            item.name,
            f"{item.name} {item.version}: {megabytes(item.size)} MB, {100 * item.size / total:.1f} %",
            f"#p{subject.places[item.purl]}",
            f"kind{_KINDS.index(item.kind)}" if len(kinds) > 1 else _step(subject, item),
        )
        for item in subject.items
    ]
    drawn = treemap(tiles, legend, "#packages")
    lead = "Each area is a package's size as it stands in the archive. Choose one to see what needs it."
    return section("space", "What takes the space", element("p", lead), drawn.markup), drawn.rules


def _step(subject: Subject, item: Item) -> str:
    steps = subject.graph.steps.get(item.purl)
    return "others" if steps is None else f"step{min(3, steps)}"


def _packages(subject: Subject) -> Markup:
    most = max((item.size for item in subject.items), default=1) or 1
    columns = (
        Column("Package"),
        Column("MB", number=True),
        Column("", hint="Its part of the largest"),
        Column("Brings MB", number=True, hint="What would go with it: itself, and all that nothing else needs"),
        Column("Licence"),
        Column("Why it is there"),
    )
    lead = "“Brings” is what would go with a package: itself, and all that nothing else needs."
    rows = (_package(subject, item, most) for item in subject.items)
    return section(
        "packages", "Packages", element("p", lead), search_field(), table("Packages", columns, rows, searched=True)
    )


def _package(subject: Subject, item: Item, most: int) -> Row:
    graph, place = subject.graph, subject.places
    steps = graph.steps.get(item.purl)
    warned = subject.warned.get(item.purl, 0)
    marks = [
        mark(item.kind) if item.kind != "wheel" else "",
        element("a", counted(warned, "advisory", "advisories"), href="#advisories", class_="mark bad")
        if warned
        else "",
    ]
    name = (subject.link(item, class_="name"), " ", element("span", item.version, class_="version"), " ", marks)
    brought = graph.brought.get(item.purl, item.size)
    return Row(
        (
            name,
            megabytes(item.size) if item.size else "",
            bar(item.size / most),
            megabytes(brought) if brought > item.size else "",
            " · ".join(item.licences) or faint(_UNKNOWN),
            _why(subject, item),
        ),
        {
            "id": f"p{place[item.purl]}",
            "data_steps": "" if steps is None else str(steps),
            "data_by": " ".join(str(place[one]) for one in graph.needed_by[item.purl]),
        },
    )


def _why(subject: Subject, item: Item) -> Child:
    graph = subject.graph
    way = graph.way_to(item.purl)
    chain: Child = between(" › ", [subject.link(one) for one in way[:-1]]) if len(way) > 1 else ""
    if not chain:
        chain = "asked for" if way else "part of it"
    known = subject.inventory.by_purl
    by, needs = ([known[purl] for purl in purls] for purls in (graph.needed_by[item.purl], graph.needs[item.purl]))
    lists = [
        element("p", element("b", what), " ", _names(subject, items), class_=kind)
        for what, items, kind in (("Needed by", by, "by"), ("Needs", needs, "needs"))
        if items
    ]
    counts = [text for text in (f"needed by {len(by)}" if by else "", f"needs {len(needs)}" if needs else "") if text]
    more = element("details", element("summary", " · ".join(counts)), lists, class_="more") if lists else ""
    return element("span", chain, class_="chain"), " ", more


def _names(subject: Subject, items: Iterable[Item]) -> Child:
    ordered = sorted(items, key=lambda item: item.name)
    more = f" and {len(ordered) - _MOST_TOLD} more" if len(ordered) > _MOST_TOLD else ""
    return between(", ", map(subject.link, ordered[:_MOST_TOLD])), more


def _licences(subject: Subject) -> Markup:
    found: dict[str, list[Item]] = {}
    for item in subject.items:
        for licence in item.licences or ("",):
            found.setdefault(licence, []).append(item)
    most = max(map(len, found.values()), default=1)
    rows = [
        Row(
            (
                licence or faint(_UNKNOWN),
                str(len(items)),
                bar(len(items) / most),
                megabytes(sum(item.size for item in items)),
                _few(subject, items),
            )
        )
        for licence, items in sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    ]
    columns = (
        Column("Licence"),
        Column("Packages", number=True),
        Column(""),
        Column("MB", number=True),
        Column("Which"),
    )
    lead = "As the packages declare them: SPDX expressions, or the names that their makers wrote."
    return section("licences", "Licences", element("p", lead), table("Licences", columns, rows))


def _few(subject: Subject, items: Sequence[Item]) -> Child:
    names = _names(subject, items)
    return names if len(items) <= 4 else element("details", element("summary", f"all {len(items)}"), names)


def _advisories(subject: Subject) -> Markup:
    known = subject.known
    if known is None:
        lead = (
            "Nobody was asked. They are here with --advisories FILE, which `aiws-bundle audit --snapshot FILE` writes."
        )
        return section("advisories", "Advisories", element("p", lead))
    uncovered = sum(not known.covers(package) for package in packages_of(subject.inventory))
    lead = f"As known on {known.made.isoformat()}, from {known.source}."
    missing = f" It tells nothing of {counted(uncovered, 'package', 'packages')}." if uncovered else ""
    if not subject.issues:
        return section(
            "advisories", "Advisories", element("p", lead, missing), element("p", "None is known.", class_="good")
        )
    columns = (Column("Advisory"), Column("Package"), Column("Severity"), Column("What"), Column("Not in"))
    rows = [_issue(subject, issue) for issue in subject.issues]
    return section("advisories", "Advisories", element("p", lead, missing), table("Advisories", columns, rows))


def _issue(subject: Subject, issue: Issue) -> Row:
    main, *others = issue.ids
    fixes = ", ".join(dict.fromkeys(fix for fixes in issue.versions.values() for fix in fixes))
    aliases = faint(" ".join(others)) if others else ""
    items = subject.affected(issue)
    return Row(
        (
            (outside(main, f"{_ADVISORY}{main}"), " ", aliases),
            between(", ", [(subject.link(item), " ", item.version) for item in items]),
            mark(issue.gravity or "unknown", "bad"),
            (issue.summary, "" if issue.certain else " (its versions cannot be compared)"),
            fixes or faint("no version known"),
        )
    )
