"""The tables of kinds and payloads are the only places that list their members; no command names one.

Of the other two: `tests/sidecars/test_table.py`, `tests/platforms/test_table.py`.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from bundler.kinds import KINDS
from bundler.kinds.kind import Kind
from bundler.kinds.wheelhouse.lock import LockFacts
from bundler.kinds.wheelhouse.manifest import WheelhouseKeys
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.payloads import PAYLOADS, SECTIONS
from bundler.payloads.collections import COLLECTIONS
from tests.modules import MODULES, ROOT, faults, nodes_of, text_of

# A table's wing, and the modules in it that are no entries: what an entry is, and what reads or writes any entry.
TABLES = {
    "kinds": {
        "beginning",
        "file_list",
        "kind",
        "manifests",
        "question",
        "reading",
        "runtime_env",
        "schema",
        "steps",
        "to_come",
        "verify",
    },
    "payloads": {"payload", "collection", "collections", "spool", "download"},
}
# Where a wing's entries are listed.
LISTS = {"kinds": ("__init__",), "payloads": ("__init__", "collections")}
# What is true of one component stands in its manifest. A payload may be called as what it carries.
COMPONENTS = re.compile(r"litellm|prisma", re.IGNORECASE)


def entries(wing: str) -> set[str]:
    """The names of a wing's entries: a file or folder each."""
    names = {path.stem if path.suffix == ".py" else path.name for path in (ROOT / wing).iterdir()}
    return {name for name in names if not name.startswith("__")} - TABLES[wing]


@cache
def imported(path: Path) -> tuple[str, ...]:
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def lists(wing: str) -> list[Path]:
    return [ROOT / wing / f"{name}.py" for name in LISTS[wing]]


def list_lines(wing: str) -> list[str]:
    return [line for path in lists(wing) for line in path.read_text(encoding="utf-8").splitlines()]


def entry_lines(wing: str) -> set[str]:
    """The lines of a table's modules that import and list entries."""
    return {line for line in list_lines(wing) if line.startswith(f"from bundler.{wing} import ")} | {
        f"    {entry}," for entry in entries(wing)
    }


def inside(path: Path, folder: Path) -> bool:
    return path.is_relative_to(folder) or path == folder.with_suffix(".py")


@pytest.mark.parametrize("wing", TABLES)
def test_only_the_table_names_an_entry(wing: str) -> None:
    for entry in sorted(entries(wing)):
        place = f"bundler.{wing}.{entry}"
        others = [path for path in MODULES if path not in lists(wing) and not inside(path, ROOT / wing / entry)]
        naming = [
            str(path.relative_to(ROOT))
            for path in others
            if any(name == place or name.startswith(f"{place}.") for name in imported(path))
        ]
        assert naming == [], f"{place} is named elsewhere"


@pytest.mark.parametrize("wing", TABLES)
def test_the_table_lists_every_entry_in_one_line(wing: str) -> None:
    lines = list_lines(wing)
    for entry in entries(wing):
        assert lines.count(f"    {entry},") == 1, entry


def test_the_tables_hold_what_their_wings_do() -> None:
    assert len(KINDS) == len(entries("kinds"))
    assert len(PAYLOADS) + len(COLLECTIONS) == len(entries("payloads"))
    names = [name for kind in KINDS for name in kind.NAMES]
    places = [place for one in PAYLOADS for place in one.PLACES] + [
        place for one in COLLECTIONS for place in one.PLACES
    ]
    assert len(set(names)) == len(names) and len(set(places)) == len(places)
    assert list(SECTIONS) == [payload.SECTION for payload in PAYLOADS if payload.SECTION]


def test_no_module_takes_the_place_of_what_a_kind_does() -> None:
    """A module of a package is an attribute of it once it is loaded, in place of a function of the same name."""
    for kind in KINDS:
        for module in pkgutil.iter_modules(kind.__path__, f"{kind.__name__}."):  # type: ignore[attr-defined]
            importlib.import_module(module.name)
    functions = [name for name, one in vars(Kind).items() if inspect.isfunction(one) and not name.startswith("_")]
    assert len(functions) > 9
    for kind in KINDS:
        assert [name for name in functions if not inspect.isfunction(getattr(kind, name))] == []


def test_no_module_speaks_of_one_component() -> None:
    def named(path: Path) -> list[str]:
        text = text_of(path)
        if path in lists("payloads"):  # the table: an import and an entry
            text = "\n".join(line for line in text.splitlines() if line not in entry_lines("payloads"))
        return COMPONENTS.findall(text)

    assert faults(named, [path for path in MODULES if not inside(path, ROOT / "payloads" / "prisma")]) == {}


def test_no_section_is_called_as_something_else_is() -> None:
    """A section's name is a key of manifests, of locks and of manifest.json, which have keys of their own."""
    own = {field.name for kept in (WheelhouseKeys, LockFacts, ArchiveManifest) for field in dataclasses.fields(kept)}
    assert own.isdisjoint(SECTIONS) and {name.replace("_", "-") for name in own}.isdisjoint(SECTIONS)


def test_no_module_but_its_payload_speaks_of_a_section() -> None:
    """What a section is called, only its payload says; what people read takes the name from there."""

    def said(path: Path) -> list[str]:
        nodes = nodes_of(path)
        texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        docstrings = {
            ast.get_docstring(node, clean=False)
            for node in nodes
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        }
        return [text for text in texts if text not in docstrings and set(re.findall(r"[a-z-]+", text)) & set(SECTIONS)]

    assert faults(said, [path for path in MODULES if not path.is_relative_to(ROOT / "payloads")]) == {}
