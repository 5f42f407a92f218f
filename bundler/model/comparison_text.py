"""A comparison as people read it: rows of tables, and a Markdown page in which no name of a package is markup.

In Markdown everything that archives say stands in indented code blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

from bundler.model.changes import Shared
from bundler.model.comparison import Comparison, Gain, Pair
from bundler.model.item_change import ItemChange
from bundler.model.markdown import block
from bundler.terminal import one_line

MOST_GAINS = 10
_MOST_VERSIONS = 3
_GAP = "  "


def totals(comparison: Comparison) -> list[tuple[str, ...]]:
    """A table's rows, heading first: what each archive that differs holds before and after, and its file's size."""
    pairs = [pair for pair in comparison.pairs if pair.differs]
    sized = any(pair.before.file and pair.after.file for pair in pairs)
    heading = ("", "packages", "MB of packages", "", *(("MB of archive", "") if sized else ()))
    rows: list[tuple[str, ...]] = [heading]
    for pair in pairs:
        size, gained = _from_to(pair.before.size, pair.after.size)
        file = _from_to(pair.before.file, pair.after.file) if pair.before.file and pair.after.file else ("-", "")
        rows.append((pair.name, _counted(pair), size, gained, *(file if sized else ())))
    return rows


def _counted(pair: Pair) -> str:
    before, after = pair.before.items, pair.after.items
    return f"{before} -> {after}" if before != after else str(after)


def _from_to(before: int, after: int) -> tuple[str, str]:
    """A size in MB before and after, and what it gained."""
    if before == after:
        return mb(after), ""
    return f"{mb(before)} -> {mb(after)}", mb(after - before, sign=True)


def mb(size: int, *, sign: bool = False) -> str:
    """Bytes in MB: `12.3`, or with its sign `+12.3`; what is less than 50 kB has more digits."""
    value = size / 1e6
    digits = 1 if abs(value) >= 0.05 or not size else 3 if abs(value) >= 0.0005 else 6
    return f"{value:{'+' if sign else ''}.{digits}f}"


def gains(comparison: Comparison, most: int = MOST_GAINS) -> list[tuple[str, ...]]:
    """A table's rows, heading first: what gained or lost most; none if nothing did."""
    several = len(comparison.pairs) > 1
    rows: list[tuple[str, ...]] = [("MB each", "package", "archives") if several else ("MB", "package")]
    for gain in comparison.gains[:most]:
        rows.append((_each(gain), _named(gain), *((str(gain.archives),) if several else ())))
    return rows if len(rows) > 1 else []


def _each(gain: Gain) -> str:
    least, most = mb(gain.least, sign=True), mb(gain.most, sign=True)
    return least if least == most else f"{least} to {most}"


def _named(gain: Gain) -> str:
    named = gain.name if gain.kind == "wheel" else f"{gain.name} ({gain.kind})"
    if not gain.before:
        return f"+ {named} {_versions(gain.after)}"
    if not gain.after:
        return f"- {named} {_versions(gain.before)}"
    before, after = _versions(gain.before), _versions(gain.after)
    return f"{named} {before} -> {after}" if before != after else f"{named} {after}"


def _versions(versions: Sequence[str]) -> str:
    shown = ", ".join(versions[:_MOST_VERSIONS])
    return f"{shown}, …" if len(versions) > _MOST_VERSIONS else shown


def more_gains(comparison: Comparison, most: int = MOST_GAINS) -> str:
    """What of the gains is not among the first `most`, in a line; "" if all are."""
    rest = comparison.gains[most:]
    return f"and {len(rest)} more, {mb(sum(one.total for one in rest), sign=True)} MB together" if rest else ""


def sharing(group: Shared[ItemChange], comparison: Comparison) -> str:
    """Whose changes a group's are: all archives', or those named."""
    if len(group.targets) == len(comparison.pairs) > 1:
        return f"all {len(group.targets)}"
    return ", ".join(group.targets)


def alone(comparison: Comparison) -> list[str]:
    """Lines that tell of archives that are in no table: those that do not differ, and those that one side has alone."""
    same = sum(not pair.differs for pair in comparison.pairs)
    alike = [f"{same} do not differ"] if same else []
    sides = (("old", comparison.only_old), ("new", comparison.only_new))
    return [*alike, *(f"only in the {side} set: {', '.join(names)}" for side, names in sides if names)]


def markdown(comparison: Comparison, title: str, limit: int = 0, most: int = MOST_GAINS) -> str:
    """A section of a Markdown page; where it has a `limit` of characters the last lines are left out, and that is said.

    `title` is ours and may hold markup. Empty if nothing differs.
    """
    if not comparison.differs:
        return ""
    blocks = [f"### {title}"]
    blocks += [block(_laid_out(rows, (1, 3, 5)))] if len(rows := totals(comparison)) > 1 else []
    blocks += [block(alone(comparison))] if alone(comparison) else []
    if rows := gains(comparison, most):
        rest = more_gains(comparison, most)
        blocks += ["#### Where the megabytes went", block([*_laid_out(rows, (0,)), *([rest] if rest else [])])]
    if comparison.shared:
        blocks.append("#### What changed")
        for group in comparison.shared:
            lines = [f"{sharing(group, comparison)}:", *(f"  {change}" for change in group.changes)]
            blocks.append(block(lines))
            blocks.append("<!-- -->")  # else two code blocks are one
    text = "\n\n".join(blocks).removesuffix("\n\n<!-- -->") + "\n"
    return _cut(text, limit) if limit and len(text) > limit else text


def _laid_out(rows: Sequence[Sequence[str]], right: Sequence[int]) -> list[str]:
    """A table's rows in columns of even width; those in `right` are right-aligned."""
    widths = [max(len(one_line(cell)) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(map(one_line, row), widths, strict=True)
        padded = [c.rjust(w) if number in right else c.ljust(w) for number, (c, w) in enumerate(cells)]
        lines.append(_GAP.join(padded).rstrip())
    return lines


def _cut(text: str, limit: int) -> str:
    note = "\n    … the rest is left out: it is too long\n"
    kept = text[: max(0, limit - len(note))].rpartition("\n")[0]
    return kept + note if kept else ""
