"""Database support through Prisma: its CLI from npm, its engines, and what lets a host use them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files

from bundler.model.bundle import MANIFEST
from bundler.model.target import Target
from bundler.model.verdict import Finding
from bundler.payloads.payload import Choice, Facts, Locker, Parts, Payload, Pinned, RunShell
from bundler.payloads.prisma.choice import NODE_WHEEL, Database
from bundler.payloads.prisma.facts import NOT_ASKED, DatabaseFacts
from bundler.payloads.prisma.pins import LockedDatabase
from bundler.payloads.prisma.support import DatabaseSupport
from bundler.session import Network, Session
from bundler.words import PATH_PART

SECTION = "database"
CHOICE = Database
PINS = LockedDatabase
FACTS = DatabaseFacts
# Its wheel stands among all others.
PLACES: tuple[str, ...] = ()
PROGRAMS: tuple[str, ...] = ()
LINKS: tuple[str, ...] = ()
TEXTS: tuple[str, ...] = ()
NOTED: Mapping[re.Pattern[str], Callable[[bytes], object]] = {}
HELPERS = (NODE_WHEEL,)
VARIABLES: Mapping[str, str] = {}
_SETTING = "database_schema"
# The script's line, if what it names is a `words.PlainPath`.
_SCHEMA = re.compile(rf"^{_SETTING}='({PATH_PART}(/{PATH_PART})*)'$".encode(), re.MULTILINE)


def of(parts: Parts) -> Payload | None:
    """The database support of an archive, if its lock pins it."""
    pinned = parts.sections.get(SECTION)
    return DatabaseSupport(pinned) if isinstance(pinned, LockedDatabase) else None


def serves(pinned: Pinned, choice: Choice, target: Target) -> bool:
    """Say whether pinned engines and npm packages are what a choice means on a target."""
    return isinstance(pinned, LockedDatabase) and isinstance(choice, Database) and pinned.serves(choice, target)


def locker(session: Session, network: Network) -> Locker:
    """What pins the engines and the npm packages, for one run."""
    from bundler.payloads.prisma.locking import Databases  # large: loaded when something is locked

    return Databases(session, network)


def facts(choice: Choice | None, pinned: Pinned | None, target: Target) -> DatabaseFacts:
    """What manifest.json says: always something, since consumers ask for it."""
    if not isinstance(choice, Database):
        return DatabaseFacts(supported=False, reason=NOT_ASKED)
    if not isinstance(pinned, LockedDatabase):
        return DatabaseFacts(supported=False, reason=choice.lacking(target))
    return DatabaseFacts(
        supported=True,
        wheel=pinned.wheel.filename,
        prisma_cli=pinned.prisma_cli,
        engines=pinned.commit,
        platform=pinned.platform,
        node=choice.node,
        generate=choice.schema,
    )


def disagreements(facts: Facts | None, pinned: Pinned | None, requirements: Sequence[str]) -> Iterator[Finding]:
    """Compare what manifest.json says with what the lock inside pins, and with the archive's requirements."""
    if not isinstance(facts, DatabaseFacts):
        yield Finding(f"{MANIFEST} says nothing of database support")
        return
    if facts.supported != isinstance(pinned, LockedDatabase):
        yield Finding(f"{MANIFEST} and the lock inside disagree on database support")
    if not isinstance(pinned, LockedDatabase):
        return
    locked = (pinned.wheel.filename, pinned.prisma_cli, pinned.commit, pinned.platform)
    if locked != (facts.wheel, facts.prisma_cli, facts.engines, facts.platform):
        yield Finding(f"{MANIFEST} speaks of another Prisma than the lock inside")
    asked = [text for text in requirements if text.startswith(NODE_WHEEL.partition(">")[0])]
    if (facts.node == "wheel") != bool(asked):
        yield Finding(f"{MANIFEST}: Node.js comes from {facts.node or 'nowhere'}, the requirements say otherwise")


@cache
def setup() -> str:
    """What generates the database client on the host."""
    return files("bundler.payloads.prisma").joinpath("setup.sh.part").read_text(encoding="utf-8")


def script_variables(choice: Choice | None) -> Mapping[str, str]:
    """The schema to generate a client from."""
    return {_SETTING: choice.schema if isinstance(choice, Database) else ""}


def script_variables_in(script: bytes, facts: Facts | None) -> Mapping[str, str]:
    """The same of an archive's script: which schema it is, only archives that support a database say elsewhere.

    One that was asked for none has none: else it was asked for one, and would be published without it unseen.
    """
    schema = facts.generate if isinstance(facts, DatabaseFacts) else ""
    lacking = not isinstance(facts, DatabaseFacts) or facts.lacking()
    if lacking and (found := _SCHEMA.search(script)):
        schema = found[1].decode()
    return {_SETTING: schema}


def rehearsal(facts: Facts | None, run: RunShell) -> Iterator[tuple[str, Callable[[], str]]]:
    """Generate the client as the consumers do."""
    from bundler.payloads.prisma.rehearse import steps  # loaded when something is rehearsed

    return steps(facts if isinstance(facts, DatabaseFacts) else None, run)


def hindrance(facts: Facts | None, run: RunShell) -> str:
    """Why no database can be used: there is no support, or the engines are stand-ins."""
    from bundler.payloads.prisma.rehearse import hindrance as found

    return found(facts if isinstance(facts, DatabaseFacts) else None, run)
