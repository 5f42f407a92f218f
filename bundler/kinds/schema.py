"""JSON Schemas of the manifests, generated from the model; `python -m bundler.kinds.schema` writes them anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import TypeAdapter

from bundler.kinds.prebuilt.manifest import ReleaseAsset
from bundler.kinds.wheelhouse.manifest import WheelhouseKeys
from bundler.model.manifest_values import adapter_of
from bundler.model.portable_python import PortablePython
from bundler.model.targets_file import TargetsFile
from bundler.payloads import SECTIONS

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> Mapping[str, str]:
    """Return file name -> JSON Schema (draft 2020-12) text for every kind of manifest."""
    return {
        "python.schema.json": _text(adapter_of(PortablePython)),
        "release-asset.schema.json": _text(adapter_of(ReleaseAsset)),
        "targets.schema.json": _text(adapter_of(TargetsFile)),
        "wheelhouse.schema.json": _text(
            adapter_of(WheelhouseKeys), {name: module.CHOICE for name, module in SECTIONS.items()}
        ),
    }


def _text(adapter: TypeAdapter[object], sections: Mapping[str, type[object]] = MappingProxyType({})) -> str:
    """The schema of a manifest whose further keys are `sections`."""
    schema: dict[str, object] = adapter.json_schema(by_alias=True)
    properties, definitions = _part(schema, "properties"), _part(schema, "$defs")
    for name, model in sections.items():
        section: dict[str, object] = adapter_of(model).json_schema(by_alias=True)
        definitions |= _part(section, "$defs")
        section.pop("$defs", None)
        properties[name] = {"$ref": f"#/$defs/{model.__name__}"}
        definitions[model.__name__] = section
    schema |= {"$schema": _DIALECT, "properties": properties, **({"$defs": definitions} if definitions else {})}
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def _part(schema: Mapping[str, object], key: str) -> dict[str, object]:
    part = schema.get(key)
    return dict(part) if isinstance(part, dict) else {}


if __name__ == "__main__":
    folder = Path(__file__).parent.parent / "schemas"
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8")
