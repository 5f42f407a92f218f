"""The tasks that playbooks and roles come to, and those of them that install with apt.

Followed as Ansible does: `import_playbook`, `roles`, a role's dependencies, `include_role`, `include_tasks` and blocks.
Every task keeps the conditions around it and the layers of its variables
(https://docs.ansible.com/ansible/latest/playbook_guide/playbooks_variables.html#understanding-variable-precedence).
"""

from __future__ import annotations

import posixpath
import shlex
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from bundler.errors import LockError
from bundler.kinds.offline.expression import Work, value_of
from bundler.kinds.offline.parser import Lookup
from bundler.kinds.offline.playbook_text import Missing, Text, UnreadableText, Value, read_yaml

Mapped: TypeAlias = Mapping[str, Value]

_INSTALL = ("apt", "package")
_TASK_FILES = ("include_tasks", "import_tasks", "include")
_ROLES = ("include_role", "import_role")
_BLOCKS = ("block", "rescue", "always")
_PARTS = ("pre_tasks", "tasks", "post_tasks", "handlers")
_OF_A_ROLE = ("tasks/main", "meta/main", "handlers/main", "defaults/main", "vars/main")
_COLLECTIONS = ("ansible.builtin.", "ansible.legacy.")
_ENDINGS = (".yml", ".yaml", "")
# The playbooks of the AI Workspace come to 1000 tasks, three roles deep.
_MOST_TASKS, _MAX_DEPTH = 20_000, 30


@dataclass(frozen=True)
class Scope:
    """Where a task stands: the conditions around it and the layers of its variables, the most important first.

    `inner` are those of the task and its blocks, which facts that tasks set do not outdo; `outer` those they do.
    """

    inner: tuple[Mapped, ...] = ()
    outer: tuple[Mapped, ...] = ()
    conditions: tuple[Value, ...] = ()
    folder: str = ""
    depth: int = 0

    def within(self, task: Mapped) -> Scope:
        """Where what stands in a task, block or play does."""
        own = task.get("vars")
        return replace(
            self,
            inner=(own, *self.inner) if isinstance(own, dict) else self.inner,
            conditions=(*self.conditions, task["when"]) if "when" in task else self.conditions,
            depth=self.depth + 1,
        )

    def lookup(self, told: Mapped, set_facts: Mapped, facts: Mapped) -> Lookup:
        """What is written for a name here. `told` outdoes all layers; `facts` are the host's."""
        layers = (told, *self.inner, set_facts, *self.outer, facts)
        return lambda name: next((layer[name] for layer in layers if name in layer), Missing.UNDEFINED)


@dataclass(frozen=True)
class Install:
    """A task that has packages installed: the names and the state as they are written."""

    scope: Scope
    file: str
    line: int
    name: Value
    state: Value
    task: Mapped = field(repr=False)


@dataclass(frozen=True)
class Untold:
    """Something that could not be followed."""

    scope: Scope
    file: str
    line: int
    text: str


@dataclass(frozen=True)
class Tasks:
    """What playbooks come to. `set_facts` are what tasks set: unknown if two set one otherwise, or a run does."""

    found: tuple[Install | Untold, ...]
    set_facts: Mapped


def walk(
    playbooks: Sequence[str], folders: Sequence[str], files: Mapping[str, bytes], told: Mapped, facts: Mapped
) -> Tasks:
    """Follow playbooks and roles' folders among a repository's files. Raises LockError.

    `told` are variables that outdo all others, `facts` the host's: names of what is included may hold them.
    """
    walker = _Walk(files, told, facts)
    for path in playbooks:
        walker.playbook(path, Scope(), ("", 0))
    for folder in folders:
        walker.role(folder, Scope(), ("", 0))
    return Tasks(tuple(walker.found), walker.set_facts)


class _Walk:
    def __init__(self, files: Mapping[str, bytes], told: Mapped, facts: Mapped) -> None:
        self.found: list[Install | Untold] = []
        self.set_facts: dict[str, Value] = {}
        self._files, self._told, self._facts = files, told, facts
        self._paths = sorted(files)
        self._documents: dict[str, Value] = {}
        self._broken: dict[str, UnreadableText] = {}
        self._left = _MOST_TASKS
        self._work = Work()

    def playbook(self, path: str, scope: Scope, place: tuple[str, int]) -> None:
        if path not in self._files:
            self._untold(scope, place, f"the playbook {path[:200]} is not there")
            return
        here = posixpath.dirname(path)
        group = tuple(self._variables(posixpath.join(here, "group_vars", "all"), scope))
        for play in self._listed(self._read(path, scope), path, scope):
            inner = scope.within(play)
            name = _module(play, ("import_playbook", "include"))
            if isinstance(name, str):
                self.playbook(posixpath.normpath(posixpath.join(here, name)), inner, _place(play, path))
                continue
            inner = replace(inner, inner=(), outer=(*inner.inner, *group), folder=here)
            for role in _list(play.get("roles")):
                self._listed_role(role, inner, _place(play, path))
            for part in _PARTS:
                self._tasks(play.get(part), path, inner)

    def role(self, folder: str, scope: Scope, place: tuple[str, int], entry: str = "main") -> None:
        folder = folder.rstrip("/")
        own = tuple(self._variables(f"{folder}/vars/main", scope))
        defaults = tuple(self._variables(f"{folder}/defaults/main", scope))
        scope = replace(scope, outer=(*own, *scope.outer, *defaults), folder=folder, depth=scope.depth + 1)
        self._count(folder, scope)
        for meta in self._variables(f"{folder}/meta/main", scope):
            for dependency in _list(meta.get("dependencies")):
                self._listed_role(dependency, scope, (f"{folder}/meta/main.yml", 0))
        paths = [self._path(f"{folder}/{part}") for part in (f"tasks/{entry}", "handlers/main")]
        if not paths[0] and (entry != "main" or not any(self._path(f"{folder}/{part}") for part in _OF_A_ROLE)):
            self._untold(scope, place if place[0] else (folder, 0), f"no tasks are in {folder}: {entry}"[:300])
        for path in filter(None, paths):
            self._tasks(self._read(path, scope), path, scope)

    def _listed_role(self, role: Value, scope: Scope, place: tuple[str, int]) -> None:
        """A role that a play or another role lists: its name, or a mapping with it."""
        if isinstance(role, dict):
            self._role_named(role.get("role", role.get("name")), scope.within(role), _place(role, place[0]))
        else:
            self._role_named(role, scope, place)

    def _role_named(self, name: Value, scope: Scope, place: tuple[str, int], entry: str = "main") -> None:
        name = self._value(name, scope)
        if isinstance(name, str):
            for beside in ("roles", posixpath.dirname(scope.folder), scope.folder, ""):
                folder = posixpath.normpath(posixpath.join(beside, name))
                if any(self._path(f"{folder}/{part}") for part in _OF_A_ROLE):
                    self.role(folder, scope, place, entry)
                    return
        self._untold(scope, place, f"a role that is not there: {str(name)[:200]}")

    def _tasks(self, tasks: Value, file: str, scope: Scope) -> None:
        for task in self._listed(tasks, file, scope):
            self._task(task, file, scope.within(task))

    def _task(self, task: Mapped, file: str, scope: Scope) -> None:
        place = _place(task, file)
        for part in _BLOCKS:
            self._tasks(task.get(part), file, scope)
        self._keep_facts(task)
        if (included := _module(task, _TASK_FILES)) is not None:
            name = included.get("file") if isinstance(included, dict) else included
            self._task_file(self._value(name, scope), place, scope)
        if isinstance(role := _module(task, _ROLES), dict):
            entry = role.get("tasks_from", "main")
            self._role_named(role.get("name"), scope, place, str(entry).removesuffix(".yml"))
        if (install := _module(task, _INSTALL)) is not None:
            keys = install if isinstance(install, dict) else _words(install)
            named = next((keys[key] for key in ("name", "pkg", "package") if key in keys), None)
            if named is not None:
                self.found.append(Install(scope, *place, named, keys.get("state"), task))

    def _task_file(self, name: Value, place: tuple[str, int], scope: Scope) -> None:
        """A file of tasks, beside the one that names it, or among the role's."""
        for beside in (posixpath.dirname(place[0]), f"{scope.folder}/tasks"):
            path = posixpath.normpath(posixpath.join(beside, name)) if isinstance(name, str) else ""
            if path in self._files:
                self._tasks(self._read(path, scope), path, scope)
                return
        self._untold(scope, place, f"a file of tasks that is not there: {str(name)[:200]}")

    def _keep_facts(self, task: Mapped) -> None:
        """What a task sets: its result, or variables by `set_fact`. Of two different ones, none is known."""
        if isinstance(registered := task.get("register"), str):
            self.set_facts[registered] = Missing.UNKNOWN
        if isinstance(facts := _module(task, ("set_fact",)), dict):
            for name, value in facts.items():
                value = Missing.UNKNOWN if any(key.startswith(("loop", "with_")) for key in task) else value
                same = self.set_facts.get(name, value) == value
                self.set_facts[name] = value if same else Missing.UNKNOWN

    def _value(self, written: Value, scope: Scope) -> Value:
        """What a name means so far: what tasks set is not known before all of them are."""
        unsure = dict.fromkeys(self.set_facts, Missing.UNKNOWN)
        return value_of(written, scope.lookup(self._told, unsure, self._facts), self._work)

    def _listed(self, tasks: Value, file: str, scope: Scope) -> Iterator[dict[str, Value]]:
        for task in _list(tasks):
            self._count(file, scope)
            if isinstance(task, dict):
                yield task

    def _count(self, file: str, scope: Scope) -> None:
        self._left -= 1
        if self._left < 0 or self._work.left < 0:
            raise LockError(f"{file}: the playbooks come to more than {_MOST_TASKS} tasks; they include each other")
        if scope.depth > _MAX_DEPTH:
            raise LockError(f"{file}: the playbooks include each other more than {_MAX_DEPTH} deep")

    def _variables(self, stem: str, scope: Scope) -> Iterator[dict[str, Value]]:
        """The variables of a file, or of the files in a folder of that name."""
        below = self._paths[bisect_left(self._paths, f"{stem}/") : bisect_left(self._paths, f"{stem}0")]  # 0 follows /
        inside = [path for path in reversed(below) if path.endswith(_ENDINGS[:2])]
        for path in filter(None, (*inside, self._path(stem))):
            if isinstance(document := self._read(path, scope), dict):
                yield document

    def _path(self, stem: str) -> str:
        return next((f"{stem}{ending}" for ending in _ENDINGS if f"{stem}{ending}" in self._files), "")

    def _read(self, path: str, scope: Scope) -> Value:
        """A file's data. One that nobody can read is told of, for Ansible reads it only where its condition holds."""
        try:
            if path not in self._documents:
                self._documents[path] = read_yaml(self._files[path], path)
        except UnreadableText as error:
            self._documents[path] = None
            self._broken[path] = error
        if broken := self._broken.get(path):
            self._untold(scope, (path, broken.line), f"cannot be read: {broken.reason}")
        return self._documents[path]

    def _untold(self, scope: Scope, place: tuple[str, int], text: str) -> None:
        self.found.append(Untold(scope, *place, text))


def _module(task: Mapped, names: Sequence[str]) -> Value:
    """What stands after a module's name, short or with its collection; None if the task does not call it."""
    for name in names:
        for collection in ("", *_COLLECTIONS):
            if (value := task.get(f"{collection}{name}")) is not None:
                return value
    return None


def _words(value: Value) -> dict[str, Value]:
    """The older form of a module's arguments: `name=demo state=present`."""
    try:
        words = shlex.split(str(value)) if isinstance(value, str) else []
    except ValueError:
        words = []
    return {key: text for key, mark, text in (word.partition("=") for word in words) if mark}


def _list(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []


def _place(task: Mapped, file: str) -> tuple[str, int]:
    return file, min((key.line for key in task if isinstance(key, Text)), default=0)
