"""JSON Schemas of the manifests, generated from their classes; `python -m bundler.kinds.schema` writes them anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from bundler.kinds import KINDS
from bundler.model.manifest_schema import Schema
from bundler.model.manifest_values import adapter_of
from bundler.model.portable_python import PortablePython
from bundler.model.targets_file import TargetsFile
from bundler.model.trust import Trust

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> Mapping[str, str]:
    """Return file name -> JSON Schema (draft 2020-12) text for every kind of manifest."""
    found: dict[str, Mapping[str, object]] = {
        "targets": Schema.of(adapter_of(TargetsFile)).root,
        "python": Schema.of(adapter_of(PortablePython)).root,
        "trust": Schema.of(adapter_of(Trust)).root,
        **{kind.NAMES[0]: kind.schema() for kind in KINDS},
    }
    return {f"{name}.schema.json": _text(schema) for name, schema in sorted(found.items())}


def _text(schema: Mapping[str, object]) -> str:
    return json.dumps({"$schema": _DIALECT, **schema}, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    folder = Path(__file__).parent.parent / "schemas"
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8")
