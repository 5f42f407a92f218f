from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import bundler
from bundler.errors import ManifestError
from bundler.kinds.manifests import Manifests
from bundler.kinds.schema import schemas
from bundler.model.document import parse_yaml
from tests.model.samples import MANIFESTS, real_texts

SCHEMAS = Path(bundler.__file__).parent / "schemas"


def schema_of(name: str) -> Path:
    """The schema that a manifest names in its first line."""
    first = (MANIFESTS / name).read_text(encoding="utf-8").splitlines()[0]
    match = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert match, f"{name} names no schema in its first line"
    return MANIFESTS / match.group(1)


def complaints(name: str, text: str) -> list[str]:
    schema = json.loads(schema_of(name).read_text(encoding="utf-8"))
    return [error.message for error in Draft202012Validator(schema).iter_errors(parse_yaml(text, name).data)]


def test_the_committed_schemas_are_what_the_model_says() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in SCHEMAS.iterdir()}
    assert committed == dict(schemas()), "run `python -m bundler.kinds.schema`"


@pytest.mark.parametrize("name", sorted(schemas()))
def test_each_schema_is_a_valid_json_schema(name: str) -> None:
    Draft202012Validator.check_schema(json.loads(schemas()[name]))


@pytest.mark.parametrize("name", sorted(real_texts()))
def test_each_manifest_names_a_schema_that_accepts_it(name: str) -> None:
    assert schema_of(name).resolve() in {path.resolve() for path in SCHEMAS.iterdir()}
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
