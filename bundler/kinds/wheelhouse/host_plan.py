"""How a wheelhouse is rehearsed on a host of its own kind, as data: what is run, with what, and what then holds.

Every program runs in the host's own sandbox (`adapters/seatbelt`); `host_rehearsal` carries it out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from bundler.kinds.steps import PATIENCE
from bundler.kinds.wheelhouse.consumers import project
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.kinds.wheelhouse.program import Description, RehearsalPlan

SYSTEM_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
_UNPACK_PATIENCE, _PROBE_PATIENCE = 300.0, 60.0
# Ends well only if it may neither connect nor write. The address is one that no host has (RFC 5737).
_PROBE = """\
import os, socket, sys
def refused(act):
    try:
        act()
    except PermissionError:
        return True
    except OSError:
        return False
    return False
network = refused(lambda: socket.create_connection(("192.0.2.1", int(sys.argv[1])), 5))
file = refused(lambda: os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_EXCL))
print("refused to connect:", network, "to write:", file)
sys.exit(not (network and file))
"""
_VERSIONS = """\
import importlib.metadata, platform, sys
print("system", platform.system(), platform.mac_ver()[0] or platform.release())
print("Python", platform.python_version())
print(sys.argv[1], importlib.metadata.version(sys.argv[2]))
"""


@dataclass(frozen=True)
class HostStep:
    """A program that is run, for at most `timeout` seconds, and must end with 0; or serve as the manifest says.

    `output` is a text that it must write. `prefix` is what must hold of the installation's folder afterwards: that it
    is there, is as before, or is gone. A `probe` tries what the sandbox refuses: the log must have it. What a program
    `tells` are versions, a name and a version a line.
    """

    name: str
    argv: tuple[str, ...]
    timeout: float = PATIENCE
    env: Mapping[str, str] = field(default_factory=dict)
    output: str = ""
    prefix: Literal["", "there", "same", "gone"] = ""
    probe: bool = False
    tells: bool = False
    serves: RehearsalPlan | None = None


@dataclass(frozen=True)
class HostPlan:
    """The steps, in order; `files` are written first. Programs write to `folder` only, and install to `prefix`, in it.

    One that serves does so on `port`.
    """

    folder: Path
    prefix: Path
    port: int
    files: Mapping[Path, str]
    steps: tuple[HostStep, ...]


def plan(
    archive: Path, top: str, facts: ArchiveManifest, description: Description, folder: Path, port: int
) -> HostPlan:
    """The plan for an archive with the top folder `top`, below the real path `folder`, which is there and empty."""
    room, working, prefix = folder / "room", folder / "room" / "working", folder / "room" / "installed"
    tried = description.plan
    named = {working / path: text for path, text in (tried.files if tried else {}).items()}
    made = {room / name / ".keep": "" for name in ("home", "temporary", "working", "unpacked")}
    steps = (
        _probe("the sandbox refuses the network and other files", folder, 9),
        *_steps(archive, f"{room}/unpacked/{top}/install.sh", facts, description, room, port),
        _probe("the sandbox refuses them to the end", folder, 7),
    )
    env = {"PATH": SYSTEM_PATH, "HOME": f"{room}/home", "TMPDIR": f"{room}/temporary", "LANG": "en_US.UTF-8"}
    return HostPlan(room, prefix, port, {**made, **named}, tuple(replace(step, env=env) for step in steps))


def _probe(name: str, folder: Path, port: int) -> HostStep:
    argv = (sys.executable, "-I", "-B", "-c", _PROBE, str(port), f"{folder}/refused")
    return HostStep(name, argv, _PROBE_PATIENCE, probe=True)


def _steps(
    archive: Path, installer: str, facts: ArchiveManifest, description: Description, room: Path, port: int
) -> Iterator[HostStep]:
    prefix, name = f"{room}/installed", project(facts.requirement)
    install = ("/bin/sh", installer, "--prefix", prefix)
    program = f"{prefix}/bin/{description.program}"
    # As a shell has it that sources what is there for that.
    sourced = ("/bin/sh", "-c", '. "$0"; exec "$@"', f"{prefix}/{facts.component}.env")
    unpack = ("/usr/bin/tar", "-xzf", str(archive), "-C", f"{room}/unpacked")
    yield HostStep("unpack the archive", unpack, _UNPACK_PATIENCE)
    yield HostStep("install.sh: install", install, prefix="there")
    # By its real path: a Python that is started through a link does not know the venv that it is of.
    python = ("/bin/sh", "-c", 'cd -P -- "$0" && exec "$PWD/python" "$@"', f"{prefix}/bin")
    versions = (*python, "-I", "-B", "-c", _VERSIONS, facts.component, name)
    yield HostStep("install.sh: what is installed", versions, tells=True)
    answers = ("/bin/sh", "-c", '"$0" --version || "$0" --help', program)
    yield HostStep("install.sh: the program answers", (*sourced, *answers))
    tried = description.plan
    for trial in tried.run if tried else ():
        argv = (*sourced, program, *trial.words(f"{room}/working"))
        yield HostStep("program: runs", argv, output=trial.output or "")
    if tried and tried.start:
        argv = (*sourced, program, *tried.arguments(port, f"{room}/working"))
        yield HostStep("program: ready, and answers", argv, serves=tried)
    yield HostStep("install.sh: again, nothing changes", install, prefix="same")
    yield HostStep("install.sh: uninstall leaves nothing", (*install, "--uninstall"), prefix="gone")
