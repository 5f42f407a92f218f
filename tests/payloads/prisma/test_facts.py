"""What an archive says of database support, and what of that keeps it from being published."""

from __future__ import annotations

import pytest

from bundler.payloads.prisma.facts import NOT_ASKED, DatabaseFacts


@pytest.mark.parametrize(
    ("facts", "lacking"),
    [
        (DatabaseFacts(supported=True), ""),
        (DatabaseFacts(supported=False, reason=NOT_ASKED), ""),
        (DatabaseFacts(supported=False, reason="no engines"), "no engines"),
        (DatabaseFacts(supported=False), "it does not say why"),
    ],
)
def test_who_does_not_say_why_lacks_it(facts: DatabaseFacts, lacking: str) -> None:
    assert facts.lacking() == lacking
