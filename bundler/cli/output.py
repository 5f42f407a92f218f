"""How commands print tables and findings, and what of errors and components is JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bundler.errors import BundleError
from bundler.terminal import Json, one_line, say, say_block

if TYPE_CHECKING:
    from bundler.kinds.prebuilt.state import ComponentLock

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


def component_json(one: ComponentLock) -> Json:
    """What a component that another repository releases is locked to."""
    lock = one.lock
    return {
        "component": one.name,
        "state": one.state,
        "detail": one.detail,
        "repository": lock.repository if lock else None,
        "tag": lock.tag if lock else None,
        "commit": lock.commit if lock else None,
        "published": lock.published if lock else None,
        "archives": [{"name": a.name, "size": a.size, "sha256": a.sha256} for a in lock.assets] if lock else [],
        "error": error_json(one.error),
    }
