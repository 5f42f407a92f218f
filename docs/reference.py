"""The pages that the program tells of itself, which `python docs/reference.py` writes.

They are committed, as the JSON Schemas are: who reads the repository, or a checkout without a network, has them, a
change of the command line shows in review, and tests/test_docs.py holds that they are fresh.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
from reference_json import json_documents
from reference_parts import WORDS, Node, cell, code, named, node, plain, said

from bundler.cli.described import all_below
from bundler.cli.manual import top
from bundler.kinds.schema import schemas

_HERE = Path(__file__).parent
# Which files a schema is for; the order is that of the page.
_FILES = {
    "targets": "targets.yaml",
    "wheelhouse": "a wheelhouse: litellm.yaml",
    "python": "python.yaml",
    "prebuilt": "a component of another repository: console.yaml",
    "offline": "an all-in-one package: offline.yaml",
    "trust": "trust.yaml",
}


def pages() -> Mapping[str, str]:
    """File name -> text of each page."""
    return {"commands.md": commands(), "manifest-keys.md": manifest_keys(), "json-documents.md": json_documents()}


def commands() -> str:
    """Every command with its options, as `--help` tells them."""
    told = ["# Commands", "Every command with its options, made from the command line's own help."]
    told += ["## Before every command", _usage(top()), _options(top())]
    told += ["`--json`, `-q`, `-v` and `--no-progress` may stand after the command, too."]
    for one in all_below(top()):
        told += _command(one)
    return "\n\n".join(told) + "\n"


def _command(ctx: click.Context) -> Iterator[str]:
    command, names = ctx.command, ctx.command_path.split()[1:]
    yield f"{'#' * (len(names) + 1)} {' '.join(names)}"
    yield plain(command.help or "")
    yield _usage(ctx)
    if command.epilog:
        yield plain(command.epilog)
    if not isinstance(command, click.Group):
        yield _options(ctx)


def _usage(ctx: click.Context) -> str:
    return f"```text\n{ctx.command_path} {' '.join(ctx.command.collect_usage_pieces(ctx))}\n```"


def _options(ctx: click.Context) -> str:
    options = [one for one in ctx.command.params if isinstance(one, click.Option)]
    records = [record for one in options if (record := one.get_help_record(ctx))]
    rows = [f"| `{names}` | {cell(told)} |" for names, told in records]
    return "\n".join(["| option | |", "|---|---|", *rows]) if rows else "It has no options."


def manifest_keys() -> str:
    """Every key of every manifest, as the schemas describe them."""
    told = ["# Manifest keys"]
    told += [
        "Every key that a manifest may have, made from the JSON Schemas that editors and `check` use.",
        "How to use them: [Manifests](manifests.md).",
    ]
    texts = schemas()
    assert {f"{name}.schema.json" for name in _FILES} == set(texts)
    for name, title in _FILES.items():
        root = json.loads(texts[f"{name}.schema.json"])
        told += [f"## {title[:1].upper()}{title[1:]}" if ":" in title else f"## {title}"]
        told += [f"{plain(said(root))} [Schema](../bundler/schemas/{name}.schema.json)."]
        told += _table(root, name)
        for part, schema in named(root.get("$defs")):
            told += [f"### {name}: {part}", plain(said(schema)), *_table(schema, name)]
    return "\n\n".join(told) + "\n"


def _table(schema: Node, name: str) -> list[str]:
    required = schema.get("required") or []
    assert isinstance(required, list)
    rows = []
    for key, value in named(schema.get("properties")):
        need = "**Required.** " if key in required else ""
        rows.append(f"| `{key}` | {need}{cell(said(value))} | {_type(value, name)}{_default(value)} |")
    return ["\n".join(["| key | | value |", "|---|---|---|", *rows])] if rows else []


def _type(schema: Node, name: str) -> str:
    """What a value may be, in words."""
    if "$ref" in schema:
        part = said(schema, "$ref").rpartition("/")[2]
        return f"[{part}](#{name}-{part.lower()})"
    if "anyOf" in schema:
        some = schema["anyOf"]
        assert isinstance(some, list)
        return " or ".join(_type(one, name) for one in some if one != {"type": "null"})
    if "const" in schema:
        return f"`{_written(schema['const'])}`"
    if "enum" in schema:
        some = schema["enum"]
        assert isinstance(some, list)
        return " or ".join(f"`{_written(one)}`" for one in some)
    if schema.get("type") == "array":
        return f"list{_limits(schema, 'Items')} of {_type(node(schema['items']), name)}"
    if schema.get("type") == "object":
        return _mapping(schema, name)
    return _scalar(schema)


def _mapping(schema: Node, name: str) -> str:
    names = _type(node(schema["propertyNames"]), name) if "propertyNames" in schema else "a name"
    held = schema.get("additionalProperties")
    return f"map{_limits(schema, 'Properties')}: {names} → {_type(held, name)}" if isinstance(held, dict) else "map"


def _scalar(schema: Node) -> str:
    told = cell(said(schema, "title")) or WORDS.get(said(schema, "type"), "anything")
    ends = [_written(schema[key]) for key in ("minimum", "maximum") if key in schema]
    told += f", {' to '.join(ends)}" if len(ends) == 2 else ""
    examples = schema.get("examples")
    return told + (f", as `{code(_written(examples[0]))}`" if isinstance(examples, list) else "")


def _limits(schema: Node, what: str) -> str:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if least and most:
        return f" ({least} to {most})"
    return f" (at least {least})" if least else f" (at most {most})" if most else ""


def _default(schema: Node) -> str:
    value = schema.get("default")
    return f"; without it `{code(_written(value))}`" if value not in (None, [], {}, "") else ""


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    for name, text in pages().items():
        (_HERE / name).write_text(text, encoding="utf-8")
        sys.stderr.write(f"docs/{name}\n")
