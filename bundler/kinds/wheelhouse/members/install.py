"""What install.sh installs the archive's packages with: `python -I -B install.py ARCHIVE VERSION PROGRAM [BEFORE]`.

It is run by the Python of VERSION/venv, which is new and empty. The archive's own pip installs, in a process a
processor, and compileall compiles, in as many. What is the same in the version BEFORE is copied from there and compared
with the archive's wheels on the way; if something there is not as it was installed, nothing of it is taken. Code is
compiled under its path below site-packages (Python puts the whole path in its place when it is imported), so it serves
every version.
VERSION/compiled says for which Python and with which pip that was, and the SHA-256 of each compiled file. VERSION/late
is what is still to compile, while install.sh sees whether PROGRAM starts.

install_share.py, beside it, is one such process. Python 3.9 runs both, with its standard library alone. In an archive,
`install_wheels` and `install_version` are a part of this file.
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
from concurrent.futures import ThreadPoolExecutor
from importlib.util import cache_from_source
from pathlib import Path
from typing import NoReturn

from bundler.kinds.wheelhouse.members.install_version import (
    Task,
    UnfitError,
    Version,
    copies,
    made_for,
    rewrite_programs,
    same,
)
from bundler.kinds.wheelhouse.members.install_wheels import INFO, Wheel, clash, read_wheels

_COMPILE = "compile"
_MOST_PROCESSES, _WHEELS_A_PIP = 8, 10
# The part of what is compiled that may wait: what one processor does while another starts the program.
_LATE = 0.3


def shares(items: Iterable[tuple[int, str]], count: int) -> list[list[str]]:
    """Spread items, which weigh something, over `count` shares of much the same weight; none is empty."""
    made: list[tuple[int, list[str]]] = [(0, []) for _ in range(count)]
    for weight, item in sorted(items, reverse=True) if count > 1 else items:
        lightest = min(range(count), key=lambda index: made[index][0])
        made[lightest] = (made[lightest][0] + weight, [*made[lightest][1], item])
    return [share for _, share in made if share]


def _processors() -> int:
    # macOS does not tell which of them a process may use.
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(count, _MOST_PROCESSES)


def _run_all(commands: Sequence[Sequence[str]]) -> bool:
    """Run them at once, and say whether all did their work."""
    # They inherit install.sh's lock: nobody begins anew while one that outlived a kill still writes.
    started = [subprocess.Popen(command, stdin=subprocess.DEVNULL, close_fds=False) for command in commands]
    codes = [process.wait() for process in started]
    return not any(codes)


def spread(tasks: Sequence[Task], site: Path) -> dict[str, str]:
    """Do tasks below `site`, in a process a processor; return the digests of what was compiled. Raises UnfitError."""
    with tempfile.TemporaryDirectory() as folder:
        names, count, worker = [], _processors(), str(Path(__file__).with_name("install_share.py"))
        for index in range(min(count, len(tasks))):
            names.append(f"{folder}/{index}")
            Path(names[-1]).write_text(json.dumps(tasks[index::count]))
        if not _run_all([[sys.executable, "-I", "-B", worker, name, str(site)] for name in names]):
            raise UnfitError("some of its files are not as they were installed")
        return {
            path: digest for name in names for path, digest in json.loads(Path(f"{name}.made").read_bytes()).items()
        }


def first_of(tasks: Iterable[Task], now: Version) -> tuple[list[Task], list[Task]]:
    """What pip needs to install while the rest is copied: itself, and what there is to know of other packages."""
    parts: tuple[list[Task], list[Task]] = ([], [])
    for task in tasks:
        top = os.path.relpath(task[2], now.site).partition("/")[0]
        parts[top != "pip" and not top.endswith(INFO)].append(task)
    return parts


def take(
    wheels: Sequence[Wheel], before: Version, now: Version, told: Sequence[str], others: Callable[[list[Wheel]], None]
) -> list[Wheel]:
    """Take from the version before what is the same; return those wheels. Raises UnfitError.

    `others` installs all the other wheels, meanwhile.
    """
    if place := clash(wheels):
        raise UnfitError(f"two packages write {place}")
    try:
        kept = same(wheels, before, now, told)
        tasks, programs = copies(kept, before, now)
        soon, rest = first_of(tasks, now)
        spread(soon, now.site)
        with ThreadPoolExecutor(1) as pool:
            installing = pool.submit(others, [wheel for wheel in wheels if wheel not in kept])
            spread(rest, now.site)
        installing.result()
        for info, names in programs.items():
            rewrite_programs(names, info, before, now)
    except (OSError, ValueError, LookupError) as error:
        raise UnfitError(f"it cannot be read: {error}") from error
    return kept


def ready_pip(archive: Path, now: Version, folder: Path) -> dict[str, tuple[str, str]]:
    """Put the archive's pip into `folder`; return what was compiled of it, with its SHA-256, by its names in the wheel.

    pip is most of its own start if each of its processes compiles it. Nothing is done if it was taken.
    """
    if (now.site / "pip").is_dir():
        return {}
    with zipfile.ZipFile(next((archive / "packages" / "pip").glob("pip-[0-9]*.whl"))) as pip:
        names = [name for name in pip.namelist() if name.startswith("pip/")]
        pip.extractall(folder, names)
    made = spread([(_COMPILE, str(folder / name), "", "", "") for name in names if name.endswith(".py")], folder)
    return {os.path.relpath(path, folder): (cache_from_source(path), digest) for path, digest in made.items()}


def pip_install(wheels: Sequence[Wheel], archive: Path, now: Version, extracted: Path, *, at_once: bool) -> bool:
    """Install wheels with the archive's own pip, and say whether that went well."""
    if not wheels:
        return True
    with tempfile.TemporaryDirectory() as folder:
        program = taken if (taken := now.site / "pip").is_dir() else extracted / "pip"
        words = [sys.executable, "-I", "-B", str(program), "--isolated", "install", "--quiet", "--no-input"]
        words += ["--no-cache-dir", "--no-index", "--no-deps", "--disable-pip-version-check", "--no-compile"]
        words += ["--find-links", str(archive / "packages" / "pip"), "--only-binary", ":all:", "--require-hashes"]
        count = min(_processors(), 1 + len(wheels) // _WHEELS_A_PIP) if at_once else 1
        commands = []
        for index, share in enumerate(shares([(wheel.weight, wheel.requirement) for wheel in wheels], count)):
            name = Path(folder) / f"{index}.txt"
            name.write_text("".join(f"{line}\n" for line in share))
            commands.append([*words, "--requirement", str(name)])
        return _run_all(commands)


def same_text(now: Version, before: Version) -> dict[str, tuple[str, str]]:
    """What was compiled of the modules that have the same text in both, with its SHA-256, by the module's name."""
    old, new = ({n: row for one in version.rows.values() for n, row in one.items()} for version in (before, now))
    compiled = before.compiled[1]
    pairs = ((name, cache_from_source(name)) for name in new if name.endswith(".py") and old.get(name) == new[name])
    return {name: (str(before.site / pyc), compiled[pyc]) for name, pyc in pairs if pyc in compiled}


def to_compile(
    now: Version, kept: Collection[str], own: Collection[str], known: Mapping[str, tuple[str, str]]
) -> tuple[list[Task], list[Task]]:
    """Every module of the packages that pip installed, the largest first; and those that may wait.

    These are of the largest packages but the program's `own`: it imports little of such as it starts, and what it
    imports before that is compiled costs its time alone. What is `known` is copied, and not whole at every moment.
    """
    rows = {info: {n: int(row[1] or 0) for n, row in now.rows[info].items()} for info in now.infos if info not in kept}
    modules = {i: {n: s for n, s in r.items() if n.endswith(".py") and n[:3] != "../"} for i, r in rows.items()}
    parts: tuple[list[tuple[int, str]], list[tuple[int, str]]] = ([], [])
    room = _LATE * sum(sum(sizes.values()) for sizes in modules.values())
    for info, sizes in sorted(modules.items(), key=lambda one: (-sum(one[1].values()), one[0])):
        for name, size in sizes.items():
            waits = info not in own and name not in known and size <= room
            room -= size * waits
            parts[waits].append((-size, name))
    made = [[(_COMPILE, str(now.site / n), *known.get(n, ("", "")), "") for _, n in sorted(part)] for part in parts]
    return made[0], made[1]


def fail(message: str) -> NoReturn:
    """Say why nothing is installed."""
    raise SystemExit(f"install.sh: {message}")


def main(archive: Path, folder: Path, program: str, earlier: Path | None) -> None:
    """Install the archive's packages into a new version's virtual environment."""
    wheels, now = read_wheels(archive), Version(folder)
    told, known = made_for(archive), dict[str, tuple[str, str]]()
    before, kept = Version(earlier) if earlier else None, list[Wheel]()
    with tempfile.TemporaryDirectory() as extracted:

        def by_pip(missing: Sequence[Wheel]) -> None:
            known.update(ready_pip(archive, now, Path(extracted)))
            if not pip_install(missing, archive, now, Path(extracted), at_once=not clash(wheels)):
                fail("pip does not install the archive's packages")

        if before:
            try:
                kept = take(wheels, before, now, told, by_pip)
                print(f"{len(kept)} of {len(wheels)} packages are those of the version before, and copied", flush=True)
            except UnfitError as error:
                print(f"nothing of the version before is used: {error}", flush=True)
                before = None
                subprocess.run(
                    [sys.executable, "-I", "-B", "-m", "venv", "--clear", "--without-pip", now.venv], check=True
                )
        if not before:
            by_pip(wheels)
        infos = [wheel.info for wheel in kept]
        known.update(same_text(now, before) if before else {})
        own = [wheel.info for wheel in wheels if f"bin/{program}" in (*wheel.installed, *wheel.programs)]
        soon, late = to_compile(now, infos, own, known)
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
    except (OSError, ValueError, LookupError, StopIteration, zipfile.BadZipFile) as error:
        fail(f"{type(error).__name__}: {error}")
