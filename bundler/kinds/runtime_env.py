"""metadata/runtime.env: what bash reads with `source`. The first line is the component's requirement, for the
consumers' installer; each further line exports a variable for the component to run with. Nothing in it can execute,
and no variable makes a shell or a program do so (`model.variables`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bundler.errors import IntegrityError
from bundler.model.variables import fault_of
from bundler.payloads import VARIABLES
from bundler.words import SPEC_PATTERN

_SPEC, _COMPONENT = re.compile(SPEC_PATTERN), re.compile(r"[a-z][a-z0-9-]*")


def render(component: str, requirement: str, environment: Sequence[tuple[str, str]] = ()) -> bytes:
    """Return the file's bytes. Raises IntegrityError for anything that a shell could take for more than a word."""
    if not _SPEC.fullmatch(requirement):
        raise IntegrityError(f"runtime.env: {requirement!r} is not a plain requirement such as name[extra]==1.2.3")
    if not _COMPONENT.fullmatch(component):
        raise IntegrityError(f"runtime.env: {component!r} cannot begin a variable's name")
    for name, value in environment:
        if fault := fault_of(name, value, component, VARIABLES):
            raise IntegrityError(f"runtime.env: {fault}")
    names = [name for name, _ in environment]
    if len(set(names)) < len(names):
        raise IntegrityError("runtime.env: a variable is exported twice")
    lines = [f"{spec_name(component)}={requirement}", *(f"export {name}={value}" for name, value in environment)]
    return "".join(f"{line}\n" for line in lines).encode()


def parse(content: bytes, component: str) -> str:
    """Return the requirement. Raises IntegrityError for anything that `render` would not write."""
    first, *rest = content.decode("utf-8", "replace").removesuffix("\n").split("\n")
    name, _, requirement = first.partition("=")
    if name != spec_name(component):
        raise IntegrityError(f"runtime.env: expected {spec_name(component)}=…")
    exported = [tuple(line.removeprefix("export ").partition("=")[::2]) for line in rest]
    if content != render(component, requirement, [(name, value) for name, value in exported]):
        raise IntegrityError("runtime.env: holds a line that is neither the requirement nor an export")
    return requirement


def spec_name(component: str) -> str:
    """The variable that holds a component's requirement: `DEMO_PACKAGE_SPEC`."""
    return variable(component, "PACKAGE_SPEC")


def variable(component: str, word: str) -> str:
    """A variable of a component: `DEMO_WORD`."""
    return f"{component.upper().replace('-', '_')}_{word}"
