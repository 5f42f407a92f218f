"""docs/workflows.md: its tables are those of the action and of the workflow, its examples take what these take."""

from __future__ import annotations

import re
from typing import Any

import click
import pytest
import yaml

from bundler.cli import cli
from tests.test_workflows import ACTION, BUNDLE, ROOT, load

TEXT = (ROOT / "docs" / "workflows.md").read_text(encoding="utf-8")
EXAMPLES = [
    yaml.safe_load(block.replace("<commit>", "0" * 40)) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.S)
]
CALLED: dict[str, Any] = {str(key): value for key, value in load(ROOT / ".github/workflows" / BUNDLE).items()}["True"]


def table(heading: str, number: int = 0) -> list[str]:
    """The names in the first column of a table with this heading."""
    found = re.findall(rf"^\| {heading} \| .*\n\|---.*\n((?:\|.*\n)+)", TEXT, re.MULTILINE)[number]
    return [line.split("|")[1].strip(" `") for line in found.splitlines()]


def test_every_input_and_output_is_told() -> None:
    action = load(ACTION)
    assert table("input") == [*action["inputs"]]
    assert sorted(table("output")) == sorted(action["outputs"])
    assert table("input", 1) == [*CALLED["workflow_call"]["inputs"]]
    assert table("job") == [*load(ROOT / ".github/workflows" / BUNDLE)["jobs"]]


def test_defaults_are_as_told() -> None:
    lines = TEXT[TEXT.index("## The reusable workflow") :].splitlines()
    for name, told in CALLED["workflow_call"]["inputs"].items():
        (line,) = (line for line in lines if line.startswith(f"| `{name}` |"))
        default = str(told["default"]).lower() if told["type"] == "boolean" else told["default"]
        assert f"`{default}`" in line or not default, line


def test_the_examples_say_nothing_that_is_not_taken() -> None:
    action, workflow = EXAMPLES
    steps = action["jobs"]["bundle"]["steps"]
    assert steps[-1]["with"].keys() <= load(ACTION)["inputs"].keys()
    command = cli.get_command(click.Context(cli), steps[-1]["with"]["command"])
    assert command is not None
    job = workflow["jobs"]["bundle"]
    assert job["with"].keys() <= CALLED["workflow_call"]["inputs"].keys()
    own = load(ROOT / ".github/workflows/release-bundle.yml")["jobs"]["release"]
    assert (job["permissions"], job["secrets"]) == (own["permissions"], own["secrets"])


@pytest.mark.parametrize("command", re.findall(r"`aiws-bundle (\w+)", TEXT))
def test_every_command_that_it_names_exists(command: str) -> None:
    assert command in cli.list_commands(click.Context(cli))
