"""What README and the help text say is what the command line does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from bundler import cli as package
from bundler.cli import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """Every `aiws-bundle …` that README shows: indented lines (joined at a backslash) and code spans."""
    text = README.replace("\\\n", " ")
    indented = [line.strip() for line in re.findall(r"^    .*aiws-bundle .*$", text, re.MULTILINE)]
    spans = re.findall(r"`(aiws-bundle [^`]+)`", text.replace("\n", " "))
    return [line[line.index("aiws-bundle ") :] for line in [*indented, *spans]]


@pytest.mark.parametrize("line", commands())
def test_every_command_that_readme_shows_exists_with_its_options(line: str) -> None:
    words = shlex.split(line.split("  ")[0] if "  " in line.strip() and not line.rstrip().endswith("/") else line)[1:]
    context = click.Context(cli)
    names = [word for word in words if word in cli.list_commands(context)]
    if "COMMAND" in words:
        return
    assert names, line
    command = cli.get_command(context, names[0])
    assert command is not None
    if isinstance(command, click.Group):
        command = next((command.commands[word] for word in words if word in command.commands), command)
    known = {option for parameter in [*command.params, *cli.params] for option in parameter.opts} | {"--help", "--all"}
    assert {word for word in words if word.startswith("--")} <= known, line


@pytest.mark.parametrize("name", cli.list_commands(click.Context(cli)))
def test_every_command_is_in_readme_and_in_the_help_with_its_own_first_sentence(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert f"aiws-bundle {name} " in README
    assert (command.help or "").split("\n")[0].startswith(package._COMMANDS[name].split(":")[0].rstrip("."))


def test_readmes_first_two_commands_are_the_job_and_the_tests() -> None:
    first, second = re.findall(r"^    (python3 -m venv .*)$", README, re.MULTILINE)[:2]
    assert first.endswith(".venv/bin/aiws-bundle build debian-12-amd64")
    assert second.endswith(".venv/bin/pytest -n 2 --dist loadfile")


def test_exit_codes_are_documented() -> None:
    assert re.findall(r"^\| (\d+) \|", README, re.MULTILINE) == ["0", "1", "2", "3", "4", "130"]
