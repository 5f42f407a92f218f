from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import Field, TypeAdapter

import bundler
from bundler.errors import ManifestError
from bundler.kinds.manifests import Manifests
from bundler.kinds.prebuilt.manifest import Prebuilt
from bundler.kinds.schema import schemas
from bundler.kinds.wheelhouse.manifest import Override, WheelhouseFile
from bundler.kinds.wheelhouse.program import RehearsalPlan
from bundler.kinds.wheelhouse.service_plan import ServicePlan
from bundler.model.document import parse_yaml
from bundler.model.manifest_schema import Schema
from bundler.model.manifest_values import adapter_of
from bundler.model.portable_python import PortablePython
from bundler.model.targets_file import TargetsFile
from bundler.payloads.prisma.choice import Database
from tests.json_documents import draft
from tests.model.samples import MANIFESTS, real_texts

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

SCHEMAS = Path(bundler.__file__).parent / "schemas"


def schema_of(name: str) -> Path:
    """The schema that a manifest names in its first line."""
    first = (MANIFESTS / name).read_text(encoding="utf-8").splitlines()[0]
    match = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert match, f"{name} names no schema in its first line"
    return MANIFESTS / match.group(1)


def validator(schema: Any) -> Validator:
    """What judges by a schema."""
    draft().check_schema(schema)
    judge: Validator = draft()(schema)
    return judge


def complaints(name: str, text: str) -> list[str]:
    schema = json.loads(schema_of(name).read_text(encoding="utf-8"))
    return [error.message for error in validator(schema).iter_errors(parse_yaml(text, name).data)]


def test_the_committed_schemas_are_what_the_model_says() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in SCHEMAS.glob("*.json")}
    assert committed == dict(schemas()), "run `python -m bundler.kinds.schema`"


@pytest.mark.parametrize("name", sorted(schemas()))
def test_each_schema_is_a_valid_json_schema(name: str) -> None:
    validator(json.loads(schemas()[name]))


def parts_of(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of a JSON Schema that describes a value, with where it stands."""
    yield path, node
    for word in ("properties", "$defs"):
        for key, inner in node.get(word, {}).items():
            yield from parts_of(inner, f"{path}/{word}/{key}")
    for word in ("items", "additionalProperties", "propertyNames"):
        if isinstance(node.get(word), dict):
            yield from parts_of(node[word], f"{path}/{word}")
    for number, inner in enumerate(node.get("anyOf", ())):
        yield from parts_of(inner, f"{path}/anyOf/{number}")


@pytest.mark.parametrize("name", sorted(schemas()))
def test_every_key_and_every_class_of_each_schema_has_a_description(name: str) -> None:
    parts = dict(parts_of(json.loads(schemas()[name])))
    named = [path for path in parts if path.split("/")[-2:-1] in (["properties"], ["$defs"], [])]
    assert len(named) > 5
    assert [path for path in named if not parts[path].get("description", "").endswith(".")] == []
    assert [path for path in named if re.search(r"_[a-z]|`[a-z]+_", parts[path]["description"])] == []


@pytest.mark.parametrize("name", sorted(schemas()))
def test_every_word_of_each_schema_says_what_it_is_and_shows_one(name: str) -> None:
    schema = json.loads(schemas()[name])
    for path, part in parts_of(schema):
        if part.get("type") != "string" or "enum" in part or "const" in part:
            assert "title" not in part, path  # no titles that only repeat the names of keys and classes
            continue
        assert part["title"], path
        assert part["examples"], path
        for example in part["examples"]:
            assert validator(part).is_valid(example), path


@pytest.mark.parametrize(
    "model", [PortablePython, Prebuilt, TargetsFile, WheelhouseFile, Override, Database, RehearsalPlan, ServicePlan]
)
def test_the_example_of_each_class_is_one(model: type[object]) -> None:
    schema = Schema.of(adapter_of(model))
    adapter_of(model).validate_python(schema.example(schema.root))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("targets.yaml", 'distros: {Debian: {"12": {glibc: "2.36", python: portable}}}\narches: [amd64]\n'),
        ("targets.yaml", 'distros: {debian: {"12.": {glibc: "2.36", python: portable}}}\narches: [amd64]\n'),
        ("targets.yaml", "distros: {}\narches: [amd64]\n"),
        ("python.yaml", 'version: 3.13.5\ntag: "1"\npins: {x86: {}}\n'),
    ],
)
def test_the_schema_refuses_keys_that_the_model_refuses(name: str, text: str) -> None:
    assert complaints(name, text)


def test_how_many_keys_a_mapping_may_have_is_in_the_schema_too() -> None:
    root = Schema.of(TypeAdapter(Annotated[dict[str, str], Field(min_length=1, max_length=2)])).root
    assert (root["minProperties"], root["maxProperties"]) == (1, 2)


@pytest.mark.parametrize("name", sorted(real_texts()))
def test_each_manifest_names_a_schema_that_accepts_it(name: str) -> None:
    assert schema_of(name).resolve() in {path.resolve() for path in SCHEMAS.glob("*.json")}
    assert complaints(name, real_texts()[name]) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("litellm.yaml", "component: litellm", "component: LiteLLM"),
        ("litellm.yaml", "component: litellm", "colour: red"),
        ("litellm.yaml", "extra-requirements:", "extra_requirements:"),
        ("litellm.yaml", "requirement: litellm[proxy]==1.89.0", "requirement: litellm"),
        ("litellm.yaml", "targets: [debian-11]", "targets: []"),
        ("targets.yaml", 'glibc: "2.31"', "glibc: 2.31"),
        ("targets.yaml", "arches: [amd64, arm64]", "arches: [riscv]"),
        ("python.yaml", "leave-out:", "leave_out:"),
        ("qmd.yaml", "kind: prebuilt", "kind: wheelhouse"),
        ("qmd.yaml", "targets: [linux-amd64, linux-arm64]", "targets: [linux]"),
    ],
)
def test_what_the_schema_refuses_the_model_refuses_too(name: str, old: str, new: str) -> None:
    texts = real_texts()
    assert texts[name].count(old) == 1
    texts[name] = texts[name].replace(old, new)
    assert complaints(name, texts[name])
    with pytest.raises(ManifestError) as caught:
        Manifests.parse(texts)
    assert name in {problem.file for problem in caught.value.problems}
