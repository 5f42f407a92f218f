"""Holds the wings of docs/architecture.md: imports go down, no command imports another, only cli/ prints or exits."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.modules import MODULES as ALL
from tests.modules import ROOT, faults, nodes_of

WINGS = (
    *(
        "terminal",
        "words",
        "sizes",
        "errors",
        "progress",
        "board",
        "live",
        "code",
        "platforms",
        "model",
        "sidecars",
        "adapters",
        "transfer",
        "fetch",
        "session",
    ),
    *("payloads", "bench", "kinds", "make", "release", "pages", "commands", "cli", "__main__"),
)
MODULES = [path for path in ALL if path != ROOT / "__init__.py"]


def height_of(module: str) -> int:
    return WINGS.index(module.split(".")[1])


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


NAMES = {name_of(path) for path in MODULES}


def imports_of(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in NAMES else node.module


@cache
def ours(path: Path) -> list[str]:
    return [name for name in imports_of(path) if name.startswith("bundler.")]


def test_imports_go_down_only() -> None:
    def above(path: Path) -> list[str]:
        return [name for name in ours(path) if height_of(name) > height_of(name_of(path))]

    assert faults(above, MODULES) == {}, "imported from a wing above"


def test_commands_do_not_import_commands() -> None:
    def commands(path: Path) -> list[str]:
        return [name for name in ours(path) if name.startswith("bundler.commands.")]

    assert faults(commands, sorted((ROOT / "commands").glob("*.py"))) == {}


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


def test_the_model_does_no_io() -> None:
    def effects(path: Path) -> set[str]:
        return {name.split(".")[0] for name in imports_of(path)} & effectful

    effectful = {"os", "subprocess", "socket", "httpx", "tempfile", "shutil"}
    assert faults(effects, [path for path in MODULES if path.parent.name == "model"]) == {}


# The jail and what it runs are programs of their own, and so is what hosts get. The command line begins in __main__;
# terminal.py is what it, and progress, write with.
ON_HOSTS = ("agent.py", "install.py", "install_share.py", "probe.py", "apply_delta.py")
PRINTERS = ("progress.py", "terminal.py", "jail_fork.py", "make_wheel.py", *ON_HOSTS, "__main__.py")
PRINTS = re.compile(r"print|(sys\.|os\._?)?exit|sys\.(stdout|stderr)(\.buffer)?\.(write|writelines)")


def test_only_the_command_line_and_progress_print_or_exit() -> None:
    def said(path: Path) -> list[str]:
        nodes = nodes_of(path)
        called = {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}
        raised = {ast.unparse(node.exc).partition("(")[0] for node in nodes if isinstance(node, ast.Raise) and node.exc}
        return [*filter(PRINTS.fullmatch, called), *(raised & {"SystemExit"})]

    assert faults(said, [path for path in MODULES if path.parent.name != "cli" and path.name not in PRINTERS]) == {}


def test_no_file_spells_a_registrys_host() -> None:
    hosts = ["py" + "pi.org", "python" + "hosted.org", "registry." + "npmjs", "deb." + "debian.org"]
    skipped = {".git", ".venv", "dist", "__pycache__", ".hypothesis"}
    project = ROOT.parent
    for folder, folders, files in os.walk(project):
        folders[:] = [name for name in folders if name not in skipped]
        for path in (Path(folder, name) for name in files if name not in skipped):
            text = path.read_bytes().decode("utf-8", "replace").lower()
            assert not [host for host in hosts if host in text], path
