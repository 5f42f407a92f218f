"""How commands print tables and findings, and what of errors and components is JSON."""

from __future__ import annotations

from collections.abc import Sequence

from bundler.errors import BundleError
from bundler.model.outcome import Outcome, document_of
from bundler.terminal import Json, one_line, say, say_block

_MOST_FINDINGS = 50


def print_table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print rows in columns of even width, the first row being the heading; columns in `right` are right-aligned."""
    if not rows:
        return
    rows = [[one_line(text) for text in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        say("  ".join(cells).rstrip())


def print_findings(findings: Sequence[str]) -> None:
    """Print what is wrong, one finding a line, the first fifty of very many."""
    for finding in findings[:_MOST_FINDINGS]:
        say_block(f"  - {finding}", "    ")
    if len(findings) > _MOST_FINDINGS:
        say(f"  - … and {len(findings) - _MOST_FINDINGS} more")


def error_json(error: BundleError | None) -> Json:
    """An error as JSON, or null."""
    if error is None:
        return None
    return {"message": error.message, "hint": error.hint, "exit_code": error.exit_code}


def component_json(one: Outcome) -> Json:
    """What a component that another repository releases is locked to."""
    return {**document_of(one), "error": error_json(one.error)}
