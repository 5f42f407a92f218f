"""The page of every property that `--json` prints, from the schemas of the documents; `reference.py` writes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from reference_parts import WORDS, Node, cell, listed, named, node, said

import bundler

_SCHEMAS = Path(bundler.__file__).parent / "schemas" / "output"
_SUFFIX = ".schema.json"
_WORDS = {**WORDS, "null": "`null`", "array": "a list", "object": "an object"}


def json_documents() -> str:
    """Every document with its properties, by path: `archives[].sha256` is that of each archive."""
    told = ["# Properties of documents"]
    told += ["Every property of every document that `--json` prints, made from their schemas ([the promise](json.md))."]
    for path in sorted(_SCHEMAS.glob(f"*{_SUFFIX}")):
        root = node(json.loads(path.read_text(encoding="utf-8")))
        name = path.name.removesuffix(_SUFFIX)
        told += [f"## {name}", f"{said(root)} [Schema](../bundler/schemas/output/{path.name})."]
        for form in listed(root["oneOf"]) if "oneOf" in root else (root,):
            if form is not root and said(form):
                told.append(said(form))
            rows = [f"| `{where}` | {value} | {what} |" for where, value, what in _rows(form, root, "")]
            told.append("\n".join(["| property | value | |", "|---|---|---|", *rows]))
    return "\n\n".join(told) + "\n"


def _rows(schema: Node, root: Node, before: str) -> Iterator[tuple[str, str, str]]:
    """Each property below a schema: its path, what its value may be, and what it says."""
    for key, value in named(schema.get("properties")):
        yield from _row(value, root, f"{before}{key}")


def _row(value: Node, root: Node, where: str) -> Iterator[tuple[str, str, str]]:
    if not where.endswith("[]"):
        yield where, " or ".join(dict.fromkeys(_types(value, root))), cell(said(value))
    for one in _forms(value, root):
        yield from _rows(one, root, f"{where}.")
        if isinstance(one.get("items"), dict):
            yield from _row(node(one["items"]), root, f"{where}[]")
        if isinstance(one.get("additionalProperties"), dict):
            yield from (row for row in _row(node(one["additionalProperties"]), root, f"{where}.NAME") if row[2])


def _forms(schema: Node, root: Node) -> Sequence[Node]:
    """The forms that a value may have."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return _forms(node(node(root["$defs"])[name]), root)
    if "anyOf" in schema:
        return [form for one in listed(schema["anyOf"]) for form in _forms(one, root)]
    return [schema]


def _types(schema: Node, root: Node) -> Iterator[str]:
    for one in _forms(schema, root):
        if "const" in one:
            yield f"`{json.dumps(one['const'])}`"
        elif "enum" in one:
            yield from (f"`{json.dumps(word)}`" for word in cast("list[object]", one["enum"]))
        else:
            types = one.get("type", [])
            named = types if isinstance(types, list) else [types]
            yield from (_WORDS[str(name)] for name in named or ["object"])
