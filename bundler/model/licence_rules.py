"""Licences by the rules of `trust.yaml`: SPDX expressions (SPDX 2.3, annex D), or names where none is told.

`A OR B` may be shipped if one of the two may, `A AND B` if both may. `A WITH E` gives more than A, so a rule for A is
one for it, unless a rule names the whole. Names count however they are written; GNU's by their identifiers of today. A
text that is no expression is refused if a word of it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from packaging.utils import canonicalize_name

from bundler.model.inventory import Inventory, Item, ItemKind
from bundler.model.trust import Licences

# What has a licence that its makers tell; the rest is told by what brings it.
_LICENSED: frozenset[ItemKind] = frozenset(("wheel", "python", "program", "npm", "deb"))
_LONGEST = 2_000
# What SPDX 3.0 of its list deprecated, https://spdx.org/licenses/: `GPL-2.0` and `GPL-2.0+`.
_GNU = re.compile(r"((?:[al]?gpl|gfdl)-[0-9.]+[0-9])(-only)?(\+)?")
_WORD = re.compile(r"[^\s,;/|()]+")

# One licence, or what is put together of others: all of them, or any.
Expression: TypeAlias = "str | tuple[Callable[[Iterable[bool]], bool], tuple[Expression, ...]]"


@dataclass(frozen=True)
class Unlicensed:
    """An item that may not be shipped by the rules, and why."""

    item: Item
    reason: str


def unlicensed(inventory: Inventory, rules: Licences) -> Iterator[Unlicensed]:
    """Yield what an archive holds that the rules do not let it hold."""
    if not (rules.allow or rules.deny):
        return
    excepted = {canonicalize_name(one.project) for one in rules.exceptions}
    judge = _Judge.of(rules)
    for item in inventory.items:
        if item.kind in _LICENSED and canonicalize_name(item.name) not in excepted and (why := judge.fault(item)):
            yield Unlicensed(item, why)


@dataclass(frozen=True)
class _Judge:
    allow: frozenset[str]
    deny: frozenset[str]

    @classmethod
    def of(cls, rules: Licences) -> _Judge:
        return cls(_names(rules.allow), _names(rules.deny))

    def fault(self, item: Item) -> str:
        """Why an item may not be shipped; "" if it may."""
        if not item.licences:
            return "its licence is not told" if self.allow else ""
        refused = [text for text in item.licences if not self.text(text)]
        return f"its licence is {refused[0]}" if refused else ""

    def text(self, text: str) -> bool:
        """Whether what is told of a licence may be shipped."""
        if _name(text) in self.allow - self.deny:
            return True
        return self.expression(_parsed(text))

    def expression(self, parsed: Expression) -> bool:
        """Whether an expression may be shipped."""
        if isinstance(parsed, str):
            return self.single(parsed)
        enough, parts = parsed
        return enough(map(self.expression, parts))

    def single(self, text: str) -> bool:
        """Whether one licence may be shipped."""
        whole = _name(text)
        base = whole.partition(" with ")[0].strip()
        if whole in self.deny or (whole not in self.allow and not self.deny.isdisjoint(_WORD.findall(whole))):
            return False
        return not self.allow or whole in self.allow or base in self.allow


def _parsed(text: str) -> Expression:
    """An expression; what is none, such as a name in words, is one licence."""
    from license_expression import Licensing  # large: only where there are rules

    if len(text) > _LONGEST:
        return text
    try:
        return _told(Licensing().parse(text))
    except Exception:  # the parser raises IndexError and others, too, for what is no expression
        return text


def _told(parsed: object) -> Expression:
    from license_expression import AND, OR

    if isinstance(parsed, OR | AND):
        return any if isinstance(parsed, OR) else all, tuple(map(_told, parsed.args))
    return str(parsed)


def _names(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(map(_name, texts))


def _name(text: str) -> str:
    """A text as it is compared."""
    return " ".join(_WORD.sub(_current, text.casefold()).split())


def _current(word: re.Match[str]) -> str:
    """The identifier that SPDX's list has today for what it had before."""
    gnu = _GNU.fullmatch(word[0])
    return f"{gnu[1]}{'-or-later' if gnu[3] else '-only'}" if gnu else word[0]
