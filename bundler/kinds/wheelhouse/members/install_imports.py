"""What a program imports as it starts, as far as the text of its modules tells: what has to be compiled before it does.

A part of install.py, as install.sh runs it: Python 3.9, with its standard library alone. Nothing is imported here, and
the text is searched, not parsed, which takes a twentieth of compiling it. What is found too much, or not, costs time
alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

# What is not run when a module is imported, to its end: functions (and classes, which rarely import), and what is for
# type checkers. A line that begins at the margin ends it, unless it closes a parenthesis.
_NOT_RUN = re.compile(rb"^(?:async def|def|class|if (?:\w+\.)?TYPE_CHECKING)\b.*(?:\n(?:[ \t)\]}#].*)?)*", re.MULTILINE)
_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^\n#]*)|import[ \t]+([^\n#]*))", re.MULTILINE
)
_NAME = re.compile(r"(?:^|[(,])\s*([\w.]+)")


def imported(program: Path, site: Path, files: Iterable[str]) -> set[str]:
    """Those of the files below site-packages that a program imports, and what these import; none if it is not there."""
    modules = {_module(name): name for name in files if name.endswith(".py")}
    found, seen = set[str](), set[str]()
    todo = list(_imports(program.read_bytes(), [])) if program.is_file() else []
    while todo:
        module = todo.pop()
        while module and module not in seen:  # and the packages that it is in
            seen.add(module)
            if name := modules.get(module):
                found.add(name)
                package = module.split(".")[: None if name.endswith("/__init__.py") else -1]
                todo += _imports((site / name).read_bytes(), package)
            module = module.rpartition(".")[0]
    return found


def _module(name: str) -> str:
    parts = name[: -len(".py")].split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(text: bytes, package: list[str]) -> Iterator[str]:
    """What a module of a package imports: modules, and what may be a module or only a name in one."""
    for found in _IMPORT.finditer(_NOT_RUN.sub(b"", text)):
        dots, base, names, plain = ((part or b"").decode("utf-8", "replace") for part in found.groups())
        if plain:
            yield from _NAME.findall(plain)
            continue
        above = package[: len(package) + 1 - len(dots)] if dots else []
        module = ".".join([*above, *([base] if base else [])])
        yield module
        yield from (f"{module}.{name}" for name in _NAME.findall(names))
