"""One process of install.py's, which stands beside it: `python -I -B install_share.py SHARE SITE [LIST]`.

SHARE is a JSON list of tasks: copy FROM (a program, or not), TO, the digest and size that it must have; or compile
SOURCE, unless PYC, of that digest, was made of the same text. Code is compiled under its path below SITE. SHARE.made
gets the digest of each file that was compiled, by its source; LIST, a line for each. Digests are SHA-256 as RECORDs
spell it (PEP 376). It ends with 1, and says why, at the first copy that is not right.
"""

from __future__ import annotations

import base64
import compileall
import fcntl
import hashlib
import json
import os
import signal
import stat
import sys
from collections.abc import Callable, Mapping
from importlib.util import cache_from_source
from pathlib import Path
from typing import BinaryIO

# What copies a file, and returns the digest of what was read; "" if there is nothing to read.
Copy = Callable[[str, str, str], str]

_COPY, _COPY_PROGRAM = "copy", "copy program"
_LARGEST = 1 << 26  # of what no size is known: what was compiled
_PIECE = 1 << 20
_FICLONE = 0x40049409  # ioctl_ficlonerange(2): blocks are shared until one of the two files is written to


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
            digest = hashlib.sha256()
            while piece := file.read(_PIECE):
                digest.update(piece)
                if not clones:
                    new.write(piece)
            new.flush()
            os.utime(new.fileno(), ns=(facts.st_atime_ns, facts.st_mtime_ns))
        return _spelt(digest.digest())

    return copy


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
    compileall.compile_file(source, quiet=2, force=True, stripdir=site)
    return _spelt(hashlib.sha256(target.read_bytes()).digest()) if target.is_file() else ""


def listed(made: Mapping[str, str], site: str) -> str:
    """The lines of a version's `compiled` for what was made of these sources."""
    paths = {os.path.relpath(cache_from_source(source), site): digest for source, digest in made.items()}
    return "".join(f"{paths[path]}  {path}\n" for path in sorted(paths))


def work(share: Path, site: str, file: str = "") -> str:
    """Do the tasks of a share; return what is wrong, or ""."""
    made: dict[str, str] = {}
    copy = copier()
    for kind, source, target, digest, size in json.loads(share.read_bytes()):
        if kind in (_COPY, _COPY_PROGRAM):
            if copy(source, target, size) != digest:
                return f"not as it was installed: {source}"
            if kind == _COPY_PROGRAM:
                os.chmod(target, 0o755)  # noqa: S103 - as pip does
        elif found := compiled(source, target, digest, copy, site):
            made[source] = found
    share.with_name(f"{share.name}.made").write_text(json.dumps(made), encoding="utf-8")
    if file:
        with open(file, "a", encoding="utf-8") as lines:
            lines.write(listed(made, site))
    return ""


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        wrong = work(Path(sys.argv[1]), *sys.argv[2:])
    except OSError as error:
        wrong = str(error)
    if wrong:
        print(wrong)
        sys.exit(1)
