"""python.yaml as it is begun: the portable CPython that archives carry where a host's own will not do."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from bundler.model.document import parse_yaml
from bundler.model.manifest_values import adapter_of
from bundler.model.portable_python import PortablePython
from bundler.model.validation import validate

NAME = "python.yaml"


@cache
def text() -> str:
    """The file's text: this project's own, but for its first line, which tells editors where its schema is."""
    _, _, rest = files("bundler.kinds.wheelhouse").joinpath(NAME).read_text(encoding="utf-8").partition("\n")
    return rest


@cache
def pinned() -> PortablePython:
    """What the text says."""
    return validate(parse_yaml(text(), NAME), adapter_of(PortablePython))
