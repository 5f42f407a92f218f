"""What a value of a manifest must be beyond its pattern: checks that pydantic calls, which raise ValueError."""

from __future__ import annotations

import re
import string

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import AfterValidator

# What SHA256SUMS can list.
ASSET_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._+-]*"


def template(*fields: str) -> AfterValidator:
    """An asset name with each of `fields` in braces, once and alone."""

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
        if unknown := sorted(set(used) - set(fields)):
            raise ValueError(f"unknown field {{{unknown[0]}}}; there are {', '.join(f'{{{f}}}' for f in fields)}")
        if missing := [field for field in fields if field not in used]:
            raise ValueError(f"{{{missing[0]}}} is missing, so two targets would share a name")
        if not re.fullmatch(ASSET_PATTERN, value.format_map(dict.fromkeys(fields, "0"))):
            raise ValueError("an asset's name holds only letters, digits and ._+-, a letter or digit first")
        return value

    return AfterValidator(check)


def plain_requirement(value: str) -> str:
    """A requirement (PEP 508) of a name and versions."""
    try:
        parsed = Requirement(value)
    except InvalidRequirement as error:
        raise ValueError(f"not a requirement: {error}".splitlines()[0]) from error
    if parsed.url or parsed.marker:
        raise ValueError("a requirement here is a name and versions; no address, no marker")
    return value


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


def no_dots(value: str) -> str:
    """A name of two parts, neither of which climbs."""
    if {".", ".."} & set(value.split("/")):
        raise ValueError("an owner and a repository, not a path")
    return value


def distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    """Values of which none is there twice."""
    if twice := [value for index, value in enumerate(values) if value in values[:index]]:
        raise ValueError(f"{twice[0]} is there twice")
    return values
