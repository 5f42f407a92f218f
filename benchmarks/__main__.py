"""`python -m benchmarks [NAME…] [--json FILE]`: measure, and print ratios as a Markdown table. Nothing passes or fails.

Run it in the environment that aiws-bundle is installed in. It asks the package index as pip and aiws-bundle do, and
needs 5 GB of temporary disk space and about five minutes for everything but `growth`, which takes a quarter of an
hour and is measured only if it is named.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.cases import CASES, LONG, Row
from benchmarks.child import FailedError
from benchmarks.lab import Lab

_NOTES = """\
Measured in one run on one machine ({machine}), so that the ratios mean more than the times.
A median of {runs} runs, of {long_runs} for cold builds; pip counts with its quickest run. Peak: resident memory of the
process (or of a child that it waited for, if that was larger), MB = 10^6 bytes.
`pip wheel` was measured for debian-12 only, with the pip that Python 3.11 brings and with the newest; for several
targets that time is scaled by the bytes of their archives, not measured anew. It asks the same index for the same
requirements, and takes the newest versions that they allow; aiws-bundle takes those of the lock."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the chosen cases and print what they found."""
    parser = _parser()
    options = parser.parse_args(argv)
    if unknown := sorted(set(options.names) - set(CASES)):
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(CASES)}")
    rows: list[Row] = []
    try:
        with tempfile.TemporaryDirectory(prefix="aiws-benchmarks-") as folder:
            lab = Lab(Path(folder), options.runs, options.long_runs)
            for name in options.names or (name for name in CASES if name not in LONG):
                print(f"measuring {name} …", file=sys.stderr, flush=True)
                rows += CASES[name](lab)
    except FailedError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    facts = {"machine": _machine(), "runs": options.runs, "long_runs": options.long_runs}
    print("\n".join(_table(rows)))
    print("\n" + _NOTES.format(**facts))
    if options.json:
        options.json.write_text(json.dumps({**facts, "rows": [_json(row) for row in rows]}, indent=2) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description="Print ratios against pip, tar and gzip.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(CASES)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    parser.add_argument("--runs", type=int, default=3, help="runs of what is quick [default: 3]")
    parser.add_argument("--long-runs", type=int, default=1, help="runs of cold builds and of pip [default: 1]")
    return parser


def _machine() -> str:
    return f"{os.cpu_count()} CPUs, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def _table(rows: Sequence[Row]) -> Iterator[str]:
    """The rows in Markdown."""
    yield "| measure | aiws-bundle | against | takes | ratio | peak MB |"
    yield "|---|--:|---|--:|--:|--:|"
    for row in rows:
        theirs = _value(row.theirs, row.unit) if row.theirs is not None else ""
        peak = f"{row.peak:.0f}" if row.peak is not None else ""
        yield f"| {row.what} | {_value(row.ours, row.unit)} | {row.against} | {theirs} | {_ratio(row)} | {peak} |"


def _value(value: float, unit: str) -> str:
    return f"{value:.2f} {unit}" if value < 10 else f"{value:.1f} {unit}"


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return ""
    return f"{row.ratio:.1f} × faster" if row.faster else f"{row.ratio:.2f} ×"


def _json(row: Row) -> dict[str, str | float | None]:
    return {
        "what": row.what,
        "unit": row.unit,
        "ours": row.ours,
        "against": row.against,
        "theirs": row.theirs,
        "ratio": row.ratio,
        "ratio_means": "theirs / ours" if row.faster else "ours / theirs",
        "peak_mb": row.peak,
    }


if __name__ == "__main__":
    sys.exit(main())
