"""Rehearse an installation in a sandbox: what consumers run, what operators run, and the proxy itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bundler.adapters.sandbox import Attempt, Sandbox
from bundler.errors import WorkError
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.model.bundle import PYTHON, RUNTIME_ENV, WHEELS
from bundler.payloads import SECTIONS

# Always a file system of the sandbox's own, whoever owns the root.
_FOLDER = "/tmp/rehearsal"  # noqa: S108
_AGAIN = f"{_FOLDER}/unpacked-again"
_VENV = f"{_FOLDER}/venv"
_COPY = f"{_FOLDER}/python"
_PREFIX = f"{_FOLDER}/installed"
_CONFIG = f"{_FOLDER}/config.yaml"
_PORT = 4000
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROXY_PATIENCE = 300.0
_LONGEST_VERSION = 100
# Emulated programs are slow; a step that hangs is ended all the same.
_STEP_PATIENCE = 900.0
_PROXY_CONFIG = """\
model_list:
  - model_name: rehearsal
    litellm_params: {model: openai/rehearsal, api_key: none, mock_response: rehearsed}
"""


@dataclass(frozen=True)
class Step:
    """One step that was taken: how long it took (s), whether it worked, what it said or measured, what it asked for."""

    name: str
    seconds: float
    good: bool
    detail: str = ""
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True)
class Measures:
    """What the rehearsal measured: versions, and the bytes that an installation takes on disk."""

    versions: dict[str, str] = field(default_factory=dict)
    disk_bytes: int = 0


@dataclass(frozen=True)
class Rehearsal:
    """All steps in order, and what was measured. It ends at the first step that fails."""

    steps: tuple[Step, ...]
    measures: Measures

    @property
    def good(self) -> bool:
        """Every step worked."""
        return all(step.good for step in self.steps)


class _FailedError(Exception):
    """A step did not work: what it said."""


class Rehearsing:
    """Takes steps in a sandbox and keeps what came of them."""

    def __init__(self, sandbox: Sandbox, facts: ArchiveManifest, top: str, told: Callable[[Step], None]) -> None:
        self._sandbox, self._facts, self._told = sandbox, facts, told
        self._top = f"{_FOLDER}/{top}"
        self._steps: list[Step] = []
        self._versions = {"distro": f"{facts.distro} {facts.version} {facts.arch}"}
        self._disk = 0
        self._python = "python3"
        self._env = {"PATH": _PATH, "HOME": f"{_FOLDER}/home", "LANG": "C.UTF-8"}

    def rehearse(self) -> Rehearsal:
        """Take every step until one fails."""
        # Read at once, or the attempts of making the sandbox would be the first step's.
        self._sandbox.attempts()
        for name, work in self._plan():
            if not self._take(name, work):
                break
        return Rehearsal(tuple(self._steps), Measures(self._versions, self._disk))

    def _plan(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "unpack the archive", self._unpack
        if self._facts.python.source == "portable":
            yield "find and copy the portable Python", self._copy_python
        yield "consumers: make the venv", self._make_venv
        yield "consumers: upgrade pip", self._upgrade_pip
        yield "consumers: install", self._install
        yield "consumers: the program answers", self._version
        yield "proxy: ready, and one completion", self._proxy
        yield "consumers: install again, nothing changes", self._install_again
        yield "install.sh: install", self._script
        yield "install.sh: again, nothing changes", self._script_again
        yield from self._payloads()
        yield "install.sh: uninstall leaves nothing", self._uninstall

    def _take(self, name: str, work: Callable[[], str]) -> bool:
        started = time.monotonic()
        try:
            good, detail = True, work()
        except (_FailedError, WorkError) as error:  # what the step led to may be more than the sandbox can read
            good, detail = False, str(error)
        seconds = time.monotonic() - started
        step = Step(name, seconds, good, detail, _distinct(self._sandbox.attempts()))
        self._steps.append(step)
        self._told(step)
        return good

    def _run(self, *argv: str, cwd: str = _FOLDER) -> str:
        """Run a program; return its output. Raises _FailedError with what it said last."""
        done = self._sandbox.run(argv, self._env, cwd, _STEP_PATIENCE)
        if done.code:
            last = "\n".join(done.output.strip().splitlines()[-12:])
            raise _FailedError(f"{' '.join(argv)}\nended with {done.code}:\n{last}")
        return done.output

    def _unpack(self) -> str:
        self._sandbox.extract(_FOLDER)
        self._sandbox.write(f"{_FOLDER}/home/.keep", "")
        # As the consumers' installer reads it: sourced by a shell.
        script = f"set -a; . {self._top}/{RUNTIME_ENV}; env"
        lines = self._run("/bin/sh", "-c", script).splitlines()
        sourced = dict(line.partition("=")[::2] for line in lines if "=" in line)
        self._env = {
            **self._env,
            **{name: value for name, value in sourced.items() if name not in ("PWD", "SHLVL", "_", "OLDPWD")},
            "PIP_FIND_LINKS": f"{self._top}/{WHEELS}",
            "PIP_PREFER_BINARY": "true",
            "PIP_NO_INDEX": "true",
        }
        return ""

    def _copy_python(self) -> str:
        name = f"python{self._facts.interpreter.minor}"
        found = self._run(
            "find", "-L", f"{self._top}/{PYTHON}", "-type", "f", "-perm", "-u+x", "-path", f"*/bin/{name}"
        )
        if not found.strip():
            raise _FailedError(f"no executable …/bin/{name} below {PYTHON}")
        program = found.splitlines()[0]
        self._run("cp", "-a", str(Path(program).parent.parent), _COPY)
        # Gone from where it was unpacked: what runs now runs from the copy.
        self._run("rm", "-rf", str(Path(program).parent.parent))
        self._python = f"{_COPY}/bin/{name}"
        return self._python

    def _make_venv(self) -> str:
        self._run(self._python, "-m", "venv", _VENV)
        self._versions["Python"] = _version(self._run(f"{_VENV}/bin/python", "--version"), -1)
        return f"Python {self._versions['Python']}"

    def _upgrade_pip(self) -> str:
        self._run(*self._pip(), "install", "--upgrade", "pip")
        self._versions["pip"] = _version(self._run(*self._pip(), "--version"), 1)
        return f"pip {self._versions['pip']}"

    def _install(self) -> str:
        self._run(*self._install_words())
        size = self._sandbox.look(_VENV).size + self._sandbox.look(_COPY).size
        self._disk = size
        return f"{size / 1e6:.0f} MB on disk"

    def _install_words(self) -> tuple[str, ...]:
        # What bootstraps, and Node.js where the archive has it, is for the installers themselves.
        others = {"pip", "setuptools", "wheel", *(_project(text) for one in SECTIONS.values() for text in one.HELPERS)}
        asked = [text for text in self._facts.requirements if _project(text) not in others]
        return (*self._pip(), "install", "--retries", "5", "--resume-retries", "5", *asked)

    def _version(self) -> str:
        output = self._run(f"{_VENV}/bin/{self._facts.component}", "--version")
        version = _version(output, -1)
        self._versions[self._facts.component] = version
        return version

    def _proxy(self) -> str:
        self._sandbox.write(_CONFIG, _PROXY_CONFIG)
        program = f"{_VENV}/bin/{self._facts.component}"
        argv = [program, "--host", "127.0.0.1", "--port", str(_PORT), "--config", _CONFIG]
        env = {**self._env, "PATH": f"{_VENV}/bin:{_PATH}"}
        started = time.monotonic()
        number = self._sandbox.start(argv, env, _FOLDER)
        try:
            for path in ("/health/liveliness", "/health/readiness"):
                self._await(number, path, started)
            ready = time.monotonic() - started
            asked = {"model": "rehearsal", "messages": [{"role": "user", "content": "?"}]}
            status, body = self._sandbox.ask(_PORT, "/v1/chat/completions", json.dumps(asked), 120.0)
            if status != 200 or "rehearsed" not in body:
                raise _FailedError(f"a completion answered {status}: {body[:500]}")
        finally:
            self._sandbox.stop(number)
        return f"ready after {ready:.1f} s"

    def _await(self, number: int, path: str, started: float) -> None:
        while True:
            status, body = self._sandbox.ask(_PORT, path)
            if status == 200:
                return
            ended = not self._sandbox.running(number)
            if ended or time.monotonic() - started > _PROXY_PATIENCE:
                log = "\n".join(self._sandbox.output(number).splitlines()[-15:])
                why = "the proxy ended" if ended else f"{path} answers {status or body}"
                raise _FailedError(f"{why} after {time.monotonic() - started:.0f} s\n{log}")
            time.sleep(0.2)

    def _install_again(self) -> str:
        before = self._sandbox.look(_VENV)
        self._run(*self._install_words())
        return self._unchanged(_VENV, before.digest)

    def _script(self) -> str:
        if self._facts.python.source == "portable":
            # With the tree that was moved away; in a folder where nothing that ran has been.
            self._sandbox.extract(_AGAIN)
            self._top = f"{_AGAIN}/{self._top.rpartition('/')[2]}"
        return _last(self._run("/bin/sh", f"{self._top}/install.sh", "--prefix", _PREFIX))

    def _script_again(self) -> str:
        before = self._sandbox.look(_PREFIX)
        said = _last(self._run("/bin/sh", f"{self._top}/install.sh", "--prefix", _PREFIX))
        return f"{said}; {self._unchanged(_PREFIX, before.digest)}"

    def _payloads(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """What shows that payloads work, with nothing but what the installer's file exports."""

        def run(words: str) -> str:
            return self._run("/bin/sh", "-ec", f". {_PREFIX}/{self._facts.component}.env; {words}")

        for name, section in SECTIONS.items():
            yield from section.rehearsal(self._facts.sections.get(name), run)

    def _uninstall(self) -> str:
        said = self._run("/bin/sh", f"{self._top}/install.sh", "--prefix", _PREFIX, "--uninstall")
        if not self._sandbox.look(_PREFIX).empty:
            raise _FailedError(f"files are left in {_PREFIX}\n{said}")
        return ""

    def _unchanged(self, folder: str, before: str) -> str:
        after = self._sandbox.look(folder)
        if after.digest != before:
            raise _FailedError(f"{folder} changed")
        return f"{after.files} files unchanged"

    def _pip(self) -> Sequence[str]:
        return (f"{_VENV}/bin/python", "-m", "pip")


def _project(requirement: str) -> str:
    return canonicalize_name(Requirement(requirement).name)


def _version(output: str, at: int) -> str:
    """The word of what a program says that is its version. Raises _FailedError if it says none."""
    words = output.split()
    if not -len(words) <= at < len(words) or len(words[at]) > _LONGEST_VERSION:
        raise _FailedError(f"says no version, but {output[:_LONGEST_VERSION]!r}")
    return words[at]


def _last(output: str) -> str:
    return output.strip().splitlines()[-1] if output.strip() else ""


def _distinct(attempts: Sequence[Attempt]) -> tuple[Attempt, ...]:
    return tuple(dict.fromkeys(attempts))
