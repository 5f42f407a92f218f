"""What keeps a host from loading the compiled code of wheels, once they are installed together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bundler.code.values import Code, Tree
from bundler.model.interpreter import Interpreter
from bundler.platforms import named

# The compiled code of a wheel, by where it is installed: `site/a/b.so`.
CodeInWheel = tuple[tuple[str, Code], ...]

# So many files of a wheel are named that have one fault.
_MOST_NAMED = 3


def faults_of_wheels(wheels: Iterable[tuple[str, CodeInWheel]], python: Interpreter) -> Iterator[tuple[str, str]]:
    """Yield the file name of a wheel, and what is wrong with which of its files.

    `wheels` are looked at as one installation: a virtual environment, and in it whatever all of them bring.
    """
    code: dict[str, Code] = {}
    owners: dict[str, tuple[str, str]] = {}
    for filename, within in wheels:
        for place, one in within:
            path = _installed(place, python)
            code[path] = one
            owners[path] = filename, place.partition("/")[2]
    found: dict[tuple[str, str], list[str]] = {}
    for path, fault in faults_of(Tree(code, {}), python.platform, python.floor):
        filename, inner = owners[path]
        found.setdefault((filename, fault), []).append(inner)
    for (filename, fault), paths in found.items():
        more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
        yield filename, f"{', '.join(paths[:_MOST_NAMED])}{more}: {fault}"


def faults_of(tree: Tree, name: str, floor: int | None) -> Iterator[tuple[str, str]]:
    """Yield the path of a file in a tree, and what keeps hosts of a platform, by its name, from loading it.

    `floor` is the oldest system that has to load it; None if nobody said.
    """
    platform, arch = named(name)
    return platform.code_faults(tree, arch, floor)


def _installed(place: str, python: Interpreter) -> str:
    """Where a wheel's file stands in a virtual environment (sysconfig's scheme `venv`)."""
    scheme, _, path = place.partition("/")
    folders = {"site": f"lib/python{python.minor}/site-packages/", "scripts": "bin/", "data": ""}
    return f"{folders.get(scheme, f'{scheme}/')}{path}"
