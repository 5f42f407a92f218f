"""docs/your-application.md: every command that it shows exists with its options, every manifest can be read."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from bundler.cli import cli
from bundler.kinds.wheelhouse.manifest import parse
from bundler.model.document import parse_yaml
from tests.world import WHEELHOUSE

PAGE = (Path(__file__).parent.parent / "docs" / "your-application.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (aiws-bundle .*)$", PAGE, re.MULTILINE)
BLOCKS = [block for block in re.findall(r"(?:^    .*\n)+", PAGE, re.MULTILINE) if re.match(r" +\w+:\n", block)]


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_is_read_with_its_options(line: str) -> None:
    _, name, *words = shlex.split(line)
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    command.make_context(name, words, resilient_parsing=False)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split(":")[0].strip())
def test_each_piece_of_a_manifest_is_one(block: str) -> None:
    text = "\n".join(line[4:] for line in block.splitlines())
    assert parse(parse_yaml(f"{WHEELHOUSE}{text}\n", "litellm.yaml"))
    assert yaml.safe_load(text)


def test_there_are_commands_and_manifests() -> None:
    assert len(COMMANDS) > 8 and len(BLOCKS) == 2
