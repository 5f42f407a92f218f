"""The modules of the program, read and parsed once for all tests that look through them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import bundler

ROOT = Path(bundler.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))


def short(path: Path) -> str:
    """A module's place below `bundler/`, which is how tests call it."""
    return path.relative_to(ROOT).as_posix()


@cache
def text_of(path: Path) -> str:
    """What stands in a module."""
    return path.read_text(encoding="utf-8")


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a module's tree, itself first."""
    return tuple(ast.walk(ast.parse(text_of(path))))


def faults(find: Callable[[Path], object], modules: Sequence[Path] = MODULES) -> dict[str, object]:
    """What is found in which module, where anything is."""
    assert modules
    return {short(path): found for path in modules if (found := find(path))}
