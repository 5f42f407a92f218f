"""Every document that `--json` prints is held against its command's schema: whoever runs a command in tests does so."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import click

import bundler
from bundler.cli import cli
from bundler.cli.described import all_below
from bundler.cli.manual import top

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

SCHEMAS = Path(bundler.__file__).parent / "schemas" / "output"


def hold(words: Sequence[str], out: str) -> None:
    """Assert that what a command line printed is as its schema says; what prints no document passes."""
    before = words[: words.index("--")] if "--" in words else words
    if "--json" not in before or {"--help", "-h", "--version", "--github-matrix"} & set(before) or not out:
        return
    document = json.loads(out)
    name = "error" if "error" in document and "schema_version" in document and len(document) == 2 else name_of(before)
    faults = [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(document)]
    assert not faults, "\n".join((f"not as {name}.schema.json says:", *faults))


def name_of(words: Sequence[str]) -> str:
    """What the schema of a command line is called: the command, with that of its group before it."""
    names: list[str] = []
    group: click.Command = cli
    for word in words:
        if isinstance(group, click.Group) and word in group.list_commands(click.Context(group)):
            names.append(word)
            found = group.get_command(click.Context(group), word)
            assert found is not None
            group = found
    return "-".join(names)


def commands() -> Iterator[str]:
    """What the schema of every command is called."""
    for one in all_below(top()):
        if not isinstance(one.command, click.Group):
            yield "-".join(one.command_path.split()[1:])


@cache
def validator(name: str) -> Validator:
    """What judges a command's documents."""
    schema: Any = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    made: Validator = draft()(schema)
    return made


@cache
def draft() -> Any:
    """The validator of the dialect, without the grammars of formats, which take two seconds to load."""
    import rpds  # noqa: F401 - an extension, of which there may be one

    with mock.patch.dict(sys.modules, {"rfc3987_syntax": None}):
        from jsonschema import Draft202012Validator
    return Draft202012Validator
