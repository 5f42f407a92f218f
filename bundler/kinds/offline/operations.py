"""What operators, filters and tests of Ansible's templates make of values, some of which only a run could tell.

Logic has three values: `unknown or true` is true. A filter or test that is not here makes its value unknown.
"""

from __future__ import annotations

import re

from bundler.kinds.offline.playbook_text import Missing, Value

UNKNOWN, UNDEFINED = Missing.UNKNOWN, Missing.UNDEFINED
# A text that is longer is unknown.
LONGEST = 4096
_MOST_ITEMS = 2000
_SAYS_NO = frozenset({"false", "no", "off", "n", "f", "0"})
_SAYS_YES = frozenset({"true", "yes", "on", "y", "t", "1"})
_MARKS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def holds(value: Value) -> bool | Missing:
    """Whether a value counts as true; unknown if only a run could tell."""
    if isinstance(value, Missing):
        return UNKNOWN
    # As a condition, Ansible takes a text for what it says; as an operand, Jinja takes any text for true.
    return UNKNOWN if isinstance(value, str) and value.lower() in _SAYS_NO else bool(value)


def all_of(truths: list[bool | Missing]) -> bool | Missing:
    """Whether all hold."""
    if any(truth is False for truth in truths):
        return False
    return UNKNOWN if any(isinstance(truth, Missing) for truth in truths) else True


def either_of(value: Value, other: Value) -> Value:
    """What `value or other` is."""
    truth = holds(value)
    if truth is True:
        return value
    if truth is False:
        return other
    return True if holds(other) is True else UNKNOWN


def _known(*values: Value) -> bool:
    """Whether all values are known, and all that is in them."""
    for value in values:
        if isinstance(value, Missing):
            return False
        inner = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
        if not _known(*inner):
            return False
    return True


def compared(mark: str, value: Value, other: Value) -> Value:
    """What a comparison says."""
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


def added(value: Value, other: Value) -> Value:
    """The sum of two lists, texts or numbers."""
    if isinstance(value, list) and isinstance(other, list):
        return _bounded([*value, *other])
    if isinstance(value, str) and isinstance(other, str):
        return joined([value, other])
    return value + other if isinstance(value, int) and isinstance(other, int) else UNKNOWN


def joined(values: list[Value]) -> Value:
    """Texts and numbers, one after the other."""
    if not all(isinstance(value, (str, int)) for value in values):
        return UNKNOWN
    text = "".join(map(str, values))
    return text if len(text) <= LONGEST else UNKNOWN


def _bounded(values: list[Value]) -> Value:
    return values if len(values) <= _MOST_ITEMS else UNKNOWN


def inside(value: Value, key: Value) -> Value:
    """An attribute, or an item."""
    if isinstance(value, dict) and isinstance(key, str):
        return value.get(key, UNDEFINED)
    if isinstance(value, list) and isinstance(key, int) and not isinstance(key, bool):
        return value[key] if -len(value) <= key < len(value) else UNDEFINED
    return UNDEFINED if value is UNDEFINED else UNKNOWN


def filtered(word: str, value: Value, arguments: list[Value]) -> Value:
    """What a filter makes of a value."""
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


def tested(word: str, value: Value, arguments: list[Value]) -> bool | Missing:
    """What a test says of a value."""
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
