"""The host of a rehearsal: a booted machine, the package that is unpacked in it, and what the installer exports."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bundler.adapters.sandbox import Finished, Sandbox
from bundler.kinds.offline.package import Package
from bundler.kinds.steps import PATIENCE, SYSTEM_PATH, StepError
from bundler.model.program_log import failure

FOLDER = "/opt/rehearsal"
USER = "aiws"
HOME = f"/home/{USER}"
FLAGS = "ANSIBLE_BECOME_FLAGS"
# Ansible's own, where nothing says otherwise (its sudo plugin, `become_flags`).
_DEFAULT_FLAGS = "-H -S -n"


@dataclass
class Host:
    """What steps do their work on. `root` is the unpacked package's folder, as its own scripts call it.

    `npm` are the npm packages that the lock names: version by name.
    """

    machine: Sandbox
    facts: Package
    npm: Mapping[str, str] = field(default_factory=dict)
    root: str = ""
    env: dict[str, str] = field(
        default_factory=lambda: {
            "PATH": SYSTEM_PATH,
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "DEBIAN_FRONTEND": "noninteractive",
        }
    )

    def attempt(self, *argv: str, patience: float = PATIENCE) -> Finished:
        """Run a program as root, with what the installer exports, to its end."""
        return self.machine.run(argv, self.env, "/", patience)

    def run(self, *argv: str) -> str:
        """The output of a program that root runs. Raises StepError if it fails."""
        return succeeded(" ".join(argv), self.attempt(*argv))

    def bash(self, words: str, *arguments: str) -> str:
        """The output of a script of bash's, whose $1 … are `arguments`. Raises StepError if it fails."""
        return succeeded(words, self.attempt("bash", "-euo", "pipefail", "-c", words, "bash", *arguments))

    def user(self, words: str) -> Finished:
        """Run words of a shell as another user, as Ansible becomes one: through sudo, with the flags it is told."""
        flags = shlex.split(self.env.get(FLAGS, _DEFAULT_FLAGS))
        return self.attempt("sudo", *flags, "-u", USER, "/bin/sh", "-c", words)

    def has(self, path: str) -> bool:
        """Say whether there is a file or folder of the package at `path`."""
        return self.attempt("test", "-e", f"{self.root}/{path}").code == 0

    def found(self, folder: str, *tests: str) -> list[str]:
        """What find(1) finds below a folder with these tests, sorted; nothing if the folder is not there."""
        done = self.attempt("find", "-L", folder, *tests)
        return sorted(done.output.splitlines()) if done.code == 0 else []

    def knows(self, program: str) -> bool:
        """Say whether there is such a program."""
        return self.attempt("sh", "-c", 'command -v "$1"', "sh", program).code == 0


def succeeded(command: str, done: Finished) -> str:
    """The output of a program. Raises StepError if it failed."""
    if done.code:
        raise StepError(failure(command, f"ended with {done.code}", done.output), done.output)
    return done.output


def lacking(where: str, things: Sequence[str], log: str) -> StepError:
    """The error that names what is missing in one line."""
    return StepError(f"{where} lacks {', '.join(dict.fromkeys(things))}", log)
