"""Rehearse an installation in a sandbox: what consumers run, what operators run, and the program itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.adapters.sandbox import Sandbox, opened
from bundler.kinds.kind import Component
from bundler.kinds.steps import (
    FOLDER,
    PATIENCE,
    SYSTEM_PATH,
    Measures,
    Rehearsal,
    Step,
    StepError,
    Work,
    check_root,
    machine_for,
    run,
    take,
)
from bundler.kinds.wheelhouse import host_rehearsal, role
from bundler.kinds.wheelhouse.component import WheelhouseComponent
from bundler.kinds.wheelhouse.consumers import copied_python, exported, pip_words, project
from bundler.kinds.wheelhouse.examine import examine
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.kinds.wheelhouse.program import Description, RehearsalPlan
from bundler.kinds.wheelhouse.serve import serve, tried
from bundler.model.program_log import last_line
from bundler.model.verdict import Verdict
from bundler.payloads import SECTIONS
from bundler.platforms import Rehearsed, named
from bundler.sizes import size_text

_AGAIN = f"{FOLDER}/unpacked-again"
_VENV = f"{FOLDER}/venv"
_COPY = f"{FOLDER}/python"
_PREFIX = f"{FOLDER}/installed"
_WORKING = f"{FOLDER}/working"
_LONGEST_VERSION = 100
_NO_ROLE = f"what a role of Ansible does is not tried: runtime.env exports no {role.FLAGS} (`environment:`)"


def describe(components: Sequence[Component] | None, component: str) -> Description:
    """What the manifest of `component` says: of the wheelhouse that is called so, else of the file that is."""
    own = [one for one in components or () if isinstance(one, WheelhouseComponent)]
    called = [one for one in own if one.component == component] + [one for one in own if one.name == component]
    only = f"so {component} is only asked for its version"
    if not called:
        none = components is None
        missing = "no manifests are here (--manifests DIR)" if none else f"no manifest here describes {component}"
        return Description(component, note=f"{missing}, {only}")
    found, name = called[0].manifest, f"{called[0].name}.yaml"
    note = "" if found.rehearsal else f"{name} has no `rehearsal:`, {only}"
    return Description(found.program_name, found.rehearsal, name, note)


def rehearse(
    archive: Path,
    root: Path,
    mountpoint: Path,
    components: Callable[[], Sequence[Component] | None],
    told: Callable[[Step], None],
) -> tuple[Verdict, Rehearsal | None]:
    """Judge a runtime archive; if it is good, install and run it in a sandbox around `root`, or on such a host itself.

    `told` hears of every step. Raises UsageError if the root is none, or another distro's,
    ManifestError for manifests that cannot be read, WorkError if no sandbox can be made.
    """
    judged = examine(archive)
    facts, contents = judged.facts, judged.contents
    if not judged.verdict.good or facts is None or contents is None:
        return judged.verdict, None

    def described() -> Description:
        found = describe(components(), facts.component)
        return found if found.manifest else replace(found, program=facts.program or facts.component)

    way = _WAYS[named(facts.interpreter.platform)[0].REHEARSED]
    return judged.verdict, way(_Given(archive, root, mountpoint, contents.top, facts, described), told)


@dataclass(frozen=True)
class _Given:
    """A good archive, where it is to be rehearsed, and what its manifest says, once that is asked for."""

    archive: Path
    root: Path
    mountpoint: Path
    top: str
    facts: ArchiveManifest
    described: Callable[[], Description]


def _in_root(given: _Given, told: Callable[[Step], None]) -> Rehearsal:
    facts, root, archive = given.facts, given.root, given.archive
    check_root(root, f"{facts.distro} {facts.version}")
    machine = machine_for(root, facts.interpreter.platform)
    description = given.described()
    with opened(root, machine, given.mountpoint, archive) as sandbox:
        rehearsing = Rehearsing(sandbox, facts, given.top, description)
        done = rehearsing.rehearse(told)
    if not done.good:
        return done
    if role.FLAGS not in rehearsing.exported:
        return replace(done, notes=(*done.notes, _NO_ROLE))
    host = role.Host(root, machine, given.mountpoint, archive)
    steps = role.rehearse(host, given.top, facts, description, told)
    return replace(done, steps=(*done.steps, *steps))


def _on_host(given: _Given, told: Callable[[Step], None]) -> Rehearsal:
    host_rehearsal.check_host(given.root, given.facts.interpreter.platform)
    return host_rehearsal.rehearse(given.archive, given.top, given.facts, given.described(), told)


_WAYS: Mapping[Rehearsed, Callable[[_Given, Callable[[Step], None]], Rehearsal]] = {"root": _in_root, "host": _on_host}


class Rehearsing:
    """Takes steps in a sandbox and keeps what came of them."""

    def __init__(self, sandbox: Sandbox, facts: ArchiveManifest, top: str, description: Description) -> None:
        self._sandbox, self._facts, self._description = sandbox, facts, description
        self._top = f"{FOLDER}/{top}"
        self._versions = {"distro": facts.host}
        self._disk = 0
        self._python = "python3"
        self._env = {"PATH": SYSTEM_PATH, "HOME": f"{FOLDER}/home", "LANG": "C.UTF-8"}

    def rehearse(self, told: Callable[[Step], None]) -> Rehearsal:
        """Take every step until one fails."""
        steps = take(self._steps(), self._sandbox, told)
        notes = tuple(filter(None, [self._description.note]))
        return Rehearsal(steps, Measures(self._versions, self._disk), self._description.manifest, notes)

    def _steps(self) -> Sequence[tuple[str, Work]]:
        portable, plan = self._facts.python.source == "portable", self._description.plan
        return [
            ("unpack the archive", self._unpack),
            *([("find and copy the portable Python", self._copy_python)] if portable else []),
            ("consumers: make the venv", self._make_venv),
            ("consumers: upgrade pip", self._upgrade_pip),
            ("consumers: install", self._install),
            ("consumers: the program answers", self._version),
            *self._trials(plan),
            ("consumers: install again, nothing changes", self._install_again),
            *self._payloads("consumers", f"PATH={_VENV}/bin:$PATH"),
            ("install.sh: install", self._script),
            ("install.sh: again, nothing changes", self._script_again),
            *self._payloads("install.sh", f". {_PREFIX}/{self._facts.component}.env"),
            ("install.sh: uninstall leaves nothing", self._uninstall),
        ]

    @property
    def exported(self) -> Set[str]:
        """The names of the variables that the program runs with, once the archive was unpacked."""
        return self._env.keys()

    def _run(self, *argv: str) -> str:
        return run(self._sandbox, argv, self._env)

    @property
    def _program(self) -> str:
        return f"{_VENV}/bin/{self._description.program}"

    def _unpack(self) -> str:
        self._sandbox.extract(FOLDER)
        self._sandbox.write(f"{FOLDER}/home/.keep", "")
        self._env = exported(self._run, self._top, self._env)
        return ""

    def _copy_python(self) -> str:
        self._python = copied_python(self._run, self._top, self._facts.interpreter.minor, _COPY)
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
        self._run(*self._pip(), *pip_words(self._facts))
        size = self._sandbox.look(_VENV).size + self._sandbox.look(_COPY).size
        self._disk = size
        return f"{size_text(size)} on disk"

    def _version(self) -> str:
        """The program starts, as install.sh has it: asked for its version, or else for help."""
        said = self._sandbox.run((self._program, "--version"), self._env, FOLDER, PATIENCE)
        if said.code:
            self._run(self._program, "--help")
        asked = f"import importlib.metadata as m; print(m.version({project(self._facts.requirement)!r}))"
        self._versions[self._facts.component] = _version(self._run(f"{_VENV}/bin/python", "-I", "-c", asked), -1)
        return last_line(said.output)[:_LONGEST_VERSION] if not said.code else "--help, for want of --version"

    def _trials(self, plan: RehearsalPlan | None) -> Iterator[tuple[str, Work]]:
        """What the manifest has tried of the program."""
        if plan is None:
            return
        if plan.run:
            yield "program: runs", lambda: tried(self._sandbox, self._program, plan, self._environment(), _WORKING)
        if plan.start:
            name = "program: ready, and answers"
            yield name, lambda: serve(self._sandbox, self._program, plan, self._environment(), _WORKING)

    def _environment(self) -> Mapping[str, str]:
        """What the program runs with; of the archive too, so it is known once that was unpacked."""
        return {**self._env, "PATH": f"{_VENV}/bin:{SYSTEM_PATH}"}

    def _install_again(self) -> str:
        before = self._sandbox.look(_VENV)
        self._run(*self._pip(), *pip_words(self._facts))
        return self._unchanged(_VENV, before.digest)

    def _script(self) -> str:
        if self._facts.python.source == "portable":
            # With the tree that was moved away; in a folder where nothing that ran has been.
            self._sandbox.extract(_AGAIN)
            self._top = f"{_AGAIN}/{self._top.rpartition('/')[2]}"
        return last_line(self._run("/bin/sh", f"{self._top}/install.sh", "--prefix", _PREFIX))

    def _script_again(self) -> str:
        before = self._sandbox.look(_PREFIX)
        said = last_line(self._run("/bin/sh", f"{self._top}/install.sh", "--prefix", _PREFIX))
        return f"{said}; {self._unchanged(_PREFIX, before.digest)}"

    def _payloads(self, whose: str, setting: str) -> Iterator[tuple[str, Work]]:
        """What shows that payloads work in `whose` installation, with nothing but what `setting` sets."""
        env = {"PATH": SYSTEM_PATH, "HOME": f"{FOLDER}/empty", "LANG": "C.UTF-8"}

        def shell(words: str) -> str:
            return run(self._sandbox, ("/bin/sh", "-ec", f"{setting}; {words}"), env)

        for name, section in SECTIONS.items():
            for step, work in section.rehearsal(self._facts.sections.get(name), shell):
                yield f"{whose}: {step}", work

    def _uninstall(self) -> str:
        said = self._run("/bin/sh", f"{self._top}/install.sh", "--prefix", _PREFIX, "--uninstall")
        if not self._sandbox.look(_PREFIX).empty:
            raise StepError(f"files are left in {_PREFIX}\n{said}")
        return ""

    def _unchanged(self, folder: str, before: str) -> str:
        after = self._sandbox.look(folder)
        if after.digest != before:
            raise StepError(f"{folder} changed")
        return f"{after.files} files unchanged"

    def _pip(self) -> Sequence[str]:
        return (f"{_VENV}/bin/python", "-m", "pip")


def _version(output: str, at: int) -> str:
    """The word of what a program says that is its version. Raises StepError if it says none."""
    words = output.split()
    if not -len(words) <= at < len(words) or len(words[at]) > _LONGEST_VERSION:
        raise StepError(f"says no version, but {output[:_LONGEST_VERSION]!r}")
    return words[at]
