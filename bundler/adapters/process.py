"""Other programs: the only place that starts one."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bundler.errors import WorkError


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


def run(argv: Sequence[str], env: Mapping[str, str], timeout: float) -> Completed:
    """Run a program without a shell and without input. Raises WorkError if it cannot start or takes too long."""
    try:
        done = subprocess.run(  # noqa: S603 - argv is ours, no shell
            list(argv), env=dict(env), timeout=timeout, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise WorkError(f"{argv[0]} did not end within {timeout:.0f} s") from error
    except OSError as error:
        raise WorkError(f"{argv[0]} cannot be started: {error.strerror}") from error
    return Completed(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
