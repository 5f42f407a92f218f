"""HTML, made of elements: whatever is not markup already is text, and is escaped (WHATWG HTML, 13.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import TypeAlias

from bundler.terminal import one_line

_VOID = frozenset(("br", "input", "link", "meta", "rect"))
# These hold no text as other elements do; the frame of a page alone has them.
_REFUSED = frozenset(("script", "style", "iframe", "object", "embed", "base", "form"))


@dataclass(frozen=True)
class Markup:
    """Text that is HTML."""

    text: str


Child: TypeAlias = "str | Markup | Iterable[Child]"


def element(name: str, *children: Child, **attributes: str | int | bool) -> Markup:
    """One element. `class_` is the attribute `class`, `data_needs` is `data-needs`.

    An attribute that is False or "" is left out; so is an `href` that leads neither to the page itself nor to https.
    Raises ValueError for an element that could do more than show something.
    """
    if name in _REFUSED:
        raise ValueError(f"{name} is no element of a page's body")
    words = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{words}>" if name != "rect" else f"<rect{words}/>")
    return Markup(f"<{name}{words}>{joined(children).text}</{name}>")


def _attribute(key: str, value: str | int | bool) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is False or value == "":
        return ""
    if value is True:
        return f" {name}"
    if name.startswith("on") or name == "style" or (name == "href" and not str(value).startswith(("#", "https://"))):
        return ""
    return f' {name}="{shown(str(value))}"'


def joined(children: Iterable[Child]) -> Markup:
    """Children one after the other."""
    return Markup("".join(_text(child) for child in children))


def _text(child: Child) -> str:
    if isinstance(child, Markup):
        return child.text
    return shown(child) if isinstance(child, str) else joined(child).text


def shown(text: str) -> str:
    """Text fit for an element or an attribute in double quotes; characters that may not be shown are U+FFFD.

    So nothing turns a line's direction, and nothing hides.
    """
    return escape(one_line(text))


def mark(text: str, shade: str = "") -> Markup:
    """A word in a box; `shade` is `good`, `bad` or `caution`, or none."""
    return element("span", text, class_=f"mark {shade}".strip())


def faint(text: str) -> Markup:
    """Text that steps back."""
    return element("span", text, class_="faint")


def outside(text: str, address: str) -> Markup:
    """A link that leaves the page, and does not tell where from."""
    return element("a", text, href=address, rel="noreferrer noopener")


def between(separator: Child, children: Iterable[Child]) -> tuple[Child, ...]:
    """Children with something between each two."""
    return tuple(part for child in children for part in (separator, child))[1:]
