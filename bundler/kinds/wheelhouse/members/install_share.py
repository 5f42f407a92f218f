"""The many small tasks of install.py, which stands beside it: `python -I -B -S install_share.py TASKS SITE [LIST]`.

TASKS is a JSON list: copy FROM, TO; or unpack WHEEL, TO, whose path below SITE is its name in the wheel (each of the
digest and size that it must have, and a program, or not); or compile SOURCE, unless PYC, of that digest, was made of
the same text. Code is compiled under its path below SITE. Each process, one a processor, takes the next few when it
has done its own. TASKS.made gets the digest of each file that was compiled, by its source; LIST, a line for each, while
somebody waits for something else, which goes first.
Digests are SHA-256 as RECORDs spell it (PEP 376). It ends with 1, and says why, at the first file that is not right.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import marshal
import os
import signal
import stat
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from typing import IO, BinaryIO, NoReturn

# What it gets: a kind, FROM or SOURCE or WHEEL, TO or PYC, a digest and a size.
Row = tuple[str, str, str, str, str]
# What makes TO of FROM, and returns the digest of what it read; "" if there is nothing to read.
Copy = Callable[[str, str, str], str]

_COMPILE, _PROGRAM, _UNPACK = "compile", " program", "unpack"
_MOST_PROCESSES = 8
# Of tasks, at a time: together their numbers are less than any system's pipe takes in one write.
_FEW, _MOST_TIMES = 8, 2000
_NUMBER = 4
_BEHIND = 5  # of nice(2): a third of what others get of a processor
_LARGEST = 1 << 26  # of what no size is known: what was compiled
_PIECE = 1 << 20
_FICLONE = 0x40049409  # ioctl_ficlonerange(2): blocks are shared until one of the two files is written to
_UNREADABLE = (OSError, LookupError, RuntimeError, EOFError, ValueError, zipfile.BadZipFile, zlib.error)


def copier() -> Copy:
    """What copies regular files of a size, with their times; blocks are shared where the file system can do so."""
    clones = True

    def copy(source: str, target: str, size: str) -> str:
        try:
            # Without waiting for whoever would write into a pipe.
            file = open(os.open(source, os.O_RDONLY | os.O_NONBLOCK), "rb")
        except OSError:
            return ""
        with file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode) or (not size and facts.st_size > _LARGEST):
                return ""
            if size and facts.st_size != int(size):
                return ""
            return written(file, facts, target)

    def written(file: BinaryIO, facts: os.stat_result, target: str) -> str:
        nonlocal clones
        with _new(target) as new:
            clones = clones and _cloned(file, new)
            digest = _poured(file, None if clones else new)
            new.flush()
            os.utime(new.fileno(), ns=(facts.st_atime_ns, facts.st_mtime_ns))
        return digest

    return copy


def unpacker(site: str) -> Copy:
    """What unpacks members of wheels, as they are named below `site`."""
    opened: list[tuple[str, zipfile.ZipFile]] = []

    def unpack(source: str, target: str, size: str) -> str:
        if not opened or opened[0][0] != source:
            opened[:] = [(source, zipfile.ZipFile(source))]
        wheel = opened[0][1]
        member = wheel.getinfo(os.path.relpath(target, site))
        if size and member.file_size != int(size):
            return ""
        with wheel.open(member) as file, _new(target) as new:
            return _poured(file, new)

    return unpack


def _cloned(file: BinaryIO, new: BinaryIO) -> bool:
    try:
        fcntl.ioctl(new.fileno(), _FICLONE, file.fileno())
    except OSError:
        return False
    return True


def _new(path: str) -> BinaryIO:
    try:
        return open(path, "xb")
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return open(path, "xb")


def _poured(file: IO[bytes], new: BinaryIO | None) -> str:
    """The digest of what is read, and written if there is where."""
    digest = hashlib.sha256()
    while piece := file.read(_PIECE):
        digest.update(piece)
        if new:
            new.write(piece)
    return _spelt(digest.digest())


def _spelt(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def compiled(source: str, pyc: str, digest: str, copy: Copy, site: str) -> str:
    """Compile a module, unless `pyc` serves; return the digest of what came of it, "" if Python cannot compile it."""
    target = Path(cache_from_source(source))
    target.unlink(missing_ok=True)
    if pyc and copy(pyc, str(target), "") == digest:
        # A compiled file names the time of its source, in seconds (PEP 552).
        with target.open("rb") as file:
            seconds = int.from_bytes(file.read(12)[8:], "little")
        os.utime(source, (seconds, seconds))
        return digest
    target.unlink(missing_ok=True)
    content = _code(source, os.path.relpath(source, site))
    if content:
        with _new(str(target)) as new:
            new.write(content)
    return _spelt(hashlib.sha256(content).digest()) if content else ""


def _code(source: str, name: str) -> bytes:
    """What py_compile would write for a module (PEP 552); nothing if Python cannot compile it."""
    with open(source, "rb") as file:
        facts, text = os.fstat(file.fileno()), file.read()
    try:
        code = compile(text, name, "exec", dont_inherit=True)
    except Exception:  # whatever the compiler says of somebody's text; py_compile takes all of it too
        return b""
    stamp = (int(facts.st_mtime) & 0xFFFFFFFF, facts.st_size & 0xFFFFFFFF)
    return MAGIC_NUMBER + bytes(4) + b"".join(one.to_bytes(4, "little") for one in stamp) + marshal.dumps(code)


def listed(made: Mapping[str, str], site: str) -> str:
    """The lines of a version's `compiled` for what was made of these sources."""
    paths = {os.path.relpath(cache_from_source(source), site): digest for source, digest in made.items()}
    return "".join(f"{paths[path]}  {path}\n" for path in sorted(paths))


class Worker:
    """What does tasks while its parent lives; `made` is what it compiled, `wrong` why it stopped."""

    def __init__(self, site: str, parent: int) -> None:
        self._site, self._parent, self._copy, self._unpack = site, parent, copier(), unpacker(site)
        self.made: dict[str, str] = {}
        self.wrong = ""

    def do(self, rows: Iterable[Row]) -> bool:
        """Do some, and say whether all is well."""
        for row in rows:
            try:
                self.wrong = self._one(row)
            except _UNREADABLE as error:
                self.wrong = f"{row[1]}: {error}"
            if self.wrong or os.getppid() != self._parent:
                return False
        return True

    def _one(self, row: Row) -> str:
        kind, source, target, digest, size = row
        if kind == _COMPILE:
            if found := compiled(source, target, digest, self._copy, self._site):
                self.made[source] = found
            return ""
        unpacks = kind.startswith(_UNPACK)
        if (self._unpack if unpacks else self._copy)(source, target, size) != digest:
            name = f"{os.path.basename(source)}, {os.path.relpath(target, self._site)}" if unpacks else source
            return f"not as {'its RECORD says' if unpacks else 'it was installed'}: {name}"
        if kind.endswith(_PROGRAM):
            os.chmod(target, 0o755)  # noqa: S103 - as pip does
        return ""


def _processors() -> int:
    # macOS does not tell which of them a process may use.
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(count, _MOST_PROCESSES)


def spread(rows: Sequence[Row], site: str, result: Path) -> dict[str, str] | None:
    """Do tasks in a process a processor; return what was compiled, None if something is wrong, which was said."""
    few = _FEW + len(rows) // _MOST_TIMES
    starts = range(0, len(rows), few)
    queue, numbers = os.pipe()
    os.write(numbers, b"".join(start.to_bytes(_NUMBER, "little") for start in starts))
    os.close(numbers)
    results = [Path(f"{result}.{index}") for index in range(min(_processors(), len(starts)))]
    running, codes, parent = list[int](), list[int](), os.getpid()
    signal.signal(signal.SIGTERM, _end)
    try:
        for one in results:
            if not (child := os.fork()):
                _work(rows, few, queue, Worker(site, parent), one)
            running.append(child)
        os.close(queue)
        while running:
            codes.append(os.waitpid(running[-1], 0)[1])
            running.pop()
    finally:
        for child in running:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    made: dict[str, str] = {}
    for one in results if not any(codes) else ():
        made.update(json.loads(one.read_bytes()))
        one.unlink()
    return None if any(codes) else made


def _end(*_: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


def _work(rows: Sequence[Row], few: int, queue: int, worker: Worker, result: Path) -> NoReturn:
    """One process: it ends with 1, and ends the others' work, where something is wrong."""
    code, going = 1, True
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        while going and (number := os.read(queue, _NUMBER)):
            start = int.from_bytes(number, "little")
            going = worker.do(rows[start : start + few])
        if going:
            result.write_text(json.dumps(worker.made), encoding="utf-8")
            code = 0
        elif worker.wrong:
            os.read(queue, _NUMBER * _MOST_TIMES)
            print(worker.wrong, flush=True)
    finally:
        os._exit(code)


def main(tasks: Path, site: str, file: str = "") -> int:
    """Do the tasks of a file, and return the exit code."""
    if file:
        os.nice(_BEHIND)
    made = spread(json.loads(tasks.read_bytes()), site, tasks)
    if made is None:
        return 1
    tasks.with_name(f"{tasks.name}.made").write_text(json.dumps(made), encoding="utf-8")
    if file:
        with open(file, "a", encoding="utf-8") as lines:
            lines.write(listed(made, site))
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    warnings.simplefilter("ignore")  # of what somebody's modules hold
    try:
        sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
    except OSError as error:
        print(error)
        sys.exit(1)
