"""What README, the documents and the help text say is what the command line does."""

from __future__ import annotations

import re

import click
import pytest

from bundler import cli as package
from bundler.cli import cli
from tests.documents import PAGES, shown, text_of

README = text_of("README.md")
SHOWN = [(page, " ".join(words)) for page in PAGES for words in shown(page)]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_shown_exists_with_its_options(page: str) -> None:
    context = click.Context(cli)
    for words in shown(page):
        names = [word for word in words if word in cli.list_commands(context)]
        if "COMMAND" in words or not names:
            assert "COMMAND" in words or words in ([], ["--help"], ["--version"]), words
            continue
        command = cli.get_command(context, names[0])
        assert command is not None
        if isinstance(command, click.Group):
            command = next((command.commands[word] for word in words if word in command.commands), command)
        known = {option for one in [*command.params, *cli.params] for option in one.opts} | {"--help"}
        assert {word.partition("=")[0] for word in words if word.startswith("--") and " " not in word} <= known, words


def test_many_commands_are_shown_in_readme_and_documents() -> None:
    assert len([page for page, _ in SHOWN if page == "README.md"]) >= 18
    assert len([page for page, _ in SHOWN if page.startswith("docs/")]) >= 55


@pytest.mark.parametrize("name", cli.list_commands(click.Context(cli)))
def test_every_command_is_in_readme_and_in_the_help_with_its_own_first_sentence(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert re.search(rf"^    aiws-bundle {name} ", README, re.MULTILINE)
    assert (command.help or "").split("\n")[0].startswith(package._COMMANDS[name].split(":")[0].rstrip("."))


def test_readmes_first_two_commands_are_the_job_and_the_tests() -> None:
    first, second = re.findall(r"^    (python3 -m venv .*)$", README, re.MULTILINE)[:2]
    assert first.endswith(".venv/bin/aiws-bundle build debian-12-amd64")
    assert second.endswith(".venv/bin/pytest -n 2 --dist loadfile")


def test_readme_is_a_screen_and_a_half() -> None:
    words = [word for word in README.split() if word.strip("|:-")]  # of a table, what stands in it
    assert len(words) <= 880
    assert README.count("\n") <= 110


def test_exit_codes_are_documented() -> None:
    text = text_of("docs/exit-codes.md")
    assert re.findall(r"^\| (\d+) \|", text, re.MULTILINE) == ["0", "1", "2", "3", "4", "130"]
