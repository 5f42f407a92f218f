"""install.sh: the installer for operators that every archive carries, made for the archive's own host."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from bundler.model.request import Request


def render(request: Request) -> bytes:
    """Return the script for the host that `request` is for."""
    words = {
        "COMPONENT": request.component,
        "DISTRO": request.target.distro,
        "VERSION": request.target.version,
        "ARCH": request.target.arch,
        "MACHINE": request.target.machine,
        "PYTHON_MINOR": request.python.minor,
        "PYTHON_PATCH": str(request.python.patch),
        "PYTHON_SOURCE": "portable" if request.portable else "system",
        "DATABASE_SCHEMA": request.database.schema if request.database else "",
        "PYTHON_NEED": "" if request.portable else f" with Python {request.python.minor}",
    }
    text = _template()
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text.encode()


@cache
def _template() -> str:
    return files("bundler.sidecars").joinpath("install.sh").read_text(encoding="utf-8")
