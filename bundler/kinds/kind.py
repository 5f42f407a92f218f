"""What a kind of component is: how its manifest is read, its locks are made, its archives made and judged.

The module that a kind stands in is its entry of the table (`kinds.KINDS`). A `Component` is one manifest of a kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeAlias

from bundler.errors import Problem
from bundler.model.closure import Closure
from bundler.model.contents import Head
from bundler.model.document import Document
from bundler.model.hosts import Hosts
from bundler.model.inventory import Inventory
from bundler.model.known_bad import KnownBad
from bundler.model.materials import Materials
from bundler.model.outcome import Outcome
from bundler.model.pin import Pin
from bundler.model.verdict import Verdict
from bundler.terminal import Json

if TYPE_CHECKING:  # large: loaded by those commands that need them
    from bundler.adapters.apart import Work
    from bundler.adapters.archive import Written
    from bundler.adapters.workspace import Workspace
    from bundler.bench import Bench
    from bundler.kinds.steps import Rehearsal, Step
    from bundler.model.releases import Standing
    from bundler.model.trust import Cooldown
    from bundler.payloads.payload import Payload
    from bundler.session import Session


@dataclass(frozen=True)
class LockFile:
    """A lock of a component: its file's name below locks/, and how its text tells the digests of what it pins.

    `digests` raises LockError.
    """

    name: str
    digests: Callable[[str], set[str]]


@dataclass(frozen=True)
class LockOptions:
    """What `lock` was asked for. `newest`: leave out files uploaded later (RFC 3339); `deep`: look inside archives.

    What is too young for the `cooldown` is not locked.
    """

    cooldown: Cooldown
    upgrade: bool = False
    newest: str | None = None
    versions: Mapping[str, str] | None = None
    deep: bool = False


@dataclass(frozen=True)
class OutdatedOptions:
    """What `outdated` was asked for. `every`: look at every release; `newest`: leave out files uploaded later.

    What is too young for the `cooldown` is told as such.
    """

    cooldown: Cooldown
    every: bool = False
    newest: str | None = None


@dataclass(frozen=True)
class Home:
    """The repository that archives are released in, and the moving release that follows them; "" if none does."""

    repository: str
    channel: str


@dataclass(frozen=True)
class Described:
    """One line of `targets`: headed columns for people, an object for programs, an entry of a workflow's matrix."""

    columns: tuple[tuple[str, str], ...]
    document: Mapping[str, Json]
    matrix: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Inspection:
    """What an archive says of itself; nothing is judged. `files` are sizes in bytes by path, `packages` what is packed.

    `lines` are labels and texts for people, `document` is the object for programs.
    """

    path: Path
    lines: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, str, int], ...]
    files: Mapping[str, int]
    document: Mapping[str, Json]


@dataclass(frozen=True)
class Said:
    """What an archive says of itself, briefly; "" where it says nothing. `host` is what it is for.

    `inputs` is the digest of all that it was made of, `commit` that of its source, where it has one. `lacking` is what
    it is without, though its manifest asked for it: the section's name, and why.
    """

    component: str = ""
    requirement: str = ""
    host: str = ""
    inputs: str = ""
    commit: str = ""
    lacking: tuple[tuple[str, str], ...] = ()

    @property
    def version(self) -> str:
        """The version that it asks for."""
        return self.requirement.partition("==")[2]


class Job(Protocol):
    """One archive about to be made: its lock was read."""

    def pins(self) -> Sequence[Pin]:
        """What is fetched for it, in that order."""

    def kept(self) -> Iterable[Pin]:
        """All that the store keeps of it, which may have gone bad on disk."""

    def works(self) -> Mapping[str, Work]:
        """What is made of single ones of its pins, by SHA-256, wherever they are fetched (`Bench.ask`)."""

    def makes(self, bench: Bench) -> Mapping[str, Callable[[], Path]]:
        """Those of its pins, by SHA-256, that are made here, and what makes them."""

    def payloads(self) -> Sequence[Payload]:
        """What the archive consists of that may stand in another as well, at the same places."""

    def closures(self) -> Sequence[Closure]:
        """What its wheels are there for."""

    def prove(self, bench: Bench) -> None:
        """Prove what it consists of, once that is in the store. Raises ProofError, IntegrityError."""

    def write(self, bench: Bench, file: BinaryIO) -> Written:
        """Write the archive. Raises BundleError."""

    def inventory(self, bench: Bench) -> Inventory | None:
        """What it holds, once it was written or proven; None if that is its maker's to say."""

    def told(self, written: Written) -> str:
        """What to say of it once it is in its place."""


class Order(Protocol):
    """One archive that can be made."""

    @property
    def component(self) -> str:
        """The component's name (its manifest's file stem)."""

    @property
    def target(self) -> str:
        """The target that it is for; "" if it serves many."""

    @property
    def label(self) -> str:
        """What people call it."""

    @property
    def called(self) -> str:
        """What the manifest calls the component."""

    @property
    def release(self) -> tuple[str, str]:
        """Its repository, and the tag of its release; in place of a tag, of what is made here, what it is made of."""

    @property
    def asset(self) -> str:
        """The archive's file name."""

    @property
    def inputs(self) -> str:
        """SHA-256 (hex) of all that decides its bytes."""

    @property
    def files(self) -> tuple[str, ...]:
        """The manifests and locks that decide them, by their paths below the folder, but for what all hosts share."""

    @property
    def requirement(self) -> str:
        """What the manifest asks for in it, such as `name==1.0`; "" where nothing is asked for."""

    @property
    def lacking(self) -> tuple[tuple[str, str], ...]:
        """What it will be without, though the manifest asks for it: the name, and why."""

    def job(self) -> Job:
        """Read its lock. Raises LockError if that is stale or malformed."""


class Component(Protocol):
    """One manifest of a kind."""

    @property
    def name(self) -> str:
        """The manifest's file stem."""

    @property
    def component(self) -> str:
        """What the manifest calls it."""

    @property
    def released(self) -> bool:
        """Whether its archives are made and released by themselves; else it is only a part of others'."""

    @property
    def known_bad(self) -> KnownBad:
        """What its manifest says that nothing may hold, and why."""

    @property
    def home(self) -> Home | None:
        """Where its archives are released; None if others release them."""

    @property
    def latest(self) -> bool | None:
        """Whether GitHub is to show its releases as the latest; None if its manifest does not say."""

    @property
    def deltas(self) -> int:
        """From how many releases before it a release gets deltas; 0 if its manifest asks for none."""

    def choices(self, hosts: Hosts) -> int:
        """How many choices there are to be looked at: what work grows with."""

    def problems(self, document: Document, hosts: Hosts) -> Iterator[Problem]:
        """What no single value of the manifest shows."""

    def assets(self, hosts: Hosts, selectors: Sequence[str]) -> Sequence[tuple[str, str]]:
        """The file name of each archive for what the selectors mean, and what builds it: words after `build`."""

    def orders(self, hosts: Hosts, workspace: Workspace, selectors: Sequence[str], epoch: int) -> Sequence[Order]:
        """Each archive that can be made, of what the selectors mean. Raises LockError for what is not locked."""

    def locks(self, hosts: Hosts, workspace: Workspace) -> Sequence[LockFile]:
        """Every file below locks/ that is its, or would be."""

    def states(self, hosts: Hosts, workspace: Workspace, selectors: Sequence[str]) -> Sequence[Outcome]:
        """How its locks stand. Asks no network."""

    def check(self, hosts: Hosts, workspace: Workspace) -> Iterator[Problem | str]:
        """What is wrong with its locks, and notes (texts) on what is sound but not finished. Asks no network."""

    def inventories(self, hosts: Hosts, workspace: Workspace, selectors: Sequence[str]) -> Mapping[str, Inventory]:
        """What the committed locks say that its archives will hold, by target; "" if one lock serves all.

        What only the files themselves tell (licences, needs) is not known. Raises LockError if one cannot be read.
        """

    def describe(self, hosts: Hosts, workspace: Workspace, selectors: Sequence[str]) -> Sequence[Described]:
        """Its lines of `targets`."""


# Judges an archive of any kind: a file, and what it is called.
Judge: TypeAlias = Callable[[Path, str], Verdict]


class Others(Protocol):
    """Tells the components of a folder of manifests, which are parsed when they are asked for."""

    def __call__(self, kind: str = "") -> Mapping[str, Component]:
        """Those of a kind, by its name, or all of them: by their file stems."""


class Kind(Protocol):
    """An entry of the table."""

    @property
    def NAMES(self) -> tuple[str, ...]:
        """What `kind:` says in a manifest; the first is its name, others are older ones."""

    @property
    def COMMAND(self) -> str:
        """The command that makes its archives without being told which component is meant; "" if none does."""

    @property
    def TAG_PREFIX(self) -> str | None:
        """How tags of the releases begin that hold its archives: "" for any that no other kind claims, None: no tag."""

    @property
    def MANIFEST(self) -> str:
        """Where an archive of it says what it is: a path below the top folder."""

    @property
    def RECORDS(self) -> tuple[str, ...]:
        """Where an archive of it says what it holds, and what it was made of, `MANIFEST` among them.

        They are paths below the top folder, before all that is large.
        """

    def parse(self, name: str, document: Document, others: Others) -> Component:
        """Validate a manifest; `name` is its file stem. `others` is not asked before it is. Raises ManifestError."""

    def schema(self) -> Mapping[str, object]:
        """The JSON Schema of its manifests."""

    def lock(
        self,
        components: Sequence[Component],
        hosts: Hosts,
        session: Session,
        selectors: Sequence[str],
        options: LockOptions,
    ) -> Sequence[Outcome]:
        """Make the locks of components of this kind that do not match, or all that the options ask for.

        One that fails keeps its old lock and does not stop the others.
        """

    def outdated(
        self,
        components: Sequence[Component],
        hosts: Hosts,
        session: Session,
        selectors: Sequence[str],
        options: OutdatedOptions,
    ) -> Sequence[Standing]:
        """How the targets of components of this kind stand to newer releases. Writes nothing."""

    def claims(self, facts: Mapping[str, object]) -> bool:
        """Say whether an archive whose manifest.json says this is of this kind."""

    def judge(self, path: Path, name: str, inner: Judge) -> Verdict:
        """Judge an archive, called `name`; `inner` judges the archives in it. Raises OSError if it cannot be read."""

    def rehearse(
        self,
        archive: Path,
        root: Path,
        mountpoint: Path,
        inner: Judge,
        components: Callable[[], Sequence[Component] | None],
        told: Callable[[Step], None],
    ) -> tuple[Verdict, Rehearsal | None]:
        """Judge an archive; if it is good, try it in a sandbox around `root`, whose mounts are below `mountpoint`.

        `inner` judges the archives in it; `components` loads those at hand, None if no manifests are; `told` hears of
        every step. Raises UnreachableError or UsageError if the root is none for the archive, WorkError if no sandbox
        can be made.
        """

    def inspect(self, path: Path) -> Inspection:
        """Read an archive. Raises IntegrityError if it cannot be read."""

    def held(self, head: Head) -> Inventory:
        """What an archive of this kind holds, as far as its `RECORDS` tell; nothing is judged.

        Raises IntegrityError or LockError if one is malformed or not there.
        """

    def said(self, content: bytes) -> Said:
        """What the manifest.json of an archive of this kind says. Raises IntegrityError."""

    def recorded(self, name: str, head: Head) -> Job:
        """The work of making an archive anew, called `name`, of nothing but its `RECORDS`.

        Raises UsageError if they do not tell all that it takes, IntegrityError, LockError.
        """

    def materials(self, head: Head) -> Materials | None:
        """What an archive of this kind says it was made of, in its `RECORDS`; None if it was not made by this tool.

        Raises IntegrityError, LockError.
        """
