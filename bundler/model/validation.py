"""A manifest's plain data to its value; or what is wrong, in the words of whoever wrote it: what may stand there.

    distros.debian.12.glibc: a glibc version in quotes is wanted, such as "2.36"; here stands the number 2.36

pydantic says where something is wrong and of what sort it is; the words come from the class's JSON Schema.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from bundler.errors import ManifestError, Problem
from bundler.model.document import Document, Path
from bundler.model.manifest_schema import Schema, shown

_LONGEST_SHOWN = 80
# These are of one place, whatever is wrong below it; all others are of a value that nothing could be made of.
_OF_A_PLACE = frozenset({"value_error", "missing", "unexpected_keyword_argument", "too_long"})

T = TypeVar("T")


def validate(document: Document, model: TypeAdapter[T]) -> T:
    """Turn a document into the model's value. Raises ManifestError with every problem, each with its line."""
    try:
        return model.validate_python(document.data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise ManifestError(list(_Wording(document, Schema.of(model)).problems(found))) from error


def nearest(word: str, known: Sequence[str]) -> str:
    """Which of the `known` words was meant, or all of them: the end of a message about another."""
    near = difflib.get_close_matches(word.replace("_", "-"), known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"


@dataclass(frozen=True)
class _Wording:
    """What is wrong with a document, said with what its schema says."""

    document: Document
    schema: Schema

    def problems(self, found: Iterable[ErrorDetails]) -> Iterator[Problem]:
        """One problem a place. Of alternatives that all failed, the one that came furthest is told."""
        places: dict[tuple[Path, bool], ErrorDetails] = {}
        for error in found:
            place = self._path(error), error["loc"][-1:] == ("[key]",)
            if place not in places or error["type"] == "value_error":
                places[place] = error
        around = {path[:end] for path, _ in places for end in range(len(path))}
        for (path, of_key), error in places.items():
            if of_key or error["type"] in _OF_A_PLACE or path not in around:
                yield self._problem(path, error, of_key=of_key)

    def _path(self, error: ErrorDetails) -> Path:
        """Where in the document it is: pydantic's location without the names of alternatives."""
        path: Path = ()
        for part in error["loc"]:
            path = (*path, part) if (*path, part) in self.document.marks else path
        return (*path, error["loc"][-1]) if error["type"] == "missing" else path

    def _problem(self, path: Path, error: ErrorDetails, *, of_key: bool) -> Problem:
        kind = error["type"]
        if kind == "unexpected_keyword_argument":
            text, of_key = f"unknown key; {nearest(str(path[-1]), self.schema.keys(path[:-1]))}", True
        elif kind == "value_error":
            text = error["msg"].removeprefix("Value error, ")
        elif of_key:
            text = f"{self._wanted(path, key=True)}; here stands {shown(path[-1])}"
        else:
            text = self._of_value(path, error)
        where = ".".join(map(str, path))
        return self.document.problem(path, f"{where}: {text}" if where else text, key=of_key)

    def _of_value(self, path: Path, error: ErrorDetails) -> str:
        kind, limits, value = error["type"], error.get("ctx", {}), self.document.at(path)
        if kind == "missing":
            return f"is missing; {self._wanted(path)}"
        if kind == "string_too_long":
            return f"at most {limits['max_length']} characters may stand here; there are {len(str(value))}"
        if kind == "too_long":
            return f"at most {limits['max_length']} may stand here; there are {limits['actual_length']}"
        written = self.document.written.get(path)
        unquoted = written is not None and self.schema.takes(self.schema.at(path), written)
        return f"{self._wanted(path, ' in quotes' if unquoted else '')}; here stands {standing(self.document, path)}"

    def _wanted(self, path: Path, how: str = "", *, key: bool = False) -> str:
        """What may stand at `path`, with an example unless it lists its choices."""
        node = self.schema.at(path, key=key)
        wanted, example = self.schema.wanted(node), shown(self.schema.example(node))
        return f"{wanted}{how} is wanted" + ("" if example == "null" or example in wanted else f", such as {example}")


def standing(document: Document, path: Path) -> str:
    """What stands at `path`, where something else was wanted, as whoever wrote it would call it."""
    value, written = document.at(path), document.written.get(path)
    if isinstance(value, bool):
        return shown(value) if written == shown(value) else f"{written}, which YAML takes for {shown(value)}"
    if isinstance(value, (int, float)):
        return f"the number {written}"
    if isinstance(value, str):
        return shown(value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}…")
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return "nothing" if value is None else "a mapping" if value else "an empty mapping"
