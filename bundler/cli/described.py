"""The command line as data: what a shell completes with, without importing a command. Written by `manual`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NotRequired, TypeAlias, TypedDict

import click

PROGRAM = "aiws-bundle"
# Beside this module; `python -m bundler.cli.manual` writes it anew.
FILE = Path(__file__).with_name("command_line.json")

# What stands in the place of a word: a name of `completers.COMPLETERS`, or "" for what nobody can guess.
Takes: TypeAlias = str


class Param(TypedDict):
    """An argument (no `opts`) or an option."""

    takes: Takes
    opts: NotRequired[list[str]]
    help: NotRequired[str]
    flag: NotRequired[bool]
    many: NotRequired[bool]
    choices: NotRequired[list[str]]


class Described(TypedDict):
    """A command, with those below it. `platforms` stands at the top alone: the names of all platforms."""

    help: str
    params: list[Param]
    commands: NotRequired[Mapping[str, Described]]
    platforms: NotRequired[list[str]]


def below(ctx: click.Context) -> Iterator[click.Context]:
    """The commands of a group, in the order of its help; of what is no group, nothing."""
    group = ctx.command
    if isinstance(group, click.Group):
        for name in group.list_commands(ctx):
            command = group.get_command(ctx, name)
            assert command  # noqa: S101 - it is listed
            yield click.Context(command, parent=ctx, info_name=name)


def all_below(ctx: click.Context) -> Iterator[click.Context]:
    """Every command below one, a group before what is in it."""
    for one in below(ctx):
        yield one
        yield from all_below(one)


def described(ctx: click.Context) -> Described:
    """Describe a command and all below it."""
    command = ctx.command
    found: Described = {
        "help": command.get_short_help_str(200),
        "params": [*(_param(one) for one in command.get_params(ctx) if "--help" not in one.opts), _help(ctx)],
    }
    if isinstance(command, click.Group):
        found["commands"] = {str(one.info_name): described(one) for one in below(ctx)}
    return found


def _help(ctx: click.Context) -> Param:
    """The option that every command has; click keeps the one that it made first, whatever that context called it."""
    names = sorted(ctx.command.get_help_option_names(ctx), key=len)
    return {"takes": "", "opts": names, "help": "Show this message and exit", "flag": True}


def _param(param: click.Parameter) -> Param:
    found: Param = {"takes": _takes(param)}
    if isinstance(param, click.Option):
        found["opts"] = [*param.opts, *param.secondary_opts]
        found["help"] = (param.help or "").split(". ")[0].removesuffix(".")
        if param.is_flag:
            found["flag"] = True
    if param.nargs == -1 or param.multiple:
        found["many"] = True
    if isinstance(param.type, click.Choice):
        found["choices"] = [str(one) for one in param.type.choices]
    return found


def _takes(param: click.Parameter) -> Takes:
    """What a parameter takes, as its metavar and type say it to people."""
    shown = (param.metavar or param.human_readable_name).upper()
    if isinstance(param.type, click.Path):
        return "file" if param.type.file_okay else "folder"
    if "--component" in param.opts:
        return "component"
    if "SELECTOR" in shown:
        return "selector"
    if isinstance(param, click.Argument) and (named := _ARGUMENTS.get(shown.strip("[]."))):
        return named
    if "OWNER/REPO@TAG" in shown:
        return "subject"
    if "OWNER/REPO" in shown:
        return "repository"
    return "tag" if "TAG" in shown.split("|") else ""


# What arguments are called -> what they take. Subjects may be archives, folders or releases.
_ARGUMENTS: Mapping[str, Takes] = {**dict.fromkeys(("SUBJECT", "OLD", "NEW"), "subject"), "SCHEMA": "schema"}
