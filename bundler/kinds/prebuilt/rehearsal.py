"""Rehearse a component that another repository releases: unpack it in a sandbox, and start its program.

What such a program answers, only its own repository knows. So it is asked for its version, then for help, and what it
did is told. It fails if it cannot be started on this root, or crashes; not if it knows neither word, or goes on until
it is ended, as servers do.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bundler.adapters.read_archive import read_member
from bundler.adapters.sandbox import Finished, Sandbox, opened
from bundler.kinds.prebuilt import component_manifest
from bundler.kinds.prebuilt.component_manifest import ComponentManifest
from bundler.kinds.prebuilt.examine import LARGEST_MANIFEST, judge
from bundler.kinds.steps import FOLDER, SYSTEM_PATH, Measures, Rehearsal, Step, StepError, machine_for, take
from bundler.model.bundle import MANIFEST
from bundler.model.program_log import crashed, failure
from bundler.model.verdict import Verdict
from bundler.sizes import size_text

_HOME = f"{FOLDER}/home"
_WORDS = ("--version", "--help")
_PATIENCE, _LATE = 20.0, 124
# A shell's codes for a program that cannot be executed, is not there, or was killed by a signal.
_NOT_STARTED = range(126, 193)
_LONGEST_LINE = 100
_NOTE = "the program was only started: what it does is for its own repository to test"


def rehearse(
    archive: Path, root: Path, mountpoint: Path, told: Callable[[Step], None]
) -> tuple[Verdict, Rehearsal | None]:
    """Judge a component's archive; if it is good, start its program in a sandbox around `root`.

    `told` hears of every step. Raises UsageError if it is for another system or machine than can be had, WorkError if
    no sandbox can be made.
    """
    verdict = judge(archive, archive.name)
    if not verdict.good:
        return verdict, None
    facts = component_manifest.parse(read_member(archive, archive.name, MANIFEST, LARGEST_MANIFEST) or b"")
    machine = machine_for(root, facts.platform)
    with opened(root, machine, mountpoint, archive) as sandbox:
        return verdict, _Rehearsing(sandbox, facts).rehearse(told)


class _Rehearsing:
    """Takes steps in a sandbox and keeps what was measured."""

    def __init__(self, sandbox: Sandbox, facts: ComponentManifest) -> None:
        self._sandbox, self._facts = sandbox, facts
        self._top = f"{FOLDER}/{facts.component}"
        self._versions = {"platform": facts.platform}
        self._disk = 0

    def rehearse(self, told: Callable[[Step], None]) -> Rehearsal:
        """Take every step until one fails."""
        steps = take([("unpack the archive", self._unpack), ("the program starts", self._start)], self._sandbox, told)
        return Rehearsal(steps, Measures(self._versions, self._disk), notes=(_NOTE,))

    def _unpack(self) -> str:
        self._sandbox.extract(FOLDER)
        self._sandbox.write(f"{_HOME}/.keep", "")
        size = self._sandbox.look(self._top)
        self._disk = size.size
        return f"{size.files} files, {size_text(size.size)} on disk"

    def _start(self) -> str:
        """Ask until an answer is good. Raises StepError if the program cannot be started, or crashes."""
        for word in _WORDS:
            done = self._ask(word)
            line = next(iter(done.output.split("\n")), "").strip()[:_LONGEST_LINE]
            if done.code == 0:
                if word == _WORDS[0] and line:
                    self._versions[self._facts.component] = line
                return f"{word}: {line or 'it writes nothing'}"
            if done.code == _LATE:
                return f"{word}: it goes on, and was ended after {_PATIENCE:.0f} s"
            if done.code in _NOT_STARTED or crashed(done.output):
                told = failure(f"{self._program} {word}", f"ended with {done.code}", done.output)
                raise StepError(told, done.output)
        return f"it knows neither {' nor '.join(_WORDS)}, ends with {done.code}, and says: {line or 'nothing'}"

    @property
    def _program(self) -> str:
        return f"{self._top}/{self._facts.program}"

    def _ask(self, word: str) -> Finished:
        env = {"PATH": SYSTEM_PATH, "HOME": _HOME, "LANG": "C.UTF-8"}
        return self._sandbox.run([self._program, word], env, self._top, _PATIENCE)
