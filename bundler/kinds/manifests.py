"""All manifests of a folder: the choices people edit. YAML text in, frozen values out; every problem with its line.

A JSON Schema for each file is generated from their classes (`bundler.kinds.schema`).
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bundler.adapters.workspace import PYTHON, TARGETS, TRUST, Workspace
from bundler.errors import ManifestError, Problem, UsageError
from bundler.kinds import KINDS
from bundler.kinds.kind import Component, Kind
from bundler.model.document import Document, parse_yaml
from bundler.model.hosts import Hosts
from bundler.model.inventory import Inventory
from bundler.model.known_bad import KnownBad
from bundler.model.manifest_schema import holds, shown
from bundler.model.manifest_values import adapter_of
from bundler.model.portable_python import PortablePython
from bundler.model.target import Target
from bundler.model.targets_file import TargetsFile, parse_targets
from bundler.model.trust import NOTHING_TRUSTED, Trust
from bundler.model.validation import standing, validate
from bundler.session import Session

# The manifests that are about every component's archives.
SHARED = (TARGETS, PYTHON)
# Work grows with them.
_MOST_CHOICES = 120_000


@dataclass(frozen=True)
class Manifests:
    """All manifests of a folder. `components` and their `kinds` are keyed by file stem."""

    hosts: Hosts
    components: Mapping[str, Component]
    kinds: Mapping[str, Kind]
    trust: Trust = NOTHING_TRUSTED

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every target."""
        return self.hosts.targets

    @classmethod
    def nothing(cls) -> Manifests:
        """What stands in an empty folder."""
        return cls(Hosts((), None), {}, {})

    @classmethod
    def parse(cls, texts: Mapping[str, str]) -> Manifests:
        """Parse the manifests from file name -> text. Raises ManifestError holding every problem of every file."""
        return Reading(texts).whole()

    @property
    def known_bad(self) -> KnownBad:
        """What no archive may hold, whichever manifest says so, and why."""
        said = {what: why for one in self.components.values() for what, why in one.known_bad.items()}
        return {**said, **self.trust.bad}

    def chosen(self, asked: Sequence[str], command: str = "build") -> tuple[Component, ...]:
        """The components that are asked for, by file stem or by what their manifests call them.

        None asked for means the only one that is released of those that `command` makes. Raises UsageError for what
        there is not.
        """
        if not asked:
            own = (one for name, one in self.components.items() if command == self.kinds[name].COMMAND)
            implied = [one for one in own if one.released]
            if len(implied) == 1:
                return tuple(implied)
            raise UsageError("which component?", f"give --component NAME; there are: {self._named()}")
        found = (self._one(name) for name in asked)
        return tuple({one.name: one for one in found}.values())

    def by_kind(self, asked: Sequence[str]) -> Iterator[tuple[Kind, Sequence[Component]]]:
        """The same, together with those of their kind."""
        chosen = self.chosen(asked)
        for kind in dict.fromkeys(self.kinds[one.name] for one in chosen):
            yield kind, [one for one in chosen if self.kinds[one.name] is kind]

    def _one(self, name: str) -> Component:
        found = self.components.get(name) or next((c for c in self.components.values() if c.component == name), None)
        if found is None:
            raise UsageError(f"unknown component {name!r}", f"there are: {self._named()}")
        return found

    def _named(self) -> str:
        return ", ".join(sorted(self.components)) or "none"


class Reading:
    """The manifests of a folder while they are read, from file name -> text: each is, once, when it is asked for."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._documents: dict[str, Document] = {}
        self._targets: TargetsFile | None = None
        self._python: PortablePython | None = None
        self._trust = NOTHING_TRUSTED
        self._kinds: dict[str, Kind] = {}
        self._components: dict[str, Component] = {}
        self._asked: dict[str, Mapping[str, Component]] = {}
        self._problems: list[Problem] = []
        if TARGETS not in texts:
            self._problems.append(Problem(TARGETS, 0, 0, f"is missing; {holds(TargetsFile)}"))
        for name, text in sorted(texts.items()):
            with self._telling():
                self._read(name, text)
        self._unread = dict(self._kinds)
        self._has_python = PYTHON in texts

    def some(self, command: str) -> Manifests:
        """Those of the kinds that `command` makes, and what is about every component.

        Raises ManifestError holding every problem of every file, if there is one in these.
        """
        wanted = [stem for stem, kind in self._kinds.items() if command == kind.COMMAND]
        try:
            return self._of(wanted)
        except ManifestError:
            return self.whole()

    def whole(self) -> Manifests:
        """All of them. Raises ManifestError holding every problem of every file."""
        return self._of(self._kinds)

    def _others(self, kind: str = "") -> Mapping[str, Component]:
        """Those of a kind, by its name, or all of them, as far as they can be parsed."""
        if kind not in self._asked:
            stems = [stem for stem, own in self._kinds.items() if kind in ("", own.NAMES[0])]
            self._asked[kind] = self._parsed(stems)
        return self._asked[kind]

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Keep the problems of what is read."""
        try:
            yield
        except ManifestError as error:
            self._problems.extend(error.problems)

    def _read(self, name: str, text: str) -> None:
        document = self._documents[name] = parse_yaml(text, name)
        if name == TARGETS:
            self._targets = parse_targets(document)
        elif name == PYTHON:
            self._python = validate(document, adapter_of(PortablePython))
        elif name == TRUST:
            self._trust = validate(document, adapter_of(Trust))
        else:
            self._kinds[name.removesuffix(".yaml")] = _kind(document)

    def _parsed(self, stems: Iterable[str]) -> Mapping[str, Component]:
        """The components of these file stems that can be parsed, in their order."""
        for stem in stems:
            if kind := self._unread.pop(stem, None):
                with self._telling():
                    document = self._documents[f"{stem}.yaml"]
                    self._components[stem] = kind.parse(stem, document, self._others)
        return {stem: self._components[stem] for stem in stems if stem in self._components}

    def _of(self, stems: Collection[str]) -> Manifests:
        components = self._parsed(stems)
        hosts = Hosts(self._targets.targets() if self._targets else (), self._python, self._trust.bad)
        problems = [*self._problems, *self._disagreements(components, hosts)]
        if problems:
            raise ManifestError(sorted(dict.fromkeys(problems), key=lambda p: (p.file, p.line, p.column)))
        return Manifests(hosts, components, {stem: self._kinds[stem] for stem in components}, self._trust)

    def _disagreements(self, components: Mapping[str, Component], hosts: Hosts) -> Iterator[Problem]:
        """What is wrong with manifests that are right each by itself."""
        yield from _called_alike(components)
        if (choices := sum(component.choices(hosts) for component in components.values())) > _MOST_CHOICES:
            message = f"{choices} choices, of targets times overrides of all components; {_MOST_CHOICES} are the most"
            yield Problem(TARGETS, 0, 0, message)
        elif self._targets and (self._python or not self._has_python):
            for stem, component in components.items():
                yield from component.problems(self._documents[f"{stem}.yaml"], hosts)
            yield from _same_archives(components, self._documents, hosts)


def _kind(document: Document) -> Kind:
    word = document.data.get("kind") if isinstance(document.data, dict) else None
    for kind in KINDS:
        if word in kind.NAMES:
            return kind
    raise ManifestError([_kind_problem(document)])


def _kind_problem(document: Document) -> Problem:
    """Say that a component is of no kind, or of none that there is. Older names are known, but not shown at first."""
    *names, last = (shown(kind.NAMES[0]) for kind in KINDS)
    wanted = f"{', '.join(names)} or {last}"
    if not isinstance(document.data, dict):
        return document.problem((), f"a mapping with a kind ({wanted}) is wanted; here stands {standing(document, ())}")
    if "kind" not in document.data:
        return document.problem((), f"kind: is missing; {wanted} is wanted, such as kind: {KINDS[0].NAMES[0]}")
    word, known = document.data["kind"], [name for kind in KINDS for name in kind.NAMES]
    near = difflib.get_close_matches(word, known, n=1) if isinstance(word, str) else ()
    meant = f"; did you mean {shown(near[0])}?" if near else ""
    return document.problem(("kind",), f"kind: {wanted} is wanted; here stands {standing(document, ('kind',))}{meant}")


def _called_alike(components: Mapping[str, Component]) -> list[Problem]:
    """Names of locks and archives hold what a component is called, so no two may be called the same."""
    seen: dict[str, str] = {}
    problems = []
    for stem, one in components.items():
        if (other := seen.setdefault(one.component, stem)) != stem:
            message = f"component: {other}.yaml is called {one.component} too"
            problems.append(Problem(f"{stem}.yaml", 0, 0, message))
    return problems


def _same_archives(
    components: Mapping[str, Component], documents: Mapping[str, Document], hosts: Hosts
) -> Iterator[Problem]:
    """The archives of all components stand in one folder, so no two may have the same name."""
    seen: dict[str, str] = {}
    for stem, one in components.items():
        names = [name for name, _ in one.assets(hosts, ["all"])]
        if same := next((name for name in names if name in seen), ""):
            yield documents[f"{stem}.yaml"].problem(("asset",), f"asset: {seen[same]}.yaml makes {same} too")
        seen |= dict.fromkeys(names, stem)


def components_at_hand(session: Session) -> Sequence[Component] | None:
    """The components of the manifests at hand; None if none were chosen and none are found. Raises ManifestError."""
    manifests = manifests_at_hand(session)
    return None if manifests is None else tuple(manifests.components.values())


def manifests_at_hand(session: Session) -> Manifests | None:
    """The manifests that were chosen or are found; None if there are none. Raises ManifestError, UsageError."""
    try:
        workspace = session.workspace()
    except UsageError:
        if session.manifests:
            raise
        return None
    return load_manifests(workspace)


def load_manifests(workspace: Workspace) -> Manifests:
    """Parse all manifests of a folder. Raises ManifestError with every problem."""
    return Reading(workspace.manifest_texts()).whole()


def locked(workspace: Workspace) -> tuple[Inventory, ...]:
    """What each archive will hold, as the locks say. Raises ManifestError, LockError, UsageError if none is locked."""
    manifests = load_manifests(workspace)
    found = tuple(
        inventory
        for component in manifests.components.values()
        for inventory in component.inventories(manifests.hosts, workspace, ["all"]).values()
    )
    if not found:
        raise UsageError(f"{workspace.folder} has no locks that tell what archives hold", "run `aiws-bundle lock all`")
    return found
