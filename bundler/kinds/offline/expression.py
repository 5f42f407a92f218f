"""The value of an Ansible template, as far as it can be told without a run: `{{ (base + extra) | unique }}`.

A part of Jinja's expressions (https://jinja.palletsprojects.com/templates/#expressions): literals, names, attributes,
lists, operators, conditions, and the filters and tests below. Whatever else stands in one makes its value unknown; so
does what takes too long. Logic has three values: `unknown or true` is true.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bundler.kinds.offline.playbook_text import Missing, Value

Lookup: TypeAlias = Callable[[str], Value]

UNKNOWN, UNDEFINED = Missing.UNKNOWN, Missing.UNDEFINED
_LONGEST, _MOST_ITEMS, _MOST_STEPS, _MAX_DEPTH = 4096, 2000, 5000, 30
_TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
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
_SAYS_NO = frozenset({"false", "no", "off", "n", "f", "0"})
_SAYS_YES = frozenset({"true", "yes", "on", "y", "t", "1"})
_MARKS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_WORDS = frozenset({"if", "else", "and", "or", "not", "in", "is"})


class _Unreadable(Exception):
    """No expression of the sort that is understood here, or one that takes too long."""


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
    except _Unreadable:
        return UNKNOWN
    finally:
        work.left -= templates.steps


def truth_of(written: Value, lookup: Lookup, work: Work) -> bool | Missing:
    """Whether a condition (`when:`) holds; unknown if only a run could tell. A list's parts must all hold."""
    templates = _Templates(lookup)
    try:
        return templates.truth(written)
    except _Unreadable:
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
            return _all([self.truth(part) for part in written])
        if isinstance(written, str):
            template = _TEMPLATE.fullmatch(written.strip())
            return _truth(self._expression(template[1] if template else written))
        return _truth(written)

    def _text(self, written: str) -> Value:
        if len(written) > _LONGEST or "{%" in written or "{#" in written:
            return UNKNOWN
        if (whole := _TEMPLATE.fullmatch(written.strip())) and "{{" not in whole[1]:
            return self._expression(whole[1])
        parts = _TEMPLATE.split(written)  # text and expressions by turns
        return _joined([self._expression(part) if index % 2 else part for index, part in enumerate(parts)])

    def _expression(self, source: str) -> Value:
        if len(source) > _LONGEST:
            return UNKNOWN
        return _Parser(source, self._name, self._step).whole()

    def _name(self, name: str) -> Value:
        if name in self._open or len(self._open) >= _MAX_DEPTH:
            return UNKNOWN
        self._open.append(name)
        value = self._named(name)
        self._open.pop()
        return value

    def _named(self, name: str) -> Value:
        """A variable's value; what cannot be read in it makes it unknown, and not what names it."""
        try:
            return self.value(self._lookup(name))
        except _Unreadable:
            self._step(0)
            return UNKNOWN

    def _step(self, size: int) -> None:
        self.steps += size
        if self.steps > _MOST_STEPS:
            raise _Unreadable


class _Parser:
    """Reads one expression, from left to right, and has its value at the end. Precedence as in Jinja."""

    def __init__(self, source: str, name: Lookup, step: Callable[[int], None]) -> None:
        self._tokens = _tokens(source)
        self._at = 0
        self._depth = 0
        self._name, self._step = name, step

    def whole(self) -> Value:
        value = self._choice()
        if self._at != len(self._tokens):
            raise _Unreadable
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
            raise _Unreadable

    def _choice(self) -> Value:
        self._step(1)
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _Unreadable
        value = self._or()
        while self._take("if"):
            chosen = _truth(self._or())
            other = self._choice() if self._take("else") else UNDEFINED
            value = UNKNOWN if isinstance(chosen, Missing) else value if chosen else other
        self._depth -= 1
        return value

    def _or(self) -> Value:
        value = self._and()
        while self._take("or"):
            value = _either(value, self._and())
        return value

    def _and(self) -> Value:
        value = self._not()
        while self._take("and"):
            value = _all([_truth(value), _truth(self._not())])
        return value

    def _not(self) -> Value:
        turns = 0
        while self._take("not"):
            turns += 1
        value = self._compared()
        if not turns:
            return value
        truth = _truth(value)
        return truth if isinstance(truth, Missing) else truth != bool(turns % 2)

    def _compared(self) -> Value:
        value = self._sum()
        while (mark := self._peek()) in ("==", "!=", "<", ">", "<=", ">=", "in") or mark == "not":
            self._at += 1
            if mark == "not":
                self._want("in")
            other = self._sum()
            value = _compare("not in" if mark == "not" else mark, value, other)
        return value

    def _sum(self) -> Value:
        value = self._join()
        while self._peek() in ("+", "-"):
            adds = self._take("+") or not self._take("-")
            other = self._join()
            value = _added(value, other) if adds else UNKNOWN
            self._step(len(value) if isinstance(value, (list, str)) else 1)
        return value

    def _join(self) -> Value:
        value = self._filtered()
        while self._take("~"):
            value = _joined([value, self._filtered()])
        return value

    def _filtered(self) -> Value:
        value = self._primary()
        while True:
            if self._take("."):
                value = _inside(value, self._word())
            elif self._take("["):
                value = _inside(value, self._choice())
                self._want("]")
            elif self._take("("):
                self._list(")")
                value = UNKNOWN  # a function, such as lookup(): what it returns, only a run tells
            elif self._take("|"):
                word = self._dotted()
                value = _filter(word, value, self._list(")") if self._take("(") else [])
            elif self._take("is"):
                value = self._test(value)
            else:
                return value
            self._step(1)

    def _test(self, value: Value) -> Value:
        other = self._take("not")
        word = self._dotted()
        truth = _test(word, value, self._list(")") if self._take("(") else [])
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
            raise _Unreadable
        # A function's name is no variable.
        return UNKNOWN if self._peek() == "(" else self._name(word)

    def _list(self, end: str) -> list[Value]:
        values: list[Value] = []
        while not self._take(end):
            if self._take(","):
                continue
            values.append(self._choice())
            if self._peek() not in (",", end):
                raise _Unreadable
        return values

    def _mapping(self) -> Value:
        made: dict[str, Value] = {}
        while not self._take("}"):
            key = self._choice()
            self._want(":")
            value = self._choice()
            if not isinstance(key, str) or self._peek() not in (",", "}"):
                raise _Unreadable
            made[key] = value
            self._take(",")
        return made

    def _word(self) -> str:
        word = self._peek()
        if not word.isidentifier():
            raise _Unreadable
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
            raise _Unreadable
        found.append(match[match.lastgroup or 0])
        at = match.end()
    return found


def _truth(value: Value) -> bool | Missing:
    if isinstance(value, Missing):
        return UNKNOWN
    # As a condition, Ansible takes a text for what it says; as an operand, Jinja takes any text for true.
    return UNKNOWN if isinstance(value, str) and value.lower() in _SAYS_NO else bool(value)


def _all(truths: list[bool | Missing]) -> bool | Missing:
    if any(truth is False for truth in truths):
        return False
    return UNKNOWN if any(isinstance(truth, Missing) for truth in truths) else True


def _either(value: Value, other: Value) -> Value:
    truth = _truth(value)
    if truth is True:
        return value
    if truth is False:
        return other
    return True if _truth(other) is True else UNKNOWN


def _known(*values: Value) -> bool:
    """Whether all values are known, and all that is in them."""
    for value in values:
        if isinstance(value, Missing):
            return False
        inner = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
        if not _known(*inner):
            return False
    return True


def _compare(mark: str, value: Value, other: Value) -> Value:
    if not _known(value, other):
        return UNKNOWN
    if mark in ("==", "!="):
        return (value == other) == (mark == "==")
    if mark in ("in", "not in"):
        if isinstance(other, str):
            return (value in other) == (mark == "in") if isinstance(value, str) else UNKNOWN
        return (value in other) == (mark == "in") if isinstance(other, (list, dict)) else UNKNOWN
    if isinstance(value, (int, float)) and isinstance(other, (int, float)):
        return {"<": value < other, ">": value > other, "<=": value <= other, ">=": value >= other}[mark]
    return UNKNOWN


def _added(value: Value, other: Value) -> Value:
    if isinstance(value, list) and isinstance(other, list):
        return _bounded([*value, *other])
    if isinstance(value, str) and isinstance(other, str):
        return _joined([value, other])
    return value + other if isinstance(value, int) and isinstance(other, int) else UNKNOWN


def _joined(values: list[Value]) -> Value:
    if not all(isinstance(value, (str, int)) for value in values):
        return UNKNOWN
    text = "".join(map(str, values))
    return text if len(text) <= _LONGEST else UNKNOWN


def _bounded(values: list[Value]) -> Value:
    return values if len(values) <= _MOST_ITEMS else UNKNOWN


def _inside(value: Value, key: Value) -> Value:
    if isinstance(value, dict) and isinstance(key, str):
        return value.get(key, UNDEFINED)
    if isinstance(value, list) and isinstance(key, int) and not isinstance(key, bool):
        return value[key] if -len(value) <= key < len(value) else UNDEFINED
    return UNDEFINED if value is UNDEFINED else UNKNOWN


def _filter(word: str, value: Value, arguments: list[Value]) -> Value:
    if word in ("default", "d"):
        return _default(value, *arguments)
    if isinstance(value, Missing):
        return UNKNOWN
    if word == "bool":
        return UNKNOWN if isinstance(value, (list, dict)) else str(value).lower() in _SAYS_YES
    if word in ("length", "count"):
        return len(value) if isinstance(value, (list, dict, str)) else UNKNOWN
    if word in ("list", "sort") and isinstance(value, list):
        return value
    if word == "unique" and isinstance(value, list):
        texts = [item for item in value if isinstance(item, str)]
        return list(dict.fromkeys(texts)) if len(texts) == len(value) else UNKNOWN
    if word in ("trim", "lower", "upper", "string") and isinstance(value, str):
        return {"trim": value.strip(), "lower": value.lower(), "upper": value.upper(), "string": value}[word]
    if word == "int" and isinstance(value, (int, str)):
        return int(value) if not isinstance(value, str) or re.fullmatch("[0-9]{1,18}", value) else UNKNOWN
    return UNKNOWN


def _default(value: Value, other: Value = "", empty_too: Value = False) -> Value:
    if value is UNKNOWN:
        return UNKNOWN
    return other if value is UNDEFINED or (empty_too is True and not value) else value


def _test(word: str, value: Value, arguments: list[Value]) -> bool | Missing:
    if value is UNKNOWN:
        return UNKNOWN
    if word in ("defined", "undefined"):
        return (value is UNDEFINED) == (word == "undefined")
    if word in ("none", "string"):
        return value is None if word == "none" else isinstance(value, str)
    if word in ("version", "version_compare") and len(arguments) == 2:
        return _version(value, *arguments)
    return UNKNOWN


def _version(value: Value, other: Value, mark: Value) -> bool | Missing:
    if not all(isinstance(one, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9}){0,4}", one) for one in (value, other)):
        return UNKNOWN
    own, theirs = ([int(part) for part in str(one).split(".")] for one in (value, other))
    compared = {"==": own == theirs, "!=": own != theirs, "<": own < theirs, "<=": own <= theirs}
    compared |= {">": own > theirs, ">=": own >= theirs}
    return compared.get(_MARKS.get(str(mark), str(mark)), UNKNOWN)
