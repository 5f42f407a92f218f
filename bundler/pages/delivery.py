"""A page of a release's delivery record: what was delivered, and what verifying and rehearsing it said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bundler.pages.frame import facts, page, section, summary
from bundler.pages.markup import Child, Markup, element, faint, mark, outside
from bundler.pages.table import Column, Row, bar, counted, megabytes, search_field, table
from bundler.pages.tiles import Tile, treemap
from bundler.release.record import DeliveredAsset, DeliveryRecord, RehearsalRecord, RehearsedStep, Verification

_SHADES = 8
_NO_RESULT = mark("no result", "bad")


def delivery_page(record: DeliveryRecord) -> str:
    """The page of a delivery record."""
    drawn, rules = _space(record)
    sections = (_summary(record), drawn, _assets(record), _verified(record), _rehearsed(record))
    return page(f"Delivery record {record.repository}".rstrip(), record.tag or "not published", sections, rules)


def _summary(record: DeliveryRecord) -> Markup:
    archives = [asset for asset in record.assets if asset.component]
    figures = [
        (f"{megabytes(sum(asset.size for asset in record.assets))} MB", counted(len(record.assets), "asset", "assets")),
        (str(len(archives)), "archives" if len(archives) != 1 else "archive"),
        (_verdict(record), "verified"),
        (f"{sum(one.ok for one in record.rehearsals)} of {len(_rehearsable(record))}", "rehearsed without a network"),
    ]
    run: Child = ""
    if record.run:
        run = outside(record.run, record.run), f" (attempt {record.attempt})"
    told: list[tuple[str, Child]] = [
        (label, value or "unknown")
        for label, value in (("Repository", record.repository), ("Commit", record.commit), ("Workflow run", run))
    ]
    return summary(figures, _faults(record.findings), facts(told))


def _verdict(record: DeliveryRecord) -> str:
    if not record.verifications:
        return "no result" if record.unverified else "not"
    return "yes" if all(one.ok for one in record.verifications) and not record.unverified else "NOT ok"


def _faults(texts: Sequence[str]) -> Child:
    return element("ul", [element("li", text) for text in texts], class_="plain bad") if texts else ""


def _space(record: DeliveryRecord) -> tuple[Markup, str]:
    names = list(dict.fromkeys(asset.component for asset in record.assets if asset.component))
    shades = {name: f"kind{min(number, _SHADES)}" for number, name in enumerate(names)}
    tiles = [
        Tile(
            asset.size,
            asset.name,
            f"{asset.name}: {megabytes(asset.size)} MB",
            f"#p{number}",
            shades.get(asset.component, "others"),
        )
        for number, asset in enumerate(record.assets)
    ]
    meanings = [(shade, name) for name, shade in shades.items()] + [("others", "beside archives, or over the release")]
    drawn = treemap(tiles, meanings, "#assets")
    return section("space", "What takes the space", drawn.markup), drawn.rules


def _assets(record: DeliveryRecord) -> Markup:
    most = max((asset.size for asset in record.assets), default=1) or 1
    columns = (
        Column("Asset"),
        Column("MB", number=True),
        Column(""),
        Column("What"),
        Column("For"),
        Column("SHA-256"),
    )
    ordered = sorted(enumerate(record.assets), key=lambda pair: (-pair[1].size, pair[1].name))
    rows = (_asset(number, asset, most) for number, asset in ordered)
    return section("assets", "Assets", search_field(), table("Assets", columns, rows, searched=True))


def _asset(number: int, asset: DeliveredAsset, most: int) -> Row:
    made = f"made from inputs {asset.inputs}" if asset.inputs else f"of commit {asset.commit}" if asset.commit else ""
    more = element("details", element("summary", "made from"), element("code", made)) if made else ""
    cells: tuple[Child, ...] = (
        element("b", asset.name),
        megabytes(asset.size),
        bar(asset.size / most),
        f"{asset.component} {asset.version}".strip(),
        asset.host,
        (element("code", asset.sha256), more),
    )
    return Row(cells, {"id": f"p{number}"})


def _judged(good: bool) -> Markup:
    return mark("ok", "good") if good else mark("NOT ok", "bad")


def _verified(record: DeliveryRecord) -> Markup:
    lines = [element("li", _NO_RESULT, f" {where}: {why}") for where, why in record.unverified.items()]
    lines += [line for one in record.verifications for line in _verification(one)]
    told: Child = element("ul", lines, class_="plain") if lines else element("p", "Not verified.")
    return section("verification", "Verification", told)


def _verification(one: Verification) -> Iterator[Markup]:
    for release in one.releases:
        name = f"{release.repository}@{release.tag}"
        where = outside(name, release.url) if release.url else name
        faults = [fault for archive in release.archives for fault in (*archive.integrity, *archive.closure)]
        error = (release.error.message,) if release.error else ()
        yield element("li", _judged(release.ok), " ", where, _faults((*error, *release.findings, *faults)))
    bad = [archive for archive in one.archives if not archive.ok]
    faults = [f"{archive.path}: {fault}" for archive in bad for fault in (*archive.integrity, *archive.closure)]
    if one.archives or one.folders:
        told = f" {counted(len(one.archives), 'archive', 'archives')} in a folder"
        yield element("li", _judged(not bad and not one.folders), told, _faults((*one.folders, *faults)))
    yield from (element("li", _NO_RESULT, f" {error.message}") for error in one.errors)


def _rehearsable(record: DeliveryRecord) -> list[str]:
    """The archives that were rehearsed, or could have been."""
    names = [asset.name for asset in record.assets if asset.host] + [one.name for one in record.rehearsals]
    return list(dict.fromkeys(names))


def _rehearsed(record: DeliveryRecord) -> Markup:
    there = {one.name: one for one in record.rehearsals}
    columns = (
        Column("Archive"),
        Column("Result"),
        Column("Seconds", number=True),
        Column("Attempts to reach a network", number=True),
        Column("Steps"),
    )
    rows = [Row((where, _NO_RESULT, "", "", why)) for where, why in record.unrehearsed.items()]
    most = max((step.seconds for one in record.rehearsals for step in one.steps), default=1.0) or 1.0
    for name in _rehearsable(record):
        one = there.get(name)
        rows.append(_rehearsal(one, most) if one else Row((name, faint("not rehearsed"), "", "", "")))
    told: Child = table("Rehearsals", columns, rows) if rows else element("p", "Nothing was rehearsed.")
    return section("rehearsals", "Rehearsals without a network", told)


def _rehearsal(one: RehearsalRecord, most: float) -> Row:
    versions = ", ".join(f"{what} {version}" for what, version in one.versions.items())
    steps = element("ul", [_step(step, most) for step in one.steps], class_="plain")
    count = counted(len(one.steps), "step", "steps")
    more = element("details", element("summary", count), steps) if one.steps else ""
    seconds = f"{sum(step.seconds for step in one.steps):.1f}"
    told = element("p", versions, class_="faint") if versions else ""
    return Row((one.name, _judged(one.ok), seconds, one.attempts, (_faults(one.failures), told, more)))


def _step(step: RehearsedStep, most: float) -> Markup:
    return element("li", _judged(step.ok), f" {step.name}, {step.seconds:.1f} s", bar(step.seconds / most))
