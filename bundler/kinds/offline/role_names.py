"""The packages that Ansible roles install with apt, by name, found in the text of their tasks.

From the playbooks on, whatever they import is read: playbooks, roles and those they depend on, files of tasks. A task
counts unless its condition surely does not hold on the target. A name that only a run could tell is noted, not guessed:

    roles/postgres/tasks/native.yml:68: what `name` is, only a run tells: postgresql-{{ detected.stdout }}-pgvector
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bundler.errors import LockError
from bundler.kinds.offline.expression import Work, truth_of, value_of
from bundler.kinds.offline.parser import Lookup
from bundler.kinds.offline.playbook_text import Missing, Text, Value
from bundler.kinds.offline.role_tasks import Install, Untold, walk
from bundler.kinds.offline.roles import PACKAGE, RoleName, RoleNames, RoleNote, Roles
from bundler.model.target import Target
from bundler.platforms import named
from bundler.terminal import one_line

# A package's name, with what apt-get(8) takes after it: an architecture, a version or a suite.
_WANTED = re.compile(rf"({PACKAGE})(:[a-z0-9-]+)?([=/][A-Za-z0-9.+:~*-]+)?")
_LOOPS = ("loop", "with_items", "with_list")


def find_names(roles: Roles, files: Mapping[str, bytes], target: Target) -> RoleNames:
    """Find what the roles among a repository's files install on a target. Raises LockError for a file that is no YAML.

    `files` are the repository's, by their paths.
    """
    variables = roles.variables_on(target)
    facts, work = _facts(target), Work()
    tasks = walk(roles.playbooks, roles.folders, files, variables, facts)
    names: set[RoleName] = set()
    notes: set[RoleNote] = set()
    for one in tasks.found:
        lookup = one.scope.lookup(variables, tasks.set_facts, facts)
        if truth_of(list(one.scope.conditions), lookup, work) is False:
            continue
        for found in _found(one, lookup, work):
            if isinstance(found, RoleName):
                names.add(found)
            else:
                notes.add(found)
        if work.left < 0:
            raise LockError(f"{one.file}:{one.line}: what the roles install takes too long to be told")
    return RoleNames(tuple(sorted(names)), tuple(sorted(notes)))


def _facts(target: Target) -> dict[str, Value]:
    """What Ansible finds out of a host, as far as the target tells."""
    platform, arch = named(target.platform)
    facts: dict[str, Value] = {
        "os_family": "Debian",
        "system": platform.PLATFORM_SYSTEM,
        "pkg_mgr": "apt",
        "architecture": platform.MACHINES[arch],
        "distribution": target.distro.title(),
        "distribution_major_version": target.version.split(".")[0],
        # Debian's has the point release after it, which no target tells.
        "distribution_version": target.version if "." in target.version else Missing.UNKNOWN,
    }
    return {**{f"ansible_{name}": value for name, value in facts.items()}, "ansible_facts": facts}


def _found(one: Install | Untold, lookup: Lookup, work: Work) -> Iterator[RoleName | RoleNote]:
    """What a task installs, name for name."""
    if isinstance(one, Untold):
        yield _note(one.file, one.line, one.text)
        return
    if value_of(one.state, lookup, work) in ("absent", "build-dep"):
        return
    for item in _items(one, lookup, work):
        value = value_of(one.name, _with_item(lookup, item), work)
        if isinstance(value, Missing) or (isinstance(value, list) and any(isinstance(v, Missing) for v in value)):
            yield _note(one.file, one.line, f"what is installed, only a run tells: {_shown(one.name)}")
            continue
        for text in value if isinstance(value, list) else [value]:
            yield from _named(text, one)


def _with_item(lookup: Lookup, item: Value) -> Lookup:
    return lambda name: item if name == "item" else lookup(name)


def _items(one: Install, lookup: Lookup, work: Work) -> list[Value]:
    """What `item` is, one time after the other."""
    for key in _LOOPS:
        if key in one.task:
            items = value_of(one.task[key], lookup, work)
            return items if isinstance(items, list) else [Missing.UNKNOWN]
    turns = any(key.startswith("with_") for key in one.task)
    return [Missing.UNKNOWN] if turns else [Missing.UNDEFINED]


def _named(value: Value, one: Install) -> Iterator[RoleName | RoleNote]:
    """The names that a text holds, between commas, without version, suite and architecture."""
    file, line = (value.file, value.line) if isinstance(value, Text) else (one.file, one.line)
    if not isinstance(value, str):
        yield _note(one.file, one.line, f"no names of packages: {_shown(value)}")
        return
    for name in filter(None, map(str.strip, value.split(","))):
        if match := _WANTED.fullmatch(name):
            yield RoleName(match[1], file, line)
        else:
            yield _note(file, line, f"no name of a package: {_shown(name)}")


def _note(file: str, line: int, text: str) -> RoleNote:
    return RoleNote(file, line, one_line(text)[:500])


def _shown(value: Value) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 200 else f"{text[:200]}…"
