"""What `aiws-bundle apply OLD OWNER/REPO@TAG` prints: which way was taken, and how many bytes that saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.cli import Options
from bundler.cli.closing import close
from bundler.cli.output import print_document
from bundler.sizes import size_text
from bundler.terminal import Json, say_long

if TYPE_CHECKING:
    from bundler.release.way import Way


def way_taken(options: Options, way: Way, old: Path, out: Path, *, dry_run: bool) -> int:
    """Print a way, and return the exit code; in a dry run it was not gone, and with no steps there is none to go."""
    path = old if not way.steps else None if dry_run else out / way.archive
    if options.json:
        print_document(_json(way, path))
        return 0
    release = f"{way.repository}@{way.tag}"
    if not way.steps:
        say_long(f"{old} is {way.archive} of {release} already")
        return 0
    would = "would be " if dry_run else ""
    saved = f", {size_text(way.saved)} less than the archive" if way.saved else ""
    say_long(f"{way.archive} of {release}: {size_text(way.downloaded)} {would}downloaded{saved}")
    for step in way.steps:
        had = size_text(step.size) if step.size else "at hand"
        say_long(f"  {had:>9}  {step.name} of {step.tag}", " " * 13)
    if path:
        close(options, f"{path} is what {release} lists", ["verify", path])
    return 0


def _json(way: Way, path: Path | None) -> Mapping[str, Json]:
    return {
        "path": str(path) if path else None,
        "repository": way.repository,
        "tag": way.tag,
        "archive": way.archive,
        "size": way.size,
        "sha256": way.sha256,
        "downloaded": way.downloaded,
        "saved": way.saved,
        "steps": [{"tag": step.tag, "name": step.name, "size": step.size} for step in way.steps],
    }
