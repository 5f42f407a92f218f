"""What a value of a manifest must be beyond its pattern: checks that pydantic calls, which raise ValueError."""

from __future__ import annotations

import re
import string
from functools import cache
from typing import TypeVar, cast

from pydantic import AfterValidator, ConfigDict, TypeAdapter

from bundler.words import ASSET_PATTERN

# Of what locks and our own archives say: keys with hyphens for names with underscores, and no others.
LOCK_CONFIG = ConfigDict(extra="forbid", alias_generator=lambda name: name.replace("_", "-"), populate_by_name=True)
MANIFEST_CONFIG = ConfigDict(extra="forbid", alias_generator=lambda name: name.replace("_", "-"), frozen=True)


def template(*fields: str, others: tuple[str, ...] = ()) -> AfterValidator:
    """An asset name with each of `fields` in braces, once and alone; `others` may stand there too."""

    def check(value: str) -> str:
        try:
            parts = list(string.Formatter().parse(value))
        except ValueError as error:
            raise ValueError(f"not a template: {error}") from error
        used = [
            field + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            for _, field, spec, conversion in parts
            if field is not None
        ]
        known = (*others, *fields)
        if unknown := sorted(set(used) - set(known)):
            raise ValueError(f"unknown field {{{unknown[0]}}}; there are {', '.join(f'{{{f}}}' for f in known)}")
        if missing := [field for field in fields if field not in used]:
            raise ValueError(f"{{{missing[0]}}} is missing, so two targets would share a name")
        if not re.fullmatch(ASSET_PATTERN, value.format_map(dict.fromkeys(known, "0"))):
            raise ValueError("an asset's name holds only letters, digits and ._+-, a letter or digit first")
        return value

    return AfterValidator(check)


def filled(*fields: str) -> AfterValidator:
    """A text in which any of `fields` may stand in braces, any number of times, and nothing else in braces."""

    def check(value: str) -> str:
        try:
            parts = list(string.Formatter().parse(value))
        except ValueError as error:
            raise ValueError(f"not a template: {error}") from error
        there = ", ".join(f"{{{field}}}" for field in fields)
        for _, field, spec, conversion in parts:
            if field is not None and (field not in fields or spec or conversion):
                raise ValueError(f"{{{field}}} cannot be filled in as it stands; there are {there}")
        return value

    return AfterValidator(check)


def engine_address(value: str) -> str:
    """An address with {commit}, {platform} and {engine}, each once."""
    try:
        used = [
            (name, spec, conversion)
            for _, name, spec, conversion in string.Formatter().parse(value)
            if name is not None
        ]
    except ValueError as error:
        raise ValueError(f"not a template: {error}") from error
    if sorted(used) != [("commit", "", None), ("engine", "", None), ("platform", "", None)]:
        raise ValueError("holds {commit}, {platform} and {engine}, each once and nothing else in braces")
    return value


def distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    """Values of which none is there twice."""
    if twice := [value for index, value in enumerate(values) if value in values[:index]]:
        raise ValueError(f"{twice[0]} is there twice")
    return values


T = TypeVar("T")


def adapter_of(model: type[T]) -> TypeAdapter[T]:
    """The validator of a manifest class, made once."""
    return cast("TypeAdapter[T]", _adapter(model))  # type: ignore[arg-type]  # any class can be hashed


@cache
def _adapter(model: type[object]) -> TypeAdapter[object]:
    return TypeAdapter(model)
