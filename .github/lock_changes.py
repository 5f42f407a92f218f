"""Print what `aiws-bundle --json lock` changed, as the body of a pull request; nothing if no version changed."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def body(document: dict[str, list[dict[str, object]]]) -> str:
    """Return Markdown: the changes of each lock, those that are alike told once."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for lock in document["locks"]:
        changes = lock["changes"]
        if isinstance(changes, list) and changes:
            alike.setdefault(tuple(map(str, changes)), []).append(str(lock["target"]))
    sections = []
    for changes, targets in alike.items():
        lines = "\n".join(f"    {change}" for change in changes)
        sections.append(f"### {', '.join(targets)}\n\n{lines}\n")
    return "\n".join(sections)


if __name__ == "__main__":
    sys.stdout.write(body(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
