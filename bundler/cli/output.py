"""How commands print tables, findings and results, and what of errors and components is JSON."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from bundler.errors import BundleError
from bundler.model.outcome import Outcome, document_of
from bundler.terminal import (
    Json,
    Part,
    Style,
    Styled,
    annotate,
    columns,
    draws,
    on_github,
    one_line,
    plain,
    say,
    say_block,
    say_json,
    say_long,
    warn,
    warn_block,
)

if TYPE_CHECKING:
    from bundler.progress import Progress

_MOST_FINDINGS = 50
_GAP = 2
# A column of a table is not made narrower than this, however narrow the terminal is.
_NARROWEST = 12
_STYLES: dict[str, Style] = {
    **dict.fromkeys(("ok", "built", "locked", "renamed", "current", "unchanged"), "good"),
    **dict.fromkeys(("NOT ok", "failed", "FAILED", "malformed"), "bad"),
    **dict.fromkeys(("stale", "missing"), "caution"),
}

# Of every document that `--json` prints; docs/json.md says when it changes.
SCHEMA_VERSION = 1

# What begins a message of the tool about itself.
OURSELVES = Styled("aiws-bundle:", "bad")

T = TypeVar("T", bound=Hashable)
# What is lacking: names, and why.
Lacking: TypeAlias = tuple[tuple[str, str], ...]


def choose(*, quiet: bool, json: bool, bars: bool) -> Progress:
    """What shows progress: nothing with `quiet` or `json`, bars on a terminal that wants them, else lines or groups."""
    from bundler.progress import Groups, Lines, Silent

    if quiet or json:
        return Silent()
    if bars and draws():
        from bundler.live import Terminal  # large

        return Terminal()
    return Groups() if on_github() else Lines()


def result(word: str) -> Part:
    """A word that says how something stands, in its colour: one word has the same colour everywhere."""
    return Styled(word, _STYLES[word]) if word in _STYLES else word


def print_table(rows: Sequence[Sequence[Part]], right: Sequence[int] = ()) -> None:
    """Print rows in columns of even width, the first row being the heading; columns in `right` are right-aligned.

    On a terminal that is too narrow the widest columns are wrapped.
    """
    if not rows:
        return
    widths = [max(len(plain(row[column])) for row in rows) for column in range(len(rows[0]))]
    if room := columns():
        _narrow(widths, room - _GAP * (len(widths) - 1))
    for row in rows:
        first, *others = zip(row, widths, strict=True)
        # What begins a line is ours alone.
        cells = [_wrapped(*first, indent="  "), *(_wrapped(*cell) for cell in others)]
        for line in zip_longest(*cells, fillvalue=""):
            _print_row(line, widths, right)


def _narrow(widths: list[int], room: int) -> None:
    """Take from the widest columns until all fit into `room` characters, or none is wide any more."""
    while sum(widths) > room and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1


def _wrapped(cell: Part, width: int, indent: str = "") -> Sequence[Part]:
    """A cell as lines no longer than `width`."""
    text = plain(cell)
    if len(text) <= width:
        return (cell,)
    from textwrap import wrap

    lines = wrap(text, width, subsequent_indent=indent)
    return [Styled(line, cell.style) if isinstance(cell, Styled) else line for line in lines]


def _print_row(cells: Sequence[Part], widths: Sequence[int], right: Sequence[int]) -> None:
    parts: list[Part] = []
    start = written = 0
    for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        if length := len(plain(cell)):
            place = start + width - length if column in right else start
            parts += [" " * (place - written), cell]
            written = place + length
        start += width + _GAP
    say(*parts)


def alike(pairs: Iterable[tuple[T, str]]) -> dict[T, list[str]]:
    """The names that each value stands for, of pairs of a value and a name; in the order in which they come."""
    names: dict[T, list[str]] = {}
    for value, name in pairs:
        names.setdefault(value, []).append(name)
    return names


def print_lacking(lacking: Sequence[tuple[str, Lacking]], advice: str) -> None:
    """Print which targets are without what their manifests ask for, pairs of a target and what it lacks; what to do."""
    pairs = [((name, reason), target) for target, some in lacking for name, reason in some]
    for name in dict.fromkeys(name for (name, _), _ in pairs):
        own = [(reason, target) for (other, reason), target in pairs if other == name]
        say()
        say_long(f"without {name} support ({len(own)}): {advice}")
        for reason, targets in alike(own).items():
            say_long(f"  {', '.join(targets)}: {reason}")


def why(lacking: Lacking) -> str:
    """Why things are lacking, in one line, as `--json` tells it."""
    return "; ".join(reason for _, reason in lacking)


def complain(error: BundleError) -> None:
    """Print an error for people: what happened, to what, what to do next."""
    with suppress(OSError):  # there is nowhere else to say it
        warn_block(f" {error.message}", lead=OURSELVES)
        if error.hint:
            warn_block(f"  hint: {error.hint}")
        if on_github():
            annotate(f"{error.message}\nhint: {error.hint}" if error.hint else error.message)


def complain_of_all(failed: Iterable[tuple[str, BundleError]]) -> None:
    """Print errors, each with the name of what failed; those that are alike once, with all their names."""
    told = alike(((error.message.removeprefix(f"{name}: "), error.hint), name) for name, error in failed)
    for (message, hint), names in told.items():
        sys.stdout.flush()
        warn()
        warn_block(one_line(f"{', '.join(names)} failed:"))
        complain(BundleError(message, hint))


def print_findings(findings: Sequence[str]) -> None:
    """Print what is wrong, one finding a line, the first fifty of very many."""
    for finding in findings[:_MOST_FINDINGS]:
        say_block(f"  - {finding}", "    ")
    if len(findings) > _MOST_FINDINGS:
        say(f"  - … and {len(findings) - _MOST_FINDINGS} more")


def versioned(document: Mapping[str, Json]) -> Mapping[str, Json]:
    """A document for programs, with the version of its form at the top."""
    return {"schema_version": SCHEMA_VERSION, **document}


def print_document(document: Mapping[str, Json]) -> None:
    """Print what `--json` asked for: one document, described by the command's schema in schemas/output/."""
    say_json(versioned(document))


def error_json(error: BundleError | None) -> Json:
    """An error as JSON, or null."""
    if error is None:
        return None
    return {"message": error.message, "hint": error.hint, "exit_code": error.exit_code}


def component_json(one: Outcome) -> Json:
    """What a component that another repository releases is locked to."""
    return {**document_of(one), "error": error_json(one.error)}
