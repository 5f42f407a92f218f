"""Holds the wings of docs/architecture.md: imports go down, no command imports another, only cli/ prints or exits."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import bundler

ROOT = Path(bundler.__file__).parent
WINGS = (
    *("terminal", "words", "errors", "progress", "platforms", "model", "sidecars", "adapters", "fetch", "session"),
    *("payloads", "bench", "kinds", "make", "release", "commands", "cli", "__main__"),
)
MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def height_of(module: str) -> int:
    return WINGS.index(module.split(".")[1])


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                place = ROOT.parent / inner.replace(".", "/")
                is_module = place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()
                yield inner if is_module else node.module


@cache
def ours(path: Path) -> list[str]:
    return [name for name in imports_of(path) if name.startswith("bundler.")]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_down_only(path: Path) -> None:
    here = name_of(path)
    above = [name for name in ours(path) if height_of(name) > height_of(here)]
    assert not above, f"{here} imports from a wing above: {above}"


@pytest.mark.parametrize("path", sorted((ROOT / "commands").glob("*.py")), ids=name_of)
def test_commands_do_not_import_commands(path: Path) -> None:
    assert not [name for name in ours(path) if name.startswith("bundler.commands.")]


def test_no_circles() -> None:
    graph = {name_of(path): set(ours(path)) for path in MODULES}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name in done:
            return
        for other in graph.get(name, ()):
            visit(other, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", [p for p in MODULES if p.parent.name == "model"], ids=name_of)
def test_the_model_does_no_io(path: Path) -> None:
    if path.name == "schema.py":  # its __main__ part writes the schemas
        return
    effects = {"os", "subprocess", "socket", "httpx", "tempfile", "shutil", "pathlib"}
    found = {name.split(".")[0] for name in imports_of(path)} & effects
    assert found <= {"pathlib"}, found


# The jail and what it runs are programs of their own. The command line begins in __main__; terminal.py is what it,
# and progress, write with.
PRINTERS = ("progress.py", "terminal.py", "jail_fork.py", "make_wheel.py", "__main__.py")
PRINTS = re.compile(r"print|(sys\.|os\._?)?exit|sys\.(stdout|stderr)(\.buffer)?\.(write|writelines)")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_command_line_and_progress_print_or_exit(path: Path) -> None:
    if path.parent.name == "cli" or path.name in PRINTERS:
        return
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    called = {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}
    raised = {ast.unparse(node.exc).partition("(")[0] for node in nodes if isinstance(node, ast.Raise) and node.exc}
    assert [name for name in called if PRINTS.fullmatch(name)] == []
    assert "SystemExit" not in raised


def test_no_file_spells_a_registrys_host() -> None:
    hosts = ["py" + "pi.org", "python" + "hosted.org", "registry." + "npmjs", "deb." + "debian.org"]
    skipped = {".git", ".venv", "dist", "__pycache__", ".hypothesis"}
    project = ROOT.parent
    for path in project.rglob("*"):
        if path.is_file() and not skipped & set(path.relative_to(project).parts):
            text = path.read_bytes().decode("utf-8", "replace").lower()
            assert not [host for host in hosts if host in text], path
