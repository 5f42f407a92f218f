"""SECURITY.md promises nothing that no test holds."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[^`]*)`", TEXT)))


def exists(named: str) -> bool:
    path, _, name = named.partition("::")
    function = name.partition("[")[0]
    return any(line.startswith(f"def {function}(") for line in (ROOT / path).read_text(encoding="utf-8").splitlines())


def test_every_test_that_is_named_exists() -> None:
    assert NAMED
    assert [named for named in NAMED if not exists(named)] == []


def test_every_promise_names_a_test() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("|") and not re.match(r"\|(-+\||.*held by)", line)]
    assert len(rows) > 15
    assert [row for row in rows if not re.search(r"\| `tests/[^|]+ \|$", row)] == []


def test_it_begins_with_how_to_report_and_what_is_trusted() -> None:
    report, trusted = re.findall(r"^## (.+)\n\n((?:.+\n|\n(?!## ))+)", TEXT, re.MULTILINE)[:2]
    assert report[0] == "Report a vulnerability"
    for word in ("Report a vulnerability", "private", "90 days", "newest release"):
        assert word in report[1].replace("\n", " ")
    assert trusted[0] == "What is trusted"
    assert trusted[1].count("\n* ") + trusted[1].startswith("* ") >= 4
    assert "stranger" in trusted[1]
