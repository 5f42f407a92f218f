"""The records of decisions in docs/adr: numbered, in one form, each in the index, with links that lead somewhere."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "docs" / "adr"
RECORDS = sorted(path for path in FOLDER.iterdir() if path.name != "README.md")
FORM = re.compile(
    r"# (?P<number>\d+)\. (?P<title>[^\n]+)\n\n"
    r"\* Status: (?P<status>[^\n]+)\n\* Date: (?P<date>[^\n]+)\n(?:\* Commits: [0-9a-f]{7}(?:, [0-9a-f]{7})*\n)?\n"
    r"## Context\n\n(?P<context>.+?)\n\n## Decision\n\n(?P<decision>.+?)\n\n## Consequences\n\n(?P<consequences>.+)\n",
    re.DOTALL,
)


def read(path: Path) -> dict[str, str]:
    found = FORM.fullmatch(path.read_text(encoding="utf-8"))
    assert found, f"{path.name} is not in the form of docs/adr/README.md"
    return found.groupdict()


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name)
def test_a_record_has_the_form(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    record = read(path)
    assert re.fullmatch(r"\d{4}(-[a-z]+)+\.md", path.name)
    assert int(path.name[:4]) == int(record["number"])
    assert re.fullmatch(r"proposed|accepted|rejected|superseded by \[\d+\]\(\d{4}-[a-z-]+\.md\)", record["status"])
    assert date.fromisoformat(record["date"])
    assert text.count("\n## ") == 3
    assert 25 <= text.count("\n") <= 40, "short enough to be read, long enough to say why"


def test_no_number_is_missing_or_taken_twice() -> None:
    assert [int(read(path)["number"]) for path in RECORDS] == list(range(1, len(RECORDS) + 1))
    assert len(RECORDS) >= 10


def test_the_index_lists_each_record_by_its_title() -> None:
    rows = re.findall(
        r"^\| (\d+) \| \[(.+)\]\((.+)\) \|$", (FOLDER / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert rows == [(read(path)["number"], read(path)["title"], path.name) for path in RECORDS]


@pytest.mark.parametrize("path", [*RECORDS, FOLDER / "README.md"], ids=lambda path: path.name)
def test_every_link_leads_to_a_file(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert target == "file" or (FOLDER / target).is_file(), target
    for number, target in re.findall(r"\[(\d+)\]\((\d{4})-[^)]+\)", text):
        assert int(number) == int(target)
    for name in re.findall(r"`(docs/[^`]+|tests/[^`]+)`", text):
        assert (FOLDER.parent.parent / name).is_file(), name
