"""Sections of manifests that are lists: a class whose only field is the items, which pydantic takes from a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import core_schema

_MOST = 200
T = TypeVar("T")
S = TypeVar("S")


def list_schema(
    make: Callable[[tuple[T, ...]], S],
    items: Callable[[S], tuple[T, ...]],
    item: type[T],
    handler: GetCoreSchemaHandler,
) -> core_schema.CoreSchema:
    """The schema of what `make` makes of a list of at most 200 of `item`, and `items` takes apart again.

    For a class's `__get_pydantic_core_schema__`.
    """
    inner = handler.generate_schema(Annotated[tuple[item, ...], Field(max_length=_MOST)])  # type: ignore[valid-type]
    return core_schema.no_info_after_validator_function(
        make, inner, serialization=core_schema.plain_serializer_function_ser_schema(items, return_schema=inner)
    )
