"""Small unpacked archives that the real install.sh installs in a moment: their pip only puts one program in place."""

from __future__ import annotations

import hashlib
import platform
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.kinds import file_list
from bundler.kinds.wheelhouse.members.installer import render
from bundler.model.bundle import FILE_LIST, INSTALLER, REQUIREMENTS, RUNTIME_ENV, WHEELS
from bundler.model.interpreter import Interpreter
from bundler.payloads.prisma.choice import Database, Engines
from bundler.words import Arch
from tests.model.samples import REQUEST

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
ARCH: Arch = "amd64" if platform.machine() == "x86_64" else "arm64"
# It imports nothing that Python has not imported when it starts: it is run some hundred times.
PIP = """\
import os, sys
if "install" in sys.argv and "--requirement" not in sys.argv:
    site = f"{sys.prefix}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    os.mkdir(f"{site}/pip")
    for name in ("__init__.py", "__main__.py"):
        with open(f"{site}/pip/{name}", "wb") as file:
            file.write(__loader__.get_data(f"{sys.argv[-1]}/pip/{name}"))
elif "install" in sys.argv:
    wheels = sys.argv[sys.argv.index("--find-links") + 1]
    for name in sorted(os.listdir(wheels)):
        if name.startswith(("litellm-", "prisma-", "node-")):
            program = f"{sys.prefix}/bin/{name.partition('-')[0]}"
            with open(f"{wheels}/{name}", "rb") as wheel, open(program, "wb") as file:
                file.write(wheel.read())
            os.chmod(program, 0o755)
"""


def archive(folder: Path, version: str, program: str = "", *, database: bool = False) -> Path:
    """Make an unpacked archive whose litellm says `version`, with database support that is generated in a moment."""
    wheels = folder / WHEELS
    wheels.mkdir(parents=True)
    (folder / "packages" / "python").mkdir()
    (folder / "metadata").mkdir()
    with zipfile.ZipFile(wheels / "pip-26.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("pip/__init__.py", "")
        wheel.writestr("pip/__main__.py", PIP)
    program = program or f"echo litellm {version} $LITELLM_MODE"
    (wheels / "litellm-1.0-py3-none-any.whl").write_text(f"#!/bin/sh\n{program}\n")
    (folder / REQUIREMENTS).write_text(f"litellm=={version} --hash=sha256:{'0' * 64}\n")
    (folder / RUNTIME_ENV).write_text(f"LITELLM_PACKAGE_SPEC=litellm=={version}\nexport LITELLM_MODE=quick\n")
    request = replace(REQUEST, python=Interpreter(f"{MINOR}.0", f"linux-{ARCH}", 36))
    if database:
        (wheels / "prisma-1.0+aiws.1-py3-none-any.whl").write_text("#!/bin/sh\n")
        (wheels / "node-1.0-py3-none-any.whl").write_text("#!/bin/sh\n")
        engines = Engines("0" * 40, "https://engines.test/{commit}/{platform}/{engine}.gz")
        choice = Database("5.17.0", engines, "host", "pip/__init__.py")  # any file that is installed
        request = replace(request, sections=(("database", choice),))
    target = replace(request.target, arch=ARCH)
    (folder / INSTALLER).write_bytes(render(replace(request, target=target)))
    (folder / "manifest.json").write_text("{}")
    relist(folder)
    return folder


def relist(folder: Path) -> None:
    """Write the list of the archive's files anew."""
    (folder / FILE_LIST).unlink(missing_ok=True)
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"]
    digests = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    (folder / FILE_LIST).write_bytes(file_list.render(digests))


@dataclass(frozen=True)
class Install:
    """Runs the install.sh of an unpacked archive for one prefix."""

    archive: Path
    prefix: Path

    def words(self, *more: str) -> list[str]:
        return ["sh", str(self.archive / INSTALLER), "--prefix", str(self.prefix), *more]

    def run(self, *more: str, cwd: Path = Path("/"), **env: str) -> subprocess.CompletedProcess[str]:
        made = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", **env}
        return subprocess.run(
            self.words(*more), cwd=cwd, env=made, capture_output=True, text=True, check=False, timeout=60
        )

    def good(self, *more: str) -> str:
        """Run it, see that it works, and return what it said."""
        done = self.run(*more)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        return done.stdout

    def refused(self, *more: str) -> str:
        """Run it, see that it refuses in words, and return these."""
        done = self.run(*more)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "install.sh: " in done.stderr
        return done.stderr

    def says(self) -> str:
        """What the installed program says."""
        return subprocess.run(
            [self.prefix / "bin" / "litellm"], check=True, capture_output=True, text=True
        ).stdout.strip()


def tree(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything below a folder, and the folder itself: kind, mode, owner, number of names, content."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (folder, *folder.rglob("*")):
        facts = path.lstat()
        content = ""
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        mode = (stat.S_IFMT(facts.st_mode), stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid)
        links = 1 if path.is_dir() and not path.is_symlink() else facts.st_nlink
        found[str(path.relative_to(folder))] = (mode, links, content)
    return found


def copied(source: Path, target: Path) -> Path:
    """A copy of a folder with its links."""
    shutil.copytree(source, target, symlinks=True)
    return target
