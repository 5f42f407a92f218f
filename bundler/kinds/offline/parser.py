"""One expression of Ansible's templates, read from left to right; its value is there at the end.

A part of Jinja's (https://jinja.palletsprojects.com/templates/#expressions), with its precedence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from bundler.kinds.offline.operations import (
    UNDEFINED,
    UNKNOWN,
    added,
    all_of,
    compared,
    either_of,
    filtered,
    holds,
    inside,
    joined,
    tested,
)
from bundler.kinds.offline.playbook_text import Missing, Value

Lookup: TypeAlias = Callable[[str], Value]

# How deep expressions, and names in what names mean, may be nested.
DEEPEST = 30
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<number>[0-9]+(?![0-9.]))|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"""
    r"""|(?P<mark>==|!=|<=|>=|[-+~|.,:()\[\]{}<>]))""",
    re.DOTALL,
)
_LITERALS: Mapping[str, Value] = {
    "true": True,
    "false": False,
    "none": None,
    "True": True,
    "False": False,
    "None": None,
}
_WORDS = frozenset({"if", "else", "and", "or", "not", "in", "is"})


class UnreadableError(Exception):
    """No expression of the sort that is understood here, or one that takes too long."""


class Parser:
    """Reads one expression, from left to right, and has its value at the end. Precedence as in Jinja."""

    def __init__(self, source: str, name: Lookup, step: Callable[[int], None]) -> None:
        self._tokens = _tokens(source)
        self._at = 0
        self._depth = 0
        self._name, self._step = name, step

    def whole(self) -> Value:
        """The value of all of it. Raises UnreadableError."""
        value = self._choice()
        if self._at != len(self._tokens):
            raise UnreadableError
        return value

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, *wanted: str) -> bool:
        """Go past the next tokens if they are these."""
        if tuple(self._tokens[self._at : self._at + len(wanted)]) != wanted:
            return False
        self._at += len(wanted)
        return True

    def _want(self, token: str) -> None:
        if not self._take(token):
            raise UnreadableError

    def _choice(self) -> Value:
        self._step(1)
        self._depth += 1
        if self._depth > DEEPEST:
            raise UnreadableError
        value = self._or()
        while self._take("if"):
            chosen = holds(self._or())
            other = self._choice() if self._take("else") else UNDEFINED
            value = UNKNOWN if isinstance(chosen, Missing) else value if chosen else other
        self._depth -= 1
        return value

    def _or(self) -> Value:
        value = self._and()
        while self._take("or"):
            value = either_of(value, self._and())
        return value

    def _and(self) -> Value:
        value = self._not()
        while self._take("and"):
            value = all_of([holds(value), holds(self._not())])
        return value

    def _not(self) -> Value:
        turns = 0
        while self._take("not"):
            turns += 1
        value = self._compared()
        if not turns:
            return value
        truth = holds(value)
        return truth if isinstance(truth, Missing) else truth != bool(turns % 2)

    def _compared(self) -> Value:
        value = self._sum()
        while (mark := self._peek()) in ("==", "!=", "<", ">", "<=", ">=", "in") or mark == "not":
            self._at += 1
            if mark == "not":
                self._want("in")
            other = self._sum()
            value = compared("not in" if mark == "not" else mark, value, other)
        return value

    def _sum(self) -> Value:
        value = self._join()
        while self._peek() in ("+", "-"):
            adds = self._take("+") or not self._take("-")
            other = self._join()
            value = added(value, other) if adds else UNKNOWN
            self._step(len(value) if isinstance(value, (list, str)) else 1)
        return value

    def _join(self) -> Value:
        value = self._filtered()
        while self._take("~"):
            value = joined([value, self._filtered()])
        return value

    def _filtered(self) -> Value:
        value = self._primary()
        while True:
            if self._take("."):
                value = inside(value, self._word())
            elif self._take("["):
                value = inside(value, self._choice())
                self._want("]")
            elif self._take("("):
                self._list(")")
                value = UNKNOWN  # a function, such as lookup(): what it returns, only a run tells
            elif self._take("|"):
                word = self._dotted()
                value = filtered(word, value, self._list(")") if self._take("(") else [])
            elif self._take("is"):
                value = self._test(value)
            else:
                return value
            self._step(1)

    def _test(self, value: Value) -> Value:
        other = self._take("not")
        word = self._dotted()
        truth = tested(word, value, self._list(")") if self._take("(") else [])
        return truth if isinstance(truth, Missing) else truth != other

    def _primary(self) -> Value:
        word = self._peek()
        self._at += 1
        if word == "(":
            value = self._choice()
            self._want(")")
            return value
        if word == "[":
            return self._list("]")
        if word == "{":
            return self._mapping()
        if word[:1] in ("'", '"'):
            return word[1:-1] if "\\" not in word else UNKNOWN
        if word.isdigit():
            return int(word) if len(word) < 20 else UNKNOWN
        if word in _LITERALS:
            return _LITERALS[word]
        if not word.isidentifier() or word in _WORDS:
            raise UnreadableError
        # A function's name is no variable.
        return UNKNOWN if self._peek() == "(" else self._name(word)

    def _list(self, end: str) -> list[Value]:
        values: list[Value] = []
        while not self._take(end):
            if self._take(","):
                continue
            values.append(self._choice())
            if self._peek() not in (",", end):
                raise UnreadableError
        return values

    def _mapping(self) -> Value:
        made: dict[str, Value] = {}
        while not self._take("}"):
            key = self._choice()
            self._want(":")
            value = self._choice()
            if not isinstance(key, str) or self._peek() not in (",", "}"):
                raise UnreadableError
            made[key] = value
            self._take(",")
        return made

    def _word(self) -> str:
        word = self._peek()
        if not word.isidentifier():
            raise UnreadableError
        self._at += 1
        return word

    def _dotted(self) -> str:
        """The name of a filter or test, without the collection it comes from."""
        word = self._word()
        while self._take("."):
            word = self._word()
        return word


def _tokens(source: str) -> list[str]:
    found: list[str] = []
    at, source = 0, source.rstrip()
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            raise UnreadableError
        found.append(match[match.lastgroup or 0])
        at = match.end()
    return found
