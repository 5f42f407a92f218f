"""What the consumers' installer and role run of an archive, in their own words: wherever it is rehearsed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Protocol

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bundler.kinds.steps import StepError
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.model.bundle import PYTHON, RUNTIME_ENV, WHEELS
from bundler.payloads import SECTIONS


class Run(Protocol):
    """Runs a program to its end."""

    def __call__(self, *argv: str) -> str:
        """Return its output. Raises StepError if it fails."""


_SHELLS_OWN = ("PWD", "SHLVL", "_", "OLDPWD")


def exported(run: Run, top: str, env: Mapping[str, str]) -> dict[str, str]:
    """`env` and what the installer exports: runtime.env of an archive unpacked at `top`, sourced, and pip's own."""
    lines = run("/bin/sh", "-c", f"set -a; . {top}/{RUNTIME_ENV}; env").splitlines()
    sourced = dict(line.partition("=")[::2] for line in lines if "=" in line)
    return {
        **env,
        **{name: value for name, value in sourced.items() if name not in _SHELLS_OWN},
        "PIP_FIND_LINKS": f"{top}/{WHEELS}",
        "PIP_PREFER_BINARY": "true",
        "PIP_NO_INDEX": "true",
    }


def copied_python(run: Run, top: str, minor: str, copy: str) -> str:
    """Move the portable Python, found as the installer does, to `copy`; its program. Raises StepError."""
    name = f"python{minor}"
    found = run("find", "-L", f"{top}/{PYTHON}", "-type", "f", "-perm", "-u+x", "-path", f"*/bin/{name}")
    if not found.strip():
        raise StepError(f"no executable …/bin/{name} below {PYTHON}")
    folder = str(PurePosixPath(found.splitlines()[0]).parent.parent)
    run("cp", "-a", folder, copy)
    # Gone from where it was unpacked: what runs now runs from the copy.
    run("rm", "-rf", folder)
    return f"{copy}/bin/{name}"


def pip_words(facts: ArchiveManifest) -> tuple[str, ...]:
    """What the role asks pip for."""
    # What bootstraps, and what payloads alone need, is for the installers themselves.
    others = {"pip", "setuptools", "wheel", *(project(text) for one in SECTIONS.values() for text in one.HELPERS)}
    asked = [text for text in facts.requirements if project(text) not in others]
    return ("install", "--retries", "5", "--resume-retries", "5", *asked)


def project(requirement: str) -> str:
    """The name of what is required, as an index has it."""
    return canonicalize_name(Requirement(requirement).name)
