"""The steps of a rehearsal, of whatever kind of archive: in a sandbox, one after the other, until one fails."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from bundler.adapters.regular import read_regular
from bundler.adapters.sandbox import Attempt, Sandbox
from bundler.errors import UsageError, WorkError
from bundler.kinds.question import Question
from bundler.model.program_log import failure
from bundler.platforms import named, runner

# Always a file system of the sandbox's own, whoever owns the root.
FOLDER = "/tmp/rehearsal"  # noqa: S108
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Emulated programs are slow; a step that hangs is ended all the same.
PATIENCE = 900.0
_LARGEST_RELEASE = 1 << 16
_ANSWER_PATIENCE, _LONGEST_ANSWER = 120.0, 500

# What is done in a step; it returns what it found out, and raises StepError.
Work: TypeAlias = Callable[[], str]


@dataclass(frozen=True)
class Step:
    """One step that was taken: how long it took (s), whether it worked, what it said or measured, what it asked for.

    `log` is all that is kept of what the program wrote, where the step failed. `skipped`: it was not taken; `detail`
    tells why, and what to add.
    """

    name: str
    seconds: float
    good: bool
    detail: str = ""
    attempts: tuple[Attempt, ...] = ()
    log: str = ""
    skipped: bool = False

    @property
    def result(self) -> str:
        """The same in a word."""
        return "skipped" if self.skipped else "ok" if self.good else "FAILED"


@dataclass(frozen=True)
class Measures:
    """What the rehearsal measured: versions, and the bytes that an installation takes on disk."""

    versions: dict[str, str] = field(default_factory=dict)
    disk_bytes: int = 0


@dataclass(frozen=True)
class Rehearsal:
    """All steps in order, and what was measured. It ends at the first step that fails.

    `manifest` is the file that told how to start the program and ask it, "" if none did; `notes` say what was left out.
    """

    steps: tuple[Step, ...]
    measures: Measures
    manifest: str = ""
    notes: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Every step worked."""
        return all(step.good for step in self.steps)


class StepError(Exception):
    """A step did not work: what is to be told of it, and what the program wrote."""

    def __init__(self, told: str, log: str = "") -> None:
        super().__init__(told)
        self.log = log


class SkippedError(Exception):
    """A step is not taken: why, and what to add."""


def take(steps: Iterable[tuple[str, Work]], sandbox: Sandbox, told: Callable[[Step], None]) -> tuple[Step, ...]:
    """Take each of the steps, a name and its work, until one fails; `told` hears of each when it is done."""
    # Read at once, or the attempts of making the sandbox would be the first step's.
    sandbox.attempts()
    taken: list[Step] = []
    for name, work in steps:
        started = time.monotonic()
        good, log, skipped = True, "", False
        try:
            detail = work()
        except SkippedError as reason:
            detail, skipped = str(reason), True
        except StepError as error:
            good, detail, log = False, str(error), error.log
        except WorkError as error:  # what the step led to may be more than the sandbox can read
            good, detail = False, str(error)
        seconds = time.monotonic() - started
        attempts = tuple(dict.fromkeys(sandbox.attempts()))
        taken.append(Step(name, seconds, good, detail, attempts, log, skipped))
        told(taken[-1])
        if not good:
            break
    return tuple(taken)


def run(sandbox: Sandbox, argv: Sequence[str], env: Mapping[str, str], folder: str = FOLDER) -> str:
    """Run a program in a folder, the rehearsal's own; return its output. Raises StepError if it fails."""
    done = sandbox.run(argv, env, folder, PATIENCE)
    if done.code:
        raise StepError(failure(" ".join(argv), f"ended with {done.code}", done.output), done.output)
    return done.output


def ask(sandbox: Sandbox, port: int, question: Question) -> None:
    """Ask a server in the sandbox once. Raises StepError for any answer but 200 with the text that is expected."""
    asked = "" if question.body is None else json.dumps(question.body)
    status, body = sandbox.ask(port, question.path, asked, _ANSWER_PATIENCE, question.bearer or "")
    if status != 200 or question.answer not in body:
        said = f"{question.path} answers {status or 'nothing'}, without {question.answer!r}"
        raise StepError(f"{said}: {body[:_LONGEST_ANSWER]}")


def machine_for(root: Path, platform: str) -> str:
    """The machine that programs for `platform` need, as uname(2) calls it. Raises UsageError if this host has none.

    A root's own programs may run through an emulator, those of this host's root do not.
    """
    host = os.uname()
    way = runner(platform, host.sysname, host.machine)
    system, arch = named(platform)
    if way == "nothing":
        raise UsageError(f"nothing here runs programs for {platform}", system.ELSEWHERE)
    if root == Path("/") and way != "native":
        raise UsageError(f"this host is {host.machine}, the archive is for {arch}", f"give --root of {arch}")
    return system.MACHINES[arch]


def check_root(root: Path, wanted: str) -> None:
    """Check that `root` is of the distribution `wanted`, such as `debian 12` (os-release(5)). Raises UsageError."""
    path = next((p for p in (root / "etc/os-release", root / "usr/lib/os-release") if p.is_file()), None)
    if path is None:
        raise UsageError(f"{root} is no root of a distribution: it has no os-release", f"unpack one of {wanted}")
    lines = read_regular(path, _LARGEST_RELEASE).decode("utf-8", "replace").splitlines()
    release = {name: value.strip("\"'") for name, _, value in (line.partition("=") for line in lines)}
    found = f"{release.get('ID')} {release.get('VERSION_ID')}"
    if found != wanted:
        hint = f"give --root with an unpacked root of {wanted}, or rehearse on such a host"
        raise UsageError(f"{root} is {found}, the archive is for {wanted}", hint)
