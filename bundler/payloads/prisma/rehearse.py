"""The steps of a rehearsal that show database support working: the client is generated, as the consumers do it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from posixpath import dirname

from bundler.payloads.payload import RunShell
from bundler.payloads.prisma.facts import DatabaseFacts

_PACKAGES = "$(python -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))')"
# The one that the CLI is run by.
_NODE = "python -c 'from prisma.cli._node import node; print(node.path)'"


def steps(facts: DatabaseFacts | None, run: RunShell) -> Iterator[tuple[str, Callable[[], str]]]:
    """Generate and load the client; say which Node.js did it."""
    if facts is None or not facts.supported:
        reason = facts.reason if facts else "the archive says nothing of it"
        yield "database: skipped", lambda: f"not supported: {reason}"
        return

    def generate() -> str:
        run(f'cd "{_PACKAGES}/{dirname(facts.generate)}"; prisma generate')
        run("python -c 'from prisma import Prisma; Prisma()'")
        return "Node.js " + run(f'"$({_NODE})" --version').strip().rpartition("\n")[2]

    yield "database: generate the client", generate
