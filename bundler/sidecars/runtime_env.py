"""metadata/runtime.env: what bash reads with `source` before it installs. Nothing in it can execute or expand."""

from __future__ import annotations

import re

from bundler.errors import IntegrityError
from bundler.model.manifest import SPEC_PATTERN

_SPEC = re.compile(SPEC_PATTERN)


def render(component: str, requirement: str) -> bytes:
    """Return the file's bytes. Raises IntegrityError for a requirement that a shell could take for more than a word."""
    _check(requirement)
    return f"{_variable(component)}={requirement}\n".encode()


def parse(content: bytes, component: str) -> str:
    """Return the requirement. Raises IntegrityError for anything that `render` would not write."""
    name, separator, value = content.decode("utf-8", "replace").removesuffix("\n").partition("=")
    if not separator or name != _variable(component):
        raise IntegrityError(f"runtime.env: expected {_variable(component)}=…")
    _check(value)
    if content != render(component, value):
        raise IntegrityError("runtime.env: holds more than one plain line")
    return value


def _variable(component: str) -> str:
    return f"{component.upper().replace('-', '_')}_PACKAGE_SPEC"


def _check(requirement: str) -> None:
    if not _SPEC.fullmatch(requirement):
        raise IntegrityError(f"runtime.env: {requirement!r} is not a plain requirement such as litellm[proxy]==1.89.0")
