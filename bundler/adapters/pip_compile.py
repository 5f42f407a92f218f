"""pip-compile (pip-tools), which resolves for the Python that runs here: right for what a source is built with."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement

from bundler.adapters.environment import PIP_COMPILE
from bundler.adapters.http import redact
from bundler.adapters.process import Runner, isolated
from bundler.errors import LockError, UnreachableError

_TIMEOUT_SECONDS = 600.0
_WORDS = (
    "--quiet", "--no-config", "--generate-hashes", "--allow-unsafe", "--strip-extras", "--resolver", "backtracking",
    "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links",
    "--no-emit-options",
)  # fmt: skip
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})(?=\s|$)")
# How pip says that it is the network, not the requirements.
_UNREACHABLE = (
    "ConnectionError",
    "connection broken by",
    "Max retries exceeded",
    "Could not fetch URL",
    "HTTP error 5",
)


@dataclass(frozen=True)
class Pinned:
    """A project at one version, and the SHA-256 of every wheel of it that the index has."""

    project: str
    version: str
    sha256: frozenset[str]


class PipCompile:
    """`pip-compile` with the index at `index`, whose credentials stand in no argument."""

    def __init__(self, run: Runner, env: Mapping[str, str], index: str) -> None:
        self._run, self._index = run, index
        ours = {"PIP_INDEX_URL": index, "PIP_ONLY_BINARY": ":all:", "PIP_RETRIES": "1", "PIP_NO_INPUT": "1"}
        self._env = {**PIP_COMPILE.of(env), **ours, "PIP_CONFIG_FILE": os.devnull}

    def version(self) -> str:
        """`pip-compile 7.6.2`."""
        return f"pip-compile {version('pip-tools')}"

    def resolve(self, requirements: Sequence[str]) -> tuple[Pinned, ...]:
        """Pin everything that `requirements` lead to, sorted by project.

        Raises LockError with pip's reasons, UnreachableError.
        """
        if not requirements:
            return ()
        with tempfile.TemporaryDirectory(prefix="aiws-bundle-build-") as name:
            folder = Path(name)
            wanted, output = folder / "wanted.in", folder / "pinned.txt"
            wanted.write_text("".join(f"{line}\n" for line in requirements), encoding="utf-8")
            argv = isolated("-W", "ignore", "-m", "piptools", "compile", *_WORDS)
            argv += ["--cache-dir", str(folder / "cache"), "--output-file", str(output), str(wanted)]
            done = self._run(argv, self._env, _TIMEOUT_SECONDS)
            if done.code:
                raise self._failure(requirements, done.errors, folder)
            return tuple(sorted(_pins(output.read_text(encoding="utf-8")), key=lambda pin: pin.project))

    def _failure(self, requirements: Sequence[str], errors: str, folder: Path) -> LockError | UnreachableError:
        lines = [line for line in errors.replace(str(folder), "").splitlines() if line.strip()]
        said = "\n".join(f"  {line}" for line in lines[-8:])
        parts = urlsplit(self._index)
        for secret in filter(None, {self._index, parts.password, unquote(parts.password or "")}):
            said = said.replace(secret, redact(secret) if secret == self._index else "****")
        reason = f"build requirements ({', '.join(requirements)}): cannot be resolved\n{said}"
        if any(words in errors for words in _UNREACHABLE):
            return UnreachableError(reason, "is the index reachable? see docs/store.md")
        return LockError(reason, "build requirements come as wheels of an index, for the Python that runs here")


def _pins(text: str) -> list[Pinned]:
    """Read pip's requirements format: a pinned requirement a line, hashes on its continuation lines."""
    pins = []
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith(("#", "-")):
            continue
        requirement = Requirement(line.partition(" --hash")[0])
        if len(requirement.specifier) != 1 or requirement.url:
            raise LockError(f"pip-compile pinned a build requirement to no version: {line[:200]}")
        (specifier,) = requirement.specifier
        pins.append(Pinned(requirement.name, specifier.version, frozenset(_HASH.findall(line))))
    return pins
