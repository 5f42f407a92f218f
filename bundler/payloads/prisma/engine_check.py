"""Whether Prisma's engines are what they are locked as: programs for the target, of the commit that is asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from bundler.adapters.cache_folder import TEMPORARY
from bundler.adapters.own_folder import in_use
from bundler.adapters.regular import open_regular
from bundler.adapters.sandbox import Finished, sealed
from bundler.adapters.workshop import host_system
from bundler.errors import LockError, WorkError
from bundler.model.target import Target
from bundler.payloads.prisma.choice import EngineName
from bundler.platforms import HEAD, programs, runner
from bundler.session import Session

_HINT = "check engines.commit and engines.address in the component's manifest, and what the mirror serves"
_WORK, _SECONDS = "/work", 60.0
# Of a shell that could not start a program, and of a dynamic linker that lacks one of its libraries.
_CANNOT_START = (126, 127)


def check_engines(engines: Mapping[EngineName, Path], target: Target, commit: str, session: Session) -> None:
    """Check the unpacked `engines`, by name. Where they run they are asked for their version, in a sandbox.

    One that this host cannot run (another machine, no OpenSSL of its kind, no sandbox) is judged by its head alone.
    Raises LockError.
    """
    for name, path in engines.items():
        with open_regular(path) as file:
            kinds = programs(file.read(HEAD))
        if target.platform not in kinds:
            what = f"one for {' and '.join(kinds)}" if kinds else "none at all"
            raise LockError(f"{target.name}: Prisma's {name} is no program for {target.platform}, but {what}", _HINT)
    system, machine = os.uname().sysname, os.uname().machine
    if runner(target.platform, system, machine) != "native":
        return
    for name, done in _asked(engines, session).items():
        if done.code not in _CANNOT_START and (done.code or commit not in done.output):
            said = done.output.strip()[:200] or "nothing"
            raise LockError(
                f"{target.name}: Prisma's {name} is not of commit {commit[:12]}: "
                f"asked for its version, it says {said!r} (exit code {done.code})",
                _HINT,
            )


def _asked(engines: Mapping[EngineName, Path], session: Session) -> dict[EngineName, Finished]:
    """What each engine says of its version; nothing where no sandbox can be made."""
    given = {f"/engines/{name}": path for name, path in engines.items()}
    with in_use(session.cache_dir, TEMPORARY) as place, TemporaryDirectory(dir=place) as scratch:
        places = Path(scratch, "root"), Path(scratch, "outlet")
        try:
            for path in engines.values():
                path.chmod(0o755)
            with sealed(host_system(), given, _WORK, *places, session.cancelled.is_set) as sandbox:
                return {name: sandbox.run([f"/engines/{name}", "--version"], {}, _WORK, _SECONDS) for name in engines}
        except WorkError:
            return {}
