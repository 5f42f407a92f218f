"""A program of its own, run inside a sandbox: asks a source's build backend, through pypa/build (PEP 517).

    make_wheel.py requires SOURCE PYTHON REPORT     the backend's further requirements for a wheel, a JSON list
    make_wheel.py wheel SOURCE PYTHON REPORT OUT    makes the wheel in OUT; its path, a JSON string

It needs nothing but `build` and what that needs, in the folder that it stands in; PYTHON is that of the isolated
environment. What goes wrong is the last line of standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from build import BuildBackendException, BuildException, ProjectBuilder
from build.env import IsolatedEnv


class LockedEnvironment(IsolatedEnv):
    """The environment that holds the locked build requirements; what it adds to the variables is set already."""

    def __init__(self, python: str) -> None:
        self._python = python

    @property
    def python_executable(self) -> str:
        """Its Python."""
        return self._python

    def make_extra_environ(self) -> Mapping[str, str] | None:
        """Nothing."""
        return None


def main(words: list[str]) -> int:
    """Do what `words` say; return the exit code."""
    what, source, python, report, *out = words
    os.umask(0o022)
    try:
        builder = ProjectBuilder.from_isolated_env(LockedEnvironment(python), source)
        if what == "requires":
            answer: object = sorted(builder.get_requires_for_build("wheel"))
        else:
            answer = builder.build("wheel", out[0])
    except (BuildException, BuildBackendException) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with suppress(FileNotFoundError):
        Path(report).unlink()
    with Path(report).open("x", encoding="utf-8") as file:  # what the backend may have put there is not followed
        json.dump(answer, file)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
