"""Every command has a JSON Schema of what `--json` prints, and errors have one form."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bundler import cli
from bundler.cli.output import SCHEMA_VERSION, versioned
from bundler.terminal import Json
from tests import json_documents as documents
from tests.kinds.test_schema import parts_of
from tests.model.samples import MANIFESTS

NAMES = sorted(path.name.removesuffix(".schema.json") for path in documents.SCHEMAS.iterdir())


def test_every_command_has_a_schema_and_every_schema_a_command() -> None:
    assert sorted(("error", *documents.commands())) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_schema_is_one_of_closed_documents_of_this_version(name: str) -> None:
    text = (documents.SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    assert text == json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    judge = documents.validator(name)
    judge.check_schema(schema)
    for variant in schema.get("oneOf", [schema]):
        assert variant["properties"]["schema_version"]["const"] == SCHEMA_VERSION
        assert "schema_version" in variant["required"]
        parts = [part for _, part in parts_of({**variant, "$defs": schema.get("$defs", {})})]
        assert all("additionalProperties" in part for part in parts if part.get("type") == "object")
    for path, part in parts_of(schema):
        if path.split("/")[-2:-1] == ["properties"]:
            assert re.fullmatch(r"[A-Z`][^_]*\.", part.get("description", ""), re.DOTALL), (name, path)


def test_only_one_place_prints_documents() -> None:
    said = {
        path.name
        for path in (Path(cli.__file__).parent).glob("*.py")
        if "say_json(" in path.read_text(encoding="utf-8")
    }
    # A workflow's matrix has GitHub's form, and a record is written to a file too.
    assert said == {"output.py", "report.py", "targets.py"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--json", "Missing command."),
        ("--json nonsense", "No such command 'nonsense'."),
        ("cache --json", "which command?"),
        ("build --json", "Missing argument 'SELECTOR...'."),
        ("verify --jobs x y --json", "Invalid value for '--jobs': 'x' is not a valid integer range."),
        ("--json build nonsense --offline", "unknown target 'nonsense'"),
        ("--json inspect nowhere", "nowhere is not a file"),
        ("--manifests nowhere check --json", "nowhere is not there"),
    ],
)
def test_what_ends_a_command_is_one_document_of_one_form(
    words: str, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(MANIFESTS)
    code = cli.run(words.split())
    out = capsys.readouterr().out
    documents.hold(words.split(), out)
    told: Any = json.loads(out)
    assert list(told) == ["schema_version", "error"]
    assert told["error"]["message"] == message
    assert told["error"]["hint"]
    assert code == told["error"]["exit_code"] == 2


def test_what_stands_behind_two_hyphens_is_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["inspect", "--", "--json"])
    assert capsys.readouterr().out == ""


def test_a_document_that_is_not_as_its_schema_says_is_told() -> None:
    good: dict[str, Json] = {"path": "/cache"}
    faulty: list[dict[str, Json]] = [{"path": 1}, {"path": "x", "more": 1}, {}, {**good, "error": None}]
    documents.hold(["--json", "cache", "path"], json.dumps(versioned(good)))
    for bad in faulty:
        with pytest.raises(AssertionError, match=r"cache-path\.schema\.json"):
            documents.hold(["--json", "cache", "path"], json.dumps(versioned(bad)))
    with pytest.raises(AssertionError, match="schema_version"):
        documents.hold(["cache", "path", "--json"], json.dumps(good))
