"""Other programs: the only place that starts one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import bundler
from bundler.errors import WorkError

# Where programs are started: no file of the caller's current folder is theirs to find.
NEUTRAL = "/"


@dataclass(frozen=True)
class Completed:
    """A program that ended: its exit code and what it wrote."""

    code: int
    output: str
    errors: str


class Runner(Protocol):
    """Runs a program to its end."""

    def __call__(self, argv: Sequence[str], env: Mapping[str, str], timeout: float) -> Completed:
        """Run `argv` with exactly `env`, for at most `timeout` seconds."""


def isolated(*words: str) -> list[str]:
    """The command that starts this Python with `words`, and neither its variables nor the current folder (-I)."""
    return [sys.executable, "-I", *words]


def own_module(name: str, *words: str) -> list[str]:
    """The command that runs `main()` of a module of this package, isolated, wherever the package lies."""
    package = str(Path(bundler.__file__).resolve().parent.parent)
    return isolated("-c", f"import sys; sys.path.insert(0, {package!r}); from {name} import main; main()", *words)


def run(argv: Sequence[str], env: Mapping[str, str], timeout: float) -> Completed:
    """Run a program without a shell and without input. Raises WorkError if it cannot start or takes too long.

    `argv` begins with an absolute path: what lies in the current folder is nobody's program.
    """
    if not Path(argv[0]).is_absolute():
        raise WorkError(f"{argv[0]} cannot be started: it is no absolute path")
    try:
        done = subprocess.run(  # noqa: S603 - argv is ours, no shell
            list(argv),
            env=dict(env),
            cwd=NEUTRAL,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise WorkError(f"{argv[0]} did not end within {timeout:.0f} s") from error
    except OSError as error:
        raise WorkError(f"{argv[0]} cannot be started: {error.strerror}") from error
    return Completed(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
