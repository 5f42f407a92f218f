"""install.sh: the installer for operators that every archive carries, made for the archive's own host."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.kinds.wheelhouse.request import Request
from bundler.model.interpreter import Interpreter

# The schema's line, if what it names is a `PlainPath`.
_PART = "[A-Za-z0-9_@-][A-Za-z0-9._@+-]*"
_SCHEMA = re.compile(rf"^database_schema='({_PART}(/{_PART})*)'$".encode(), re.MULTILINE)


def render(request: Request) -> bytes:
    """Return the script for the host that `request` is for."""
    target = request.target
    schema = request.database.schema if request.database else ""
    host = (target.distro, target.version, target.arch)
    return _filled(request.component, host, request.python, schema, portable=request.portable)


def differs(content: bytes, facts: ArchiveManifest) -> bool:
    """Say whether the script is anything but what `render` would write for the host that an archive says it is for.

    Which schema a client would be generated from, only archives that support a database say; others may name any.
    """
    schema = facts.database.generate
    if not facts.database.supported and (found := _SCHEMA.search(content)):
        schema = found[1].decode()
    host, portable = (facts.distro, facts.version, facts.arch), facts.python.source == "portable"
    return content != _filled(facts.component, host, facts.interpreter, schema, portable=portable)


def _filled(component: str, host: tuple[str, str, str], python: Interpreter, schema: str, *, portable: bool) -> bytes:
    words = {
        "COMPONENT": component,
        "DISTRO": host[0],
        "VERSION": host[1],
        "ARCH": host[2],
        "MACHINE": python.machine,
        "PYTHON_MINOR": python.minor,
        "PYTHON_PATCH": str(python.patch),
        "PYTHON_SOURCE": "portable" if portable else "system",
        "DATABASE_SCHEMA": schema,
        "PYTHON_NEED": "" if portable else f" with Python {python.minor}",
    }
    text = _template()
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text.encode()


@cache
def _template() -> str:
    return files("bundler.kinds.wheelhouse.members").joinpath("install.sh").read_text(encoding="utf-8")
