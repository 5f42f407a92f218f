"""JSON Schemas of the manifests, generated from the model; `python -m bundler.kinds.schema` writes them anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter

from bundler.kinds.manifests import adapter_of
from bundler.kinds.prebuilt.manifest import ReleaseAsset
from bundler.kinds.wheelhouse.manifest import Wheelhouse
from bundler.model.portable_python import PortablePython
from bundler.model.targets_file import TargetsFile

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> Mapping[str, str]:
    """Return file name -> JSON Schema (draft 2020-12) text for every kind of manifest."""
    return {
        "python.schema.json": _text(adapter_of(PortablePython)),
        "release-asset.schema.json": _text(adapter_of(ReleaseAsset)),
        "targets.schema.json": _text(adapter_of(TargetsFile)),
        "wheelhouse.schema.json": _text(adapter_of(Wheelhouse)),
    }


def _text(adapter: TypeAdapter[object]) -> str:
    schema = {"$schema": _DIALECT, **adapter.json_schema(by_alias=True)}
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    folder = Path(__file__).parent.parent / "schemas"
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8")
