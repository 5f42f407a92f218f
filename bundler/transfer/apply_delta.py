"""`apply-delta.sh`: make the new archive of the old one and a delta, or take files out of a set.

A program for hosts that have Python 3.9 or later and nothing else: the shell script carries it, with `form` and
`machine`. The tool has commands of its own, which do the same work with the same two modules.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bundler.transfer.form import Delta, RefusedError, Set, Source, Wanted, read_header
from bundler.transfer.machine import Checked, Write, write_file, write_new

_SUMS, _LARGEST_SUMS = "SHA256SUMS", 1 << 22
_SUM = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def _listed(path: Path) -> dict[str, str]:
    """The digests in a SHA256SUMS."""
    with path.open("rb") as file:
        content = file.read(_LARGEST_SUMS)
    lines = content.decode("utf-8", "replace").splitlines()
    listed = {match[2]: match[1] for match in map(_SUM.fullmatch, lines) if match}
    # It does not list itself: a set's has to be this very one.
    return {_SUMS: hashlib.sha256(content).hexdigest(), **listed}


def _place(folder: Path, wanted: Wanted, make: Callable[[Write], None]) -> Path:
    """Make a file in a folder, whole or not at all, over nothing that is there."""
    target = folder / wanted.name
    if os.path.lexists(target):
        raise RefusedError(f"{target} exists; give --out another folder, or remove it")
    descriptor, name = tempfile.mkstemp(prefix=f".{wanted.name[:200]}.", dir=folder)
    hidden = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            checked = Checked(file.write, wanted)
            make(checked.write)
            checked.close()
            file.flush()
            os.fsync(file.fileno())
        hidden.chmod(0o644)
        # Not over what came meanwhile; a file system without links (a stick's) has no better than a second look.
        try:
            os.link(hidden, target)
        except FileExistsError:
            raise RefusedError(f"{target} exists; give --out another folder, or remove it") from None
        except OSError:
            hidden.rename(target)
    finally:
        if hidden.exists():
            hidden.unlink()
    return target


@contextmanager
def _opened(path: Path) -> Iterator[Source]:
    """A file, or the volumes PATH.001, PATH.002 … that it was cut into."""
    descriptors: list[int] = []
    try:
        for one in volumes(path):
            # Without waiting for whoever would write into a pipe.
            descriptors.append(os.open(one, os.O_RDONLY | os.O_NONBLOCK))
            if not stat.S_ISREG(os.fstat(descriptors[-1]).st_mode):
                raise RefusedError(f"{one} is no regular file")
        yield Source(descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def volumes(path: Path) -> list[Path]:
    """The files that a set consists of: itself, or its volumes. Raises RefusedError if one of them is missing."""
    base = Path(str(path)[:-4]) if path.name.endswith(".001") else path
    found = {one.name for one in base.parent.glob("*.[0-9][0-9][0-9]") if one.name[:-4] == base.name}
    if base.exists() or not found:
        return [path]
    wanted = [f"{base.name}.{number:03}" for number in range(1, int(max(found)[-3:]) + 1)]
    missing = [name for name in wanted if name not in found]
    if missing:
        raise RefusedError(f"{', '.join(missing)} is missing")
    return [base.parent / name for name in wanted]


def _apply(options: argparse.Namespace, sums: dict[str, str] | None) -> None:
    with _opened(options.file) as old, _opened(Path(options.names[0])) as delta:
        header = read_header(delta)
        if not isinstance(header, Delta) or len(options.names) > 1:
            raise RefusedError("it is no delta")
        _check(header.new, sums)
        print(_place(options.out, header.new, partial(write_new, delta, header, old)))


def _take(options: argparse.Namespace, header: Set, source: Source, sums: dict[str, str] | None) -> None:
    names = options.names or list(header.files)
    for name in names:
        if name not in header.files:
            raise RefusedError(f"it has no {name}; it has {', '.join(header.files)}")
        _check(header.files[name], sums)
    for name in names:
        wanted = header.files[name]
        print(_place(options.out, wanted, partial(write_file, source, header, wanted)))


def _check(wanted: Wanted, sums: dict[str, str] | None) -> None:
    # What signs the list is checked by whoever looks at the signature.
    signs = wanted.name.startswith(f"{_SUMS}.")
    if sums is not None and not signs and sums.get(wanted.name) != wanted.sha256:
        raise RefusedError(f"SHA256SUMS does not list {wanted.name} with the SHA-256 that it says")


def main() -> int:
    """Read the command line, do what it says, and return the exit code: 2 for words, 3 for a file that is refused."""
    parser = argparse.ArgumentParser("apply-delta.sh", usage="apply-delta.sh OLD DELTA | SET [NAME...] [options]")
    parser.add_argument("file", metavar="OLD|SET", type=Path)
    parser.add_argument("names", metavar="DELTA|NAME", nargs="*")
    parser.add_argument("--out", metavar="FOLDER", type=Path, default=Path(), help="where what is made goes")
    parser.add_argument(
        "--sums", metavar="SHA256SUMS", type=Path, help="a list, verified before, that has to name what is made"
    )
    options = parser.parse_args()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        # What is half made is removed on the way out.
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    subject: object = options.file
    try:
        sums = _listed(options.sums) if options.sums else None
        with _opened(options.file) as source:
            header = read_header(source) if source.read(0, min(9, source.size)) == b"aiws-set " else None
            if isinstance(header, Set):
                _take(options, header, source, sums)
            elif options.names:
                subject = options.names[0]
                _apply(options, sums)
            else:
                parser.error("give an old archive and a delta, or a set")
    except (RefusedError, OSError, MemoryError) as error:
        print(f"apply-delta.sh: {subject}: {error}; nothing was changed", file=sys.stderr)
        return 3 if isinstance(error, RefusedError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
