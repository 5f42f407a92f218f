"""Rehearse what the consumers' role does, on a root that boots: another user through sudo, a database, a service.

The sandbox's steps install with the variables that the installer exports. The role's pip is another user's, and sudo
drops them all (`env_reset`, as Debian ships it) unless it is told otherwise, which runtime.env does.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.machine import booted, lacking
from bundler.adapters.sandbox import Finished, Sandbox
from bundler.errors import WorkError
from bundler.kinds.steps import PATIENCE, SYSTEM_PATH, SkippedError, Step, StepError, Work, run, take
from bundler.kinds.wheelhouse.consumers import copied_python, exported, pip_words, project
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.kinds.wheelhouse.program import Description
from bundler.kinds.wheelhouse.service import Service
from bundler.model.program_log import failure, last_line
from bundler.payloads import SECTIONS
from bundler.sizes import size_text

_PREFIX = "role: "
_USER = "aiws"
_HOME = f"/home/{_USER}"
_UNPACKED, _PYTHON = "/opt/rehearsal", "/opt/rehearsal-python"
# What runtime.env exports for a role of Ansible: without it no role is to install the component.
FLAGS = "ANSIBLE_BECOME_FLAGS"
# Ansible's own, where nothing says otherwise (its sudo plugin, `become_flags`).
_DEFAULT_FLAGS = ("-H", "-S", "-n")
# What a pip without the wheelhouse says: an old one first of the option that it does not know.
_EXPECTED = ("no such option: --resume-retries", "No matching distribution found", "Could not find a version")
_MARKER = ".install-spec"
# pip's, as the role sets them in the command that sudo runs.
_PIP = f"PIP_CACHE_DIR={_HOME}/.cache/pip PIP_DEFAULT_TIMEOUT=180"


@dataclass(frozen=True)
class Host:
    """What a machine is made of: a root, whose programs are for `machine`, an empty folder, and the archive."""

    root: Path
    machine: str
    mountpoint: Path
    archive: Path


def rehearse(
    host: Host, top: str, facts: ArchiveManifest, description: Description, told: Callable[[Step], None]
) -> tuple[Step, ...]:
    """Take the role's steps in a machine; where none can be had, one step that is skipped says what to add.

    `top` is the archive's top folder.
    """
    started = time.monotonic()

    def done(skipped: str = "") -> Step:
        seconds = time.monotonic() - started
        return Step(f"{_PREFIX}boot the root", seconds, good=True, detail=skipped, skipped=bool(skipped))

    with ExitStack() as stack:
        if why := lacking(host.root, host.machine):
            first = done(why)
        else:
            try:
                machine = stack.enter_context(booted(host.root, host.mountpoint, host.archive))
                first = done()
            except WorkError as error:
                first = done(str(error))
        told(first)
        if first.skipped:
            return (first,)
        return (first, *take(Role(machine, top, facts, description).steps(), machine, told))


class Role:
    """Takes the role's steps in a machine that has booted."""

    def __init__(self, machine: Sandbox, top: str, facts: ArchiveManifest, description: Description) -> None:
        self._machine, self._facts, self._description = machine, facts, description
        self._top = f"{_UNPACKED}/{top}"
        self._env = {"PATH": SYSTEM_PATH, "HOME": "/root", "LANG": "C.UTF-8"}
        self._venv = f"{_HOME}/.local/share/{facts.component}/venv"
        self._python = "/usr/bin/python3"
        self._pip_found = False
        self._service = Service(machine, facts.component, description, _USER, self._venv)

    def steps(self) -> Iterator[tuple[str, Work]]:
        """All of them, in order."""
        for name, work in self._all():
            yield f"{_PREFIX}{name}", work

    def _all(self) -> Iterator[tuple[str, Work]]:
        yield "the host has no pip", self._look_for_pip
        yield "the installer's part, as root", self._bootstrap
        yield f"without {FLAGS} pip sees no wheelhouse", self._without
        yield "make the venv", lambda: self._user(f"{self._python} -m venv {self._venv}")
        yield "upgrade pip", lambda: last_line(self._user(self._pip(self._venv, "install", "--upgrade", "pip")))
        yield "install", self._install
        yield "again, nothing changes", self._again
        for name, section in SECTIONS.items():
            yield from section.rehearsal(self._facts.sections.get(name), self._plain_shell)
        yield "PostgreSQL for the service", self._postgres
        yield "the service: ready, and answers", self._service.serve

    def _look_for_pip(self) -> str:
        self._pip_found = self._try("python3", "-m", "pip", "--version").code == 0
        configured = self._machine.read("/etc/pip.conf") is not None
        there = [*(["pip"] if self._pip_found else []), *(["/etc/pip.conf"] if configured else [])]
        self._pip_found = bool(there)
        return f"it has {' and '.join(there)}, which fresh ones have not" if there else "and no /etc/pip.conf"

    def _bootstrap(self) -> str:
        self._machine.extract(_UNPACKED)
        self._env = exported(self._root, self._top, self._env)
        if self._facts.python.source == "portable":
            self._python = copied_python(self._root, self._top, self._facts.interpreter.minor, _PYTHON)
        self._root("useradd", "--create-home", "--user-group", "--shell", "/bin/bash", _USER)
        return f"{FLAGS}={self._env[FLAGS]}" if FLAGS in self._env else f"no {FLAGS}"

    def _without(self) -> str:
        """Fails if pip does not, or fails in another way."""
        if self._pip_found:
            raise SkippedError("the installer tells a host with pip of the wheelhouse in /etc/pip.conf")
        venv = f"{_HOME}/without"
        self._user(f"{self._python} -m venv {venv}", _DEFAULT_FLAGS)
        words = [self._pip(venv, "install", "--upgrade", "pip"), self._pip(venv, *pip_words(self._facts))]
        done = [self._try(*_sudo(_DEFAULT_FLAGS, one)) for one in words][-1]
        # That it asks an index is what is to be shown here: the archive is not to blame for these attempts.
        asked = dict.fromkeys(attempt.what for attempt in self._machine.attempts())
        if not done.code:
            raise StepError("pip installs without the flags: something else tells it of the wheelhouse", done.output)
        if not (said := next((one for one in _EXPECTED if one in done.output), "")):
            raise StepError(failure(words[-1], "fails, but not for want of the wheelhouse", done.output), done.output)
        self._root("rm", "-rf", venv)
        tried = f"; it asked for {', '.join(asked)}" if asked else ""
        return f"fails, as it should: {said}{tried}"

    def _install(self) -> str:
        self._user(self._pip(self._venv, *pip_words(self._facts)))
        self._user(f"printf '%s\\n' {shlex.quote(self._facts.requirement)} > {self._venv}/{_MARKER}")
        return f"{size_text(self._machine.look(self._venv).size)} on disk"

    def _again(self) -> str:
        """What the role does the second time: it looks, upgrades pip, and installs only if something is missing."""
        before = self._machine.look(self._venv)
        self._user(self._pip(self._venv, "install", "--upgrade", "pip"))
        marker = self._machine.read(f"{self._venv}/{_MARKER}") or ""
        if marker.strip() != self._facts.requirement:
            raise StepError(f"the marker holds {marker!r}, so the role installs again")
        names = [project(text) for text in pip_words(self._facts)[5:]]
        self._user(
            f"{self._venv}/bin/python -c 'import importlib.metadata as m, sys; [m.version(n) for n in sys.argv[1:]]' "
            f"{' '.join(names)}"
        )
        after = self._machine.look(self._venv)
        if after.digest != before.digest:
            raise StepError(f"{self._venv} changed")
        return f"{after.files} files unchanged"

    def _postgres(self) -> str:
        plan = self._description.plan
        if plan is None or plan.postgresql is None:
            raise SkippedError("no manifest says how the program runs with it (`rehearsal:`, `postgresql:`)")
        for name, section in SECTIONS.items():
            if why := section.hindrance(self._facts.sections.get(name), self._plain_shell):
                raise SkippedError(f"{name}: {why}")
        return self._service.give_postgres(plan.postgresql)

    def _plain_shell(self, words: str) -> str:
        """Run words of a shell as the role's user, with the venv's programs, an empty home and no variables else."""
        path = f"{self._venv}/bin:{SYSTEM_PATH}"
        return self._user(f'exec env -i PATH={path} HOME="$(mktemp -d)" /bin/sh -ec {shlex.quote(words)}')

    def _user(self, words: str, flags: Sequence[str] | None = None) -> str:
        """Run words of a shell as the role's user, as the role does. Raises StepError."""
        if flags is None:
            flags = shlex.split(self._env.get(FLAGS, ""))
            if not flags:
                raise StepError(f"runtime.env exports no {FLAGS}, so nothing of the wheelhouse crosses sudo")
        return self._root(*_sudo(flags, words))

    def _pip(self, venv: str, *words: str) -> str:
        return f"{_PIP} exec {shlex.join((f'{venv}/bin/python', '-m', 'pip', *words))}"

    def _root(self, *argv: str) -> str:
        return run(self._machine, argv, self._env, "/")

    def _try(self, *argv: str) -> Finished:
        return self._machine.run(argv, self._env, "/", PATIENCE)


def _sudo(flags: Iterable[str], words: str) -> tuple[str, ...]:
    return ("sudo", *flags, "-u", _USER, "/bin/sh", "-c", words)
