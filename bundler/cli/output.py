"""How commands print: one JSON document, or a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from bundler.errors import BundleError, printable

if TYPE_CHECKING:
    from bundler.pipeline.component_state import ComponentLock

_MOST_FINDINGS = 50
Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"


def print_json(document: Json) -> None:
    """Print one JSON document on standard output."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def print_table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print rows in columns of even width, the first row being the heading; columns in `right` are right-aligned."""
    if not rows:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def print_findings(findings: Sequence[str]) -> None:
    """Print what is wrong, one finding a line, the first fifty of very many."""
    for finding in findings[:_MOST_FINDINGS]:
        print(f"  - {printable(finding)}")
    if len(findings) > _MOST_FINDINGS:
        print(f"  - … and {len(findings) - _MOST_FINDINGS} more")


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
