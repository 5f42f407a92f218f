"""What keeps a database from being used in a rehearsal: a shell stands in for the host's."""

from __future__ import annotations

import pytest

from bundler.payloads.prisma.facts import DatabaseFacts
from bundler.payloads.prisma.rehearse import hindrance

SUPPORTED = DatabaseFacts(supported=True, generate="demo/schema.prisma")
HELP = """USAGE:
    query-engine [FLAGS] [OPTIONS] [SUBCOMMAND]

FLAGS:
        --enable-metrics          Enables the metrics endpoints
    -r, --enable-raw-queries      Enables raw SQL queries with executeRaw/queryRaw mutation
"""


def said(text: str, facts: DatabaseFacts | None = SUPPORTED) -> str:
    return hindrance(facts, lambda words: text)


def test_an_engine_that_knows_the_clients_options_is_a_real_one() -> None:
    assert said(HELP) == ""


@pytest.mark.parametrize("text", ["", "\n", "query-engine 0000\n", "stand-in " * 100])
def test_any_other_is_a_stand_in(text: str) -> None:
    assert said(text) == "the engines are stand-ins: the query engine knows no --enable-raw-queries"


def test_an_engine_that_does_not_run_is_the_hosts_or_the_archives_fault() -> None:
    def run(words: str) -> str:
        if words.endswith('query-engine" --version'):
            raise OSError("error while loading shared libraries: libssl.so.3")
        return ""

    with pytest.raises(OSError, match="libssl"):
        hindrance(SUPPORTED, run)


def test_without_support_its_reason_is_told() -> None:
    assert said(HELP, DatabaseFacts(supported=False, reason="no engines")) == "not supported: no engines"
    assert said(HELP, None) == "not supported: the archive says nothing of it"
