"""The steps of a rehearsal that show database support working: the client is generated, as the consumers do it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from posixpath import dirname

from bundler.payloads.payload import RunShell
from bundler.payloads.prisma.facts import NOT_ASKED, DatabaseFacts
from bundler.payloads.prisma.places import ENGINES_FOLDER

_PACKAGES = "$(python -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))')"
# The one that the CLI is run by.
_NODE = "python -c 'from prisma.cli._node import node; print(node.path)'"

_OPTION = "--enable-raw-queries"


def steps(facts: DatabaseFacts | None, run: RunShell) -> Iterator[tuple[str, Callable[[], str]]]:
    """Generate and load the client; say which Node.js did it. Nothing where no manifest asks for a database."""
    if facts and facts.reason == NOT_ASKED:
        return
    if reason := _unsupported(facts):
        yield "database: skipped", lambda: reason
        return
    schema = facts.generate if facts else ""

    def generate() -> str:
        run(f'cd "{_PACKAGES}/{dirname(schema)}"; prisma generate')
        run("python -c 'from prisma import Prisma; Prisma()'")
        return "Node.js " + run(f'"$({_NODE})" --version').strip().rpartition("\n")[2]

    yield "database: generate the client", generate


def hindrance(facts: DatabaseFacts | None, run: RunShell) -> str:
    """Why no database can be used. A real engine tells of the options that the client starts it with.

    One that does not run on this host fails what `run` runs: it is no stand-in's fault.
    """
    if reason := _unsupported(facts):
        return reason
    engine = f'"{_PACKAGES}/{ENGINES_FOLDER}/query-engine"'
    run(f"{engine} --version")
    said = run(f"{engine} --help || true")
    return "" if _OPTION in said else f"the engines are stand-ins: the query engine knows no {_OPTION}"


def _unsupported(facts: DatabaseFacts | None) -> str:
    if facts is None:
        return "not supported: the archive says nothing of it"
    return "" if facts.supported else f"not supported: {facts.reason}"
