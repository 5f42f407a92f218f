"""YAML text to plain data that remembers where every value stood, so that a problem can name its line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import yaml

from bundler.errors import ManifestError, Problem

Scalar: TypeAlias = str | int | float | bool | None
Tree: TypeAlias = "Scalar | list[Tree] | dict[str, Tree]"
Path: TypeAlias = tuple[str | int, ...]
Mark: TypeAlias = tuple[int, int]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Manifests have 3 kB and 200 values. A value takes 20 µs and 2 kB with libyaml, ten times as long without.
LARGEST = 256 << 10
_MAX_DEPTH, _MOST_VALUES, _LONGEST_VALUE = 32, 5000, 4096
_TOO_DEEP = f"nested deeper than {_MAX_DEPTH} levels"


@dataclass(frozen=True)
class Document:
    """A parsed YAML file: its data and the line and column (from 1) of each value by path.

    `keys` has the places of keys. `written` has the text of each number and switch, such as 2.10 and yes.
    """

    name: str
    data: Tree
    marks: dict[Path, Mark]
    keys: dict[Path, Mark] = field(default_factory=dict)
    written: dict[Path, str] = field(default_factory=dict)

    def at(self, path: Path) -> Tree:
        """The value at `path`; None if nothing stands there."""
        value = self.data
        for part in path:
            if isinstance(value, dict):
                value = value.get(str(part))
            else:
                value = value[part] if isinstance(value, list) and isinstance(part, int) else None
        return value

    def problem(self, path: Path, message: str, *, key: bool = False) -> Problem:
        """Describe something wrong at `path` (or its `key`), or at the nearest enclosing value that has a place."""
        if key and path in self.keys:
            return Problem(self.name, *self.keys[path], message)
        for end in range(len(path), -1, -1):
            if path[:end] in self.marks:
                return Problem(self.name, *self.marks[path[:end]], message)
        return Problem(self.name, 1, 1, message)


class _Builder:
    """Turns YAML nodes into data; refuses what manifests have no use for: duplicate keys, odd keys."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.marks: dict[Path, Mark] = {}
        self.keys: dict[Path, Mark] = {}
        self.written: dict[Path, str] = {}
        self.problems: list[Problem] = []
        self._scalars = yaml.constructor.SafeConstructor()

    def build(self, node: yaml.Node, path: Path = ()) -> Tree:
        self.marks[path] = _place(node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        value = self._scalar(node)
        if isinstance(value, (int, float)):
            self.written[path] = str(node.value)
        return value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> Tree:
        result: dict[str, Tree] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(key_node, "a key must be a plain word")
                continue
            key = str(key_node.value)
            if key in result:
                self._problem(key_node, f"duplicate key {key!r}")
                continue
            self.keys[*path, key] = _place(key_node.start_mark)
            result[key] = self.build(value_node, (*path, key))
        return result

    def _scalar(self, node: yaml.Node) -> Scalar:
        try:
            value = self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            self._problem(node, str(getattr(error, "problem", error)))
            return None
        if value is None or isinstance(value, (str, int, float, bool)):
            return value
        return str(node.value)  # dates and the like stay the text that was written

    def _problem(self, node: yaml.Node, message: str) -> None:
        self.problems.append(Problem(self.name, *_place(node.start_mark), message))


def parse_yaml(text: str, name: str) -> Document:
    """Parse one YAML document; `name` is what problems call the file. Raises ManifestError with every place."""
    if len(text) > LARGEST:
        raise ManifestError([Problem(name, 0, 0, f"is larger than {LARGEST >> 10} KiB")])
    try:
        refused = list(_refused(yaml.parse(text, Loader=_LOADER)))
        if refused:
            raise ManifestError([Problem(name, *place, message) for place, message in refused])
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        reason = ", ".join(filter(None, (error.context, error.problem)))
        # Newer libyaml gives up on its own, and reads some way ahead of its events.
        message = _TOO_DEEP if "nesting depth" in reason else f"not YAML: {reason}"
        raise ManifestError([Problem(name, *_place(place), message)]) from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise ManifestError([Problem(name, 1, 1, f"not YAML: {' '.join(str(error).split())}")]) from error
    builder = _Builder(name)
    data = builder.build(node) if node is not None else None
    if builder.problems:
        raise ManifestError(builder.problems)
    return Document(name, data, builder.marks, builder.keys, builder.written)


def _refused(events: Iterable[yaml.Event]) -> Iterator[tuple[Mark, str]]:
    """What manifests have no use for, found before anything recursive sees it: composing deep YAML crashes Python."""
    depth = values = 0
    for event in events:
        values += isinstance(event, yaml.NodeEvent)
        if values > _MOST_VALUES:
            yield _place(event.start_mark), f"more than {_MOST_VALUES} values"
            return
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > _LONGEST_VALUE:
            yield _place(event.start_mark), f"a value of more than {_LONGEST_VALUE} characters"
            return
        if isinstance(event, yaml.AliasEvent):
            yield _place(event.start_mark), "aliases are not allowed here"
        elif isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)) and event.tag:
            yield _place(event.start_mark), "tags are not allowed here"
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            yield _place(event.start_mark), _TOO_DEEP
            return


class _HasPlace(Protocol):
    line: int
    column: int


def _place(mark: _HasPlace | None) -> Mark:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
