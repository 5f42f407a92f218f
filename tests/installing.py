"""Small unpacked archives that the real install.sh installs in a moment: what installs their packages is a stand-in."""

from __future__ import annotations

import base64
import hashlib
import platform
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.kinds import file_list
from bundler.kinds.wheelhouse.members import texts
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest, PythonFacts
from bundler.kinds.wheelhouse.members.installer import render
from bundler.kinds.wheelhouse.request import Request
from bundler.kinds.wheelhouse.service_plan import ServicePlan
from bundler.model.bundle import FILE_LIST, INSTALLER, REQUIREMENTS, RUNTIME_ENV, WHEELS
from bundler.model.interpreter import Interpreter
from bundler.payloads.prisma.choice import Database, Engines
from bundler.platforms import platform_for
from bundler.words import Arch
from tests.model.samples import REQUEST

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
ARCH: Arch = "amd64" if platform.machine() == "x86_64" else "arm64"
HOST = replace(
    REQUEST, target=replace(REQUEST.target, arch=ARCH), python=Interpreter(f"{MINOR}.0", f"linux-{ARCH}", 36)
)
# These stand for install.py and install_share.py. They import nothing that Python has not imported when it starts:
# they are run some hundred times.
PROGRAM = """\
import os, sys
wheels = f"{sys.argv[1]}/packages/pip"
site = f"{sys.prefix}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
os.mkdir(f"{site}/pip")
for name in ("__init__.py", "__main__.py"):
    open(f"{site}/pip/{name}", "wb").close()
for name in sorted(os.listdir(wheels)):
    if name.endswith(".RECORD"):
        os.mkdir(f"{site}/litellm-1.0.dist-info")
        with open(f"{wheels}/{name}", "rb") as record, open(f"{site}/litellm-1.0.dist-info/RECORD", "wb") as file:
            file.write(record.read())
    elif name.startswith(("litellm-", "prisma-", "node-")):
        program = f"{sys.prefix}/bin/{name.partition('-')[0]}"
        with open(f"{wheels}/{name}", "rb") as wheel, open(program, "wb") as file:
            file.write(wheel.read())
        os.chmod(program, 0o755)
with open(f"{sys.argv[2]}/late", "w") as late:
    late.write(sys.argv[3])
"""
LATE = """\
import sys
with open(sys.argv[1]) as late, open(sys.argv[3], "a") as compiled:
    compiled.write(late.read())
"""


def archive(
    folder: Path,
    version: str,
    program: str = "",
    *,
    database: bool = False,
    service: ServicePlan | None = None,
    minor: str = MINOR,
    host: Request = HOST,
) -> Path:
    """Make an unpacked archive whose litellm says `version`, with database support that is generated in a moment."""
    wheels = folder / WHEELS
    wheels.mkdir(parents=True)
    (folder / "packages" / "python").mkdir(exist_ok=True)
    (folder / "metadata").mkdir()
    (wheels / "pip-26.0-py3-none-any.whl").write_text("pip")
    program = program or f"echo litellm {version} $LITELLM_MODE"
    (wheels / "litellm-1.0-py3-none-any.whl").write_text(f"#!/bin/sh\n{program}\n")
    content = (wheels / "litellm-1.0-py3-none-any.whl").read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    (wheels / "litellm-1.0.RECORD").write_text(f"../../../bin/litellm,sha256={digest},{len(content)}\n")
    (folder / REQUIREMENTS).write_text(f"litellm=={version} --hash=sha256:{'0' * 64}\n")
    (folder / RUNTIME_ENV).write_text(f"LITELLM_PACKAGE_SPEC=litellm=={version}\nexport LITELLM_MODE=quick\n")
    request = replace(host, python=replace(host.python, version=f"{minor}.0"), service=service)
    if database:
        (wheels / "prisma-1.0+aiws.1-py3-none-any.whl").write_text("#!/bin/sh\n")
        (wheels / "node-1.0-py3-none-any.whl").write_text("#!/bin/sh\n")
        engines = Engines("0" * 40, "https://engines.test/{commit}/{platform}/{engine}.gz")
        choice = Database("5.17.0", engines, "host", "pip/__init__.py")  # any file that is installed
        request = replace(request, sections=(("database", choice),))
    (folder / INSTALLER).write_bytes(render(request))
    for path, content in texts.render(_facts(request)).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / "metadata" / "install.py").write_text(PROGRAM)
    (folder / "metadata" / "install_share.py").write_text(LATE)
    (folder / "manifest.json").write_text("{}")
    relist(folder)
    return folder


def _facts(request: Request) -> ArchiveManifest:
    return ArchiveManifest(
        component=request.component,
        commit="0" * 40,
        distro=request.target.distro,
        version=request.target.version,
        arch=request.target.arch,
        inputs="0" * 64,
        requirement=request.requirement,
        requirements=request.requirements,
        python=PythonFacts(
            request.python.version,
            "portable" if request.portable else "system",
            platform_for(request.target.distro).floor_version(request.python.floor),
        ),
        service=request.service,
    )


def relist(folder: Path) -> None:
    """Write the list of the archive's files anew."""
    (folder / FILE_LIST).unlink(missing_ok=True)
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    paths.remove(folder / "manifest.json")
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
