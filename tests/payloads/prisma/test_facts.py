"""What an archive says of database support, and what of that keeps it from being published."""

from __future__ import annotations

import pytest

from bundler.payloads.prisma import script_variables_in
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


@pytest.mark.parametrize(
    ("facts", "schema"),
    [
        (DatabaseFacts(supported=True, generate="a/b.prisma"), "a/b.prisma"),
        (DatabaseFacts(supported=False, reason="no engines"), "c.prisma"),
        (DatabaseFacts(supported=False, reason=NOT_ASKED), ""),
    ],
)
def test_a_script_has_a_schema_only_where_a_database_was_asked_for(facts: DatabaseFacts, schema: str) -> None:
    script = b"#!/bin/sh\ndatabase_schema='c.prisma'\n"
    assert script_variables_in(script, facts) == {"database_schema": schema}
