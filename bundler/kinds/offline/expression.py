"""The value of an Ansible template, as far as it can be told without a run: `{{ (base + extra) | unique }}`.

A part of Jinja's expressions (https://jinja.palletsprojects.com/templates/#expressions): literals, names, attributes,
lists, operators, conditions (`parser`), and the filters and tests of `operations`. Whatever else stands in one makes
its value unknown; so does what takes too long.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bundler.kinds.offline.operations import LONGEST, UNKNOWN, all_of, holds, joined
from bundler.kinds.offline.parser import DEEPEST, Lookup, Parser, UnreadableError
from bundler.kinds.offline.playbook_text import Missing, Value

_MOST_STEPS = 5000
_TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


@dataclass
class Work:
    """How many more steps may be taken, by whoever shares it."""

    left: int = 1_000_000


def value_of(written: Value, lookup: Lookup, work: Work) -> Value:
    """What a value of a file means, templates in it at any depth included; unknown if only a run could tell.

    `lookup` has what is written for a name.
    """
    templates = _Templates(lookup)
    try:
        return templates.value(written)
    except UnreadableError:
        return UNKNOWN
    finally:
        work.left -= templates.steps


def truth_of(written: Value, lookup: Lookup, work: Work) -> bool | Missing:
    """Whether a condition (`when:`) holds; unknown if only a run could tell. A list's parts must all hold."""
    templates = _Templates(lookup)
    try:
        return templates.truth(written)
    except UnreadableError:
        return UNKNOWN
    finally:
        work.left -= templates.steps


class _Templates:
    """What gives templates their values, in a limited number of steps."""

    def __init__(self, lookup: Lookup) -> None:
        self.steps = 0
        self._lookup = lookup
        self._open: list[str] = []

    def value(self, written: Value) -> Value:
        self._step(1)
        if isinstance(written, list):
            return [self.value(item) for item in written]
        if isinstance(written, dict):
            return {key: self.value(item) for key, item in written.items()}
        if not isinstance(written, str) or not ("{{" in written or "{%" in written or "{#" in written):
            return written
        return self._text(written)

    def truth(self, written: Value) -> bool | Missing:
        if isinstance(written, list):
            return all_of([self.truth(part) for part in written])
        if isinstance(written, str):
            template = _TEMPLATE.fullmatch(written.strip())
            return holds(self._expression(template[1] if template else written))
        return holds(written)

    def _text(self, written: str) -> Value:
        if len(written) > LONGEST or "{%" in written or "{#" in written:
            return UNKNOWN
        if (whole := _TEMPLATE.fullmatch(written.strip())) and "{{" not in whole[1]:
            return self._expression(whole[1])
        parts = _TEMPLATE.split(written)  # text and expressions by turns
        return joined([self._expression(part) if index % 2 else part for index, part in enumerate(parts)])

    def _expression(self, source: str) -> Value:
        if len(source) > LONGEST:
            return UNKNOWN
        return Parser(source, self._name, self._step).whole()

    def _name(self, name: str) -> Value:
        if name in self._open or len(self._open) >= DEEPEST:
            return UNKNOWN
        self._open.append(name)
        value = self._named(name)
        self._open.pop()
        return value

    def _named(self, name: str) -> Value:
        """A variable's value; what cannot be read in it makes it unknown, and not what names it."""
        try:
            return self.value(self._lookup(name))
        except UnreadableError:
            self._step(0)
            return UNKNOWN

    def _step(self, size: int) -> None:
        self.steps += size
        if self.steps > _MOST_STEPS:
            raise UnreadableError
