"""The JSON Schema of a manifest's class (draft 2020-12), and what it says of one value in words.

In these schemas a `title` is what may stand there ("a glibc version"), `examples` shows one, and `description` is what
the key is for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias, TypeVar, cast

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from bundler.model.document import Path, Tree
from bundler.model.manifest_values import adapter_of

Node: TypeAlias = Mapping[str, Tree]
T = TypeVar("T")


class _Generator(GenerateJsonSchema):
    """pydantic's generator, but a title is one that somebody wrote, and keys are told as well as values."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        made = super().dataclass_schema(schema)
        made.pop("title", None)
        return made

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        made: JsonSchemaValue = {"type": "object"}
        made |= {"minProperties": schema["min_length"]} if "min_length" in schema else {}
        made |= {"maxProperties": schema["max_length"]} if "max_length" in schema else {}
        keys, values = self.generate_inner(schema["keys_schema"]), self.generate_inner(schema["values_schema"])
        return made | {"propertyNames": keys, "additionalProperties": values}


@dataclass(frozen=True)
class Schema:
    """A JSON Schema whose parts can be found by where a value stands in the document."""

    root: Node

    @classmethod
    @cache
    def of(cls, model: TypeAdapter[T]) -> Schema:
        """The schema of what `model` takes."""
        return cls(cast("Node", model.json_schema(by_alias=True, schema_generator=_Generator)))

    def at(self, path: Path, *, key: bool = False) -> Node:
        """The part for the value at `path`, or for the last key of `path` itself; empty if nothing may stand there."""
        nodes = [self.root]
        for number, part in enumerate(path, 1):
            inner = "propertyNames" if key and number == len(path) else "additionalProperties"
            branches = [branch for node in nodes for branch in self._branches(node)]
            nodes = [child for branch in branches for child in _inside(branch, part, inner)]
        return nodes[0] if nodes else {}

    def keys(self, path: Path) -> tuple[str, ...]:
        """Every key that may stand in the mapping at `path`, as far as they have names of their own."""
        return tuple(key for branch in self._branches(self.at(path)) for key in _mapping(branch.get("properties")))

    def wanted(self, node: Node) -> str:
        """What may stand there, as a noun: "a glibc version", "wheel" or "host", a mapping with "a" and "b"."""
        return ", or ".join(dict.fromkeys(map(_noun, self._branches(node)))) or "something else"

    def example(self, node: Node) -> Tree:
        """Something that may stand there; None if there is nothing to show."""
        for branch in self._branches(node):
            if shown := _items(branch.get("examples")) or _choices(branch):
                return shown[0]
            if branch.get("type") == "array":
                item = self.example(_mapping(branch.get("items")))
                return None if item is None else [item]
            if branch.get("type") == "object":
                return self._mapping_example(branch)
        return None

    def takes(self, node: Node, text: str) -> bool:
        """Say whether `text` is likely to be taken, as far as patterns and choices tell."""
        return any(
            text in choices
            if (choices := _choices(branch))
            else branch.get("type") == "string" and re.search(str(branch.get("pattern", "")), text) is not None
            for branch in self._branches(node)
        )

    def _mapping_example(self, branch: Node) -> Tree:
        if properties := _mapping(branch.get("properties")):
            needed = _items(branch.get("required"))
            return {key: self.example(_mapping(value)) for key, value in properties.items() if key in needed}
        key, value = (self.example(_mapping(branch.get(part))) for part in ("propertyNames", "additionalProperties"))
        return None if key is None or value is None else {str(key): value}

    def _branches(self, node: Node) -> Iterator[Node]:
        """The alternatives of which a value must be one, without null; references followed."""
        node = self._followed(node)
        if "anyOf" not in node:
            yield from () if node.get("type") == "null" else (node,)
            return
        for branch in _items(node["anyOf"]):
            yield from self._branches(_mapping(branch))

    def _followed(self, node: Node) -> Node:
        if "$ref" not in node:
            return node
        name = str(node["$ref"]).rpartition("/")[2]
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return {**self._followed(_mapping(_mapping(self.root["$defs"])[name])), **beside}


def _inside(branch: Node, part: str | int, inner: str) -> Iterator[Node]:
    properties = _mapping(branch.get("properties"))
    if part in properties:
        yield _mapping(properties[str(part)])
    elif isinstance(part, int):
        yield from (_mapping(branch["items"]),) if "items" in branch else ()
    elif isinstance(branch.get(inner), dict):
        yield _mapping(branch[inner])


def _noun(branch: Node) -> str:
    if title := branch.get("title"):
        return str(title)
    if choices := _choices(branch):
        return " or ".join(map(shown, choices))
    if branch.get("type") == "array":
        return "a list"
    if branch.get("type") == "object":
        needed = [shown(key) for key in _items(branch.get("required"))]
        return "a mapping" + (f" with {', '.join(needed[:-1])} and {needed[-1]}" if needed[1:] else "")
    return "text"


def _choices(branch: Node) -> list[Tree]:
    return _items(branch.get("enum")) or ([branch["const"]] if "const" in branch else [])


def _mapping(value: Tree) -> Mapping[str, Tree]:
    return value if isinstance(value, dict) else {}


def _items(value: Tree) -> list[Tree]:
    return value if isinstance(value, list) else []


def shown(value: Tree) -> str:
    """A value as it can be written in YAML: in JSON, so that text is always in quotes."""
    return json.dumps(value, ensure_ascii=False)


def holds(model: type[object]) -> str:
    """What a file of this class holds, with an example (in JSON, which is YAML)."""
    schema = Schema.of(adapter_of(model))
    return f"it holds {schema.wanted(schema.root)}, such as {shown(schema.example(schema.root))}"
