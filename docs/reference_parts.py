"""What the pages of `reference.py` and `reference_json.py` are made of: parts of JSON Schemas, and text as Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import TypeAlias

Node: TypeAlias = Mapping[str, object]
WORDS = {"string": "text", "integer": "a whole number", "boolean": "`true` or `false`", "number": "a number"}


def node(value: object) -> Node:
    """What must be a schema, or hold some by name."""
    assert isinstance(value, dict)
    return value


def named(value: object) -> Iterator[tuple[str, Node]]:
    """What must be schemas by name, if there are any."""
    for name, one in node(value or {}).items():
        yield name, node(one)


def listed(value: object) -> Iterator[Node]:
    """What must be a list of schemas."""
    assert isinstance(value, list)
    yield from map(node, value)


def said(schema: Node, key: str = "description") -> str:
    """What a schema says in text under a key; "" if nothing."""
    value = schema.get(key, "")
    assert isinstance(value, str)
    return value


def plain(text: str) -> str:
    """Text of a help or schema as Markdown: what would be markup there stays as it is, but for code spans."""
    return "\n\n".join(_block(block) for block in text.split("\n\n"))


def cell(text: str) -> str:
    """The same within a table."""
    return code(plain(text))


def code(text: str) -> str:
    """Text of a code span within a table."""
    return text.replace("|", "\\|")


def _block(text: str) -> str:
    if text.startswith("\b\n"):  # click leaves its lines as they are
        return f"```text\n{textwrap.dedent(text.removeprefix(chr(8))).strip()}\n```"
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    return "".join(part if part.startswith("`") else re.sub(r"([\\*_<\[\]])", r"\\\1", part) for part in parts)
