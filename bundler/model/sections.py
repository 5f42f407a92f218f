"""Manifests some of whose keys are sections that entries of a table ask for: the class of such a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, make_dataclass


def with_sections(base: type[object], choices: Mapping[str, type[object]]) -> type[object]:
    """The class of a whole file: `base`, and a key more for each section, which may be left out.

    A section is told by the first line of its class's docstring, the file by the first half of that of `base`.
    """
    fields = [(n, one | None, field(default=None, metadata={"description": _first(one)})) for n, one in choices.items()]
    text = f"{_first(base).partition(';')[0]}."
    return make_dataclass(f"{base.__name__}File", fields, bases=(base,), namespace={"__doc__": text}, frozen=True)


def _first(model: type[object]) -> str:
    return (model.__doc__ or "").partition("\n")[0]
