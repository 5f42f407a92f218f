"""The texts of archives that this package carries as files, whole or to be filled in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files


@cache
def template(*names: str) -> str:
    """A file of this folder, or of one below it."""
    return files("bundler.kinds.wheelhouse.members").joinpath(*names).read_text(encoding="utf-8")


def filled(text: str, words: Mapping[str, str]) -> str:
    """The text with each word replaced, in their order."""
    for word, value in words.items():
        text = text.replace(word, value)
    return text
