"""YAML of Ansible playbooks and roles to plain data, in which every text remembers where it stands.

Nobody vouches for these files: their size, their depth and the number of their values, aliases followed, are limited.
Tags such as `!vault` make a value that nobody knows here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import TypeAlias

import yaml

from bundler.errors import LockError, Problem

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LARGEST, _MAX_DEPTH, _MOST_VALUES = 512 << 10, 40, 50_000
_TOO_DEEP = f"nested deeper than {_MAX_DEPTH} levels"


class Missing(Enum):
    """What stands for a value that is not there: one that only a run tells, or one that nobody defined."""

    UNKNOWN = "unknown"
    UNDEFINED = "undefined"


# In bits. Python refuses to write much longer ones, which are no number of anything.
_LARGEST_INTEGER = 256
Value: TypeAlias = "str | int | float | bool | Missing | list[Value] | dict[str, Value] | None"


class Text(str):
    """A text of a file, and where it stands. Lines count from 1."""

    __slots__ = ("file", "line")
    file: str
    line: int

    @classmethod
    def at(cls, text: str, file: str, line: int) -> Text:
        """The text that stands in a file at a line."""
        made = cls(text)
        made.file, made.line = file, line
        return made


class UnreadableText(LockError):
    """A file that is no YAML, or more of it than playbooks are. `line` counts from 1; 0 means the whole file."""

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(str(Problem(file, line, 0, reason)))
        self.line, self.reason = line, reason


def read_yaml(content: bytes, file: str) -> Value:
    """Read one YAML document; `file` is what errors call it. Raises UnreadableText."""
    if len(content) > _LARGEST:
        raise UnreadableText(file, 0, f"is larger than {_LARGEST >> 10} KiB")
    try:
        text = content.decode()
        _check(yaml.parse(text, Loader=_LOADER), file)
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        line, reason = place.line + 1 if place else 0, f"{error.problem or error.context}"
        # Newer libyaml gives up on its own, and reads some way ahead of its events.
        reason = _TOO_DEEP if "nesting depth" in reason else f"not YAML: {reason}"
        raise UnreadableText(file, line, reason) from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise UnreadableText(file, 0, f"not YAML: {' '.join(str(error).split())[:200]}") from error
    return None if node is None else _Builder(file).build(node)


def _check(events: Iterable[yaml.Event], file: str) -> None:
    """Refuse what would take long, or crash Python, before anything recursive sees it."""
    depth = values = 0
    for event in events:
        values += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH or values > _MOST_VALUES:
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise UnreadableText(file, line, _too_deep(depth))


def _too_deep(depth: int) -> str:
    return _TOO_DEEP if depth > _MAX_DEPTH else f"more than {_MOST_VALUES} values"


class _Builder:
    """Turns nodes into data. A node that aliases name is built as often as it is named, so it counts as often."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._values = 0
        self._scalars = yaml.constructor.SafeConstructor()

    def build(self, node: yaml.Node, depth: int = 0) -> Value:
        self._values += 1
        line = node.start_mark.line + 1
        if depth > _MAX_DEPTH or self._values > _MOST_VALUES:
            raise UnreadableText(self.file, line, _too_deep(depth))
        if not str(node.tag).startswith("tag:yaml.org,2002:"):
            return Missing.UNKNOWN
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node.value, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, depth + 1) for item in node.value]
        return self._scalar(node, line)

    def _mapping(self, pairs: Sequence[tuple[yaml.Node, yaml.Node]], depth: int) -> Value:
        result: dict[str, Value] = {}
        for key, value in pairs:
            if isinstance(key, yaml.ScalarNode):
                built = self.build(value, depth + 1)
                if key.tag == "tag:yaml.org,2002:merge" and isinstance(built, dict):
                    result = {**built, **result}
                else:
                    result[Text.at(str(key.value), self.file, key.start_mark.line + 1)] = built
        return result

    def _scalar(self, node: yaml.Node, line: int) -> Value:
        try:
            value = self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError):
            value = node.value
        if isinstance(value, int) and value.bit_length() > _LARGEST_INTEGER:
            return Text.at(str(node.value), self.file, line)
        if value is None or isinstance(value, (int, float)):
            return value
        return Text.at(str(node.value), self.file, line)
