"""What install.sh installs the archive's packages with: `python -I -B install.py ARCHIVE VERSION PROGRAM [BEFORE]`.

It is run by the Python of VERSION/venv, which is new and empty. The archive's own pip judges each wheel, and makes its
metadata, its programs and whatever is not plainly written below site-packages; all else is unpacked meanwhile, and
compared with the wheel's RECORD. What is the same in the version BEFORE is copied from there and compared with the
archive's wheels on the way; if something there is not as it was installed, nothing of it is taken. Code is compiled
under its path below site-packages (Python puts the whole path in its place when it is imported), so it serves every
version.
VERSION/compiled says for which Python and with which pip that was, and the SHA-256 of each compiled file. VERSION/late
is what is still to compile, while install.sh sees whether PROGRAM starts.

install_share.py, beside it, does all that is many files, in a process a processor. Python 3.9 runs both, with its
standard library alone. In an archive, `install_wheels`, `install_version` and `install_imports` are parts of this file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from importlib.util import cache_from_source
from pathlib import Path
from typing import NoReturn

from bundler.kinds.wheelhouse.members.install_imports import imported
from bundler.kinds.wheelhouse.members.install_version import (
    Task,
    UnfitError,
    Version,
    copies,
    made_for,
    rewrite_programs,
    same,
    unpackings,
)
from bundler.kinds.wheelhouse.members.install_wheels import INFO, Wheel, clash, read_wheels, rest_of

_COMPILE = "compile"
_FEW = 10_000_000  # bytes of modules, which a processor compiles in about a second


class Doing:
    """Tasks below a folder, which are being done from the moment that this is made."""

    def __init__(self, tasks: Sequence[Task], site: Path) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._tasks = Path(self._folder.name) / "tasks"
        self._tasks.write_text(json.dumps(tasks), encoding="utf-8")
        worker = Path(__file__).with_name("install_share.py")
        # It inherits install.sh's lock: nobody begins anew while one that outlived a kill still writes.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-S", worker, self._tasks, site], stdin=subprocess.DEVNULL, close_fds=False
        )

    def end(self) -> dict[str, str]:
        """Wait until they are done; return the digests of what was compiled. Raises UnfitError."""
        with self._folder:
            if self._process.wait():
                raise UnfitError("some of its files are not as they were installed")
            made: dict[str, str] = json.loads(self._tasks.with_name("tasks.made").read_bytes())
            return made


def spread(tasks: Sequence[Task], site: Path) -> dict[str, str]:
    """Do tasks, and return the digests of what was compiled. Raises UnfitError."""
    return Doing(tasks, site).end() if tasks else {}


def first_of(tasks: Iterable[Task], now: Version) -> tuple[list[Task], list[Task]]:
    """What pip needs to install while the rest is copied: itself, and what there is to know of other packages."""
    parts: tuple[list[Task], list[Task]] = ([], [])
    site = f"{now.site}/"
    for task in tasks:
        top = task[2][len(site) :].partition("/")[0] if task[2].startswith(site) else ""
        parts[top != "pip" and not top.endswith(INFO)].append(task)
    return parts


def take(
    wheels: Sequence[Wheel],
    before: Version,
    now: Version,
    told: Sequence[str],
    fill: Callable[[Sequence[Wheel], Sequence[Task]], None],
) -> list[Wheel]:
    """Take from the version before what is the same; return those wheels. Raises UnfitError.

    `fill` installs all the other wheels, and does the tasks that copy.
    """
    if place := clash(wheels):
        raise UnfitError(f"two packages write {place}")
    try:
        kept = same(wheels, before, now, told)
        tasks, programs = copies(kept, before, now)
        soon, rest = first_of(tasks, now)
        spread(soon, now.site)
        fill([wheel for wheel in wheels if wheel not in kept], rest)
        for info, names in programs.items():
            rewrite_programs(names, info, before, now)
    except (OSError, ValueError, LookupError) as error:
        raise UnfitError(f"it cannot be read: {error}") from error
    return kept


def filled(
    wheels: Sequence[Wheel], tasks: Sequence[Task], archive: Path, now: Version, folder: Path, *, whole: bool
) -> Mapping[str, tuple[str, str]]:
    """Install wheels, and do tasks meanwhile; return what was compiled of pip. Raises UnfitError.

    All is pip's if they are to be installed `whole`. What is needed on the way is put into `folder`.
    """
    taken = now.site if (now.site / "pip").is_dir() else None
    doing = Doing([*tasks, *unpackings(() if whole else wheels, now)], now.site)
    known: Mapping[str, tuple[str, str]] = {}
    try:
        if wheels:
            known = {} if taken else ready_pip(archive, folder)
            lines = [wheel.requirement if whole else rest_of(wheel, folder) for wheel in wheels]
            pip_install((taken or folder) / "pip", lines, archive / "packages" / "pip" if whole else folder, folder)
    finally:
        doing.end()
    return known


def ready_pip(archive: Path, folder: Path) -> dict[str, tuple[str, str]]:
    """Put the archive's pip into `folder`; return what was compiled of it, with its SHA-256, by its names in the wheel.

    Compiled, it starts in a third of the time, and what came of it is what the installation gets.
    """
    with zipfile.ZipFile(next((archive / "packages" / "pip").glob("pip-[0-9]*.whl"))) as pip:
        names = [name for name in pip.namelist() if name.startswith("pip/")]
        pip.extractall(folder, names)
    made = spread([(_COMPILE, str(folder / name), "", "", "") for name in names if name.endswith(".py")], folder)
    return {os.path.relpath(path, folder): (cache_from_source(path), digest) for path, digest in made.items()}


def pip_install(pip: Path, lines: Sequence[str], links: Path, folder: Path) -> None:
    """Have a pip install what these lines require of the wheels in `links`."""
    required = folder / "requirements"
    required.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    words = [sys.executable, "-I", "-B", str(pip), "--isolated", "install", "--quiet", "--no-input", "--no-cache-dir"]
    words += ["--no-index", "--no-deps", "--disable-pip-version-check", "--no-compile", "--find-links", str(links)]
    words += ["--only-binary", ":all:", "--require-hashes", "--requirement", str(required)]
    if subprocess.run(words, stdin=subprocess.DEVNULL, close_fds=False, check=False).returncode:
        fail("pip does not install the archive's packages")


def same_text(now: Version, before: Version, kept: Collection[str]) -> dict[str, tuple[str, str]]:
    """What was compiled of the modules that have the same text in both, with its SHA-256, by the module's name.

    Not of the packages that were copied, which have theirs.
    """
    old = {name: row for rows in before.rows.values() for name, row in rows.items()}
    new = (one for info in now.infos if info not in kept for one in now.rows[info].items())
    pairs = ((name, cache_from_source(name)) for name, row in new if name.endswith(".py") and old.get(name) == row)
    compiled = before.compiled[1]
    return {name: (f"{before.site}/{pyc}", compiled[pyc]) for name, pyc in pairs if pyc in compiled}


def to_compile(
    now: Version, kept: Collection[str], program: Path, known: Mapping[str, tuple[str, str]]
) -> tuple[list[Task], list[Task]]:
    """Every module of the packages that pip installed, the largest first; and those that may wait.

    These are what the program does not import as it starts; none if that cannot be told, or they are few. What is
    `known` is copied, and not whole at every moment.
    """
    rows = {name: row for info in now.infos if info not in kept for name, row in now.rows[info].items()}
    sizes = {name: int(size or 0) for name, (_, size) in rows.items() if name.endswith(".py") and name[:3] != "../"}
    needed, unknown = set[str](), sizes.keys() - known.keys()
    if sum(sizes[name] for name in unknown) > _FEW:
        every = (name for rows in now.rows.values() for name in rows if name[:3] != "../")
        needed = imported(program, now.site, every)
    late = unknown - needed if needed else set[str]()
    parts = (sizes.keys() - late, late)
    site = str(now.site)
    made = [sorted((-sizes[name], name) for name in part) for part in parts]
    soon, later = ([(_COMPILE, f"{site}/{n}", *known.get(n, ("", "")), "") for _, n in one] for one in made)
    return soon, later


def fail(message: str) -> NoReturn:
    """Say why nothing is installed."""
    raise SystemExit(f"install.sh: {message}")


def main(archive: Path, folder: Path, program: str, earlier: Path | None) -> None:
    """Install the archive's packages into a new version's virtual environment."""
    wheels, now = read_wheels(archive), Version(folder)
    told, known = made_for(archive), dict[str, tuple[str, str]]()
    before, kept = Version(earlier) if earlier else None, list[Wheel]()
    with tempfile.TemporaryDirectory() as place:

        def fill(missing: Sequence[Wheel], tasks: Sequence[Task]) -> None:
            known.update(filled(missing, tasks, archive, now, Path(place), whole=bool(clash(wheels))))

        if before:
            try:
                kept = take(wheels, before, now, told, fill)
                print(f"{len(kept)} of {len(wheels)} packages are those of the version before, and copied", flush=True)
            except UnfitError as error:
                print(f"nothing of the version before is used: {error}", flush=True)
                before = None
                subprocess.run(
                    [sys.executable, "-I", "-B", "-m", "venv", "--clear", "--without-pip", now.venv], check=True
                )
        if not before:
            fill(wheels, ())
        infos = [wheel.info for wheel in kept]
        known.update(same_text(now, before, infos) if before else {})
        soon, late = to_compile(now, infos, now.venv / "bin" / program, known)
        made = spread(soon, now.site)
    compiled = {os.path.relpath(cache_from_source(path), now.site): digest for path, digest in made.items()}
    if before:
        mine = {cache_from_source(n) for info in infos for n in before.rows[info] if n.endswith(".py")}
        compiled.update((path, digest) for path, digest in before.compiled[1].items() if path in mine)
    lines = [*told, *(f"{compiled[path]}  {path}" for path in sorted(compiled))]
    (folder / "compiled").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    (folder / "late").write_text(json.dumps(late), encoding="utf-8")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]) if len(sys.argv) > 4 else None)
    except UnfitError:
        fail("the archive's packages cannot be installed")
    except (OSError, ValueError, LookupError, StopIteration, zipfile.BadZipFile) as error:
        fail(f"{type(error).__name__}: {error}")
