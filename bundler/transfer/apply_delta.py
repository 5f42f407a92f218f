"""`apply-delta.sh`: make the new archive of the old one and a delta, or take files out of a set.

A program for hosts that have Python 3.9 or later and nothing else: the shell script carries it, with `form` and
`machine`. The tool has commands of its own, which do the same work with the same two modules.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import hashlib
import os
import re
import secrets
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from bundler.transfer.form import Delta, RefusedError, Set, Source, Wanted, read_header
from bundler.transfer.machine import Checked, Write, write_file, write_new

# As the tool calls what it makes (`adapters.in_the_making`): either removes what the other left.
_HIDDEN = ".aiws-new-"
_SUMS, _LARGEST_SUMS = "SHA256SUMS", 1 << 22
_ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_SUM = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def _listed(path: Path) -> dict[str, str]:
    """The digests in a SHA256SUMS."""
    with _opened(path) as file:
        content = file.read(0, min(file.size, _LARGEST_SUMS))
    lines = content.decode("utf-8", "replace").split("\n")
    listed = {match[2]: match[1] for match in map(_SUM.fullmatch, lines) if match}
    # It does not list itself: a set's has to be this very one.
    return {_SUMS: hashlib.sha256(content).hexdigest(), **listed}


def _place(folder: Path, wanted: Wanted, make: Callable[[Write], None]) -> Path:
    """Make a file in a folder, whole or not at all, over nothing that is there."""
    target = folder / wanted.name
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(folder))
    if os.path.lexists(target):
        raise RefusedError(f"{target} exists; give --out another folder, or remove it")
    # Named before it is made, so that a signal in between leaves nothing.
    hidden = folder / f"{_HIDDEN}{secrets.token_hex(4)}"
    try:
        descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with suppress(OSError):  # where there are no locks, nothing is removed either
                _lock(descriptor)
            checked = Checked(file.write, wanted)
            make(checked.write)
            checked.close()
            file.flush()
            with suppress(OSError):  # a stick's file system has the modes it was mounted with
                os.fchmod(descriptor, 0o644)
            os.fsync(descriptor)
            _put(hidden, target)
    except OSError as error:
        # What is hidden tells nobody anything, and errors of open files name nothing.
        if str(error.filename) == str(hidden) or error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            error.filename = str(folder)
        raise
    finally:
        with suppress(OSError):
            hidden.unlink()
    return target


def _put(hidden: Path, target: Path) -> None:
    """Give a file its name, not over what came meanwhile."""
    taken = RefusedError(f"{target} exists; give --out another folder, or remove it")
    try:
        os.link(hidden, target)
    except FileExistsError:
        raise taken from None
    except OSError:  # a file system without links (a stick's) has no better than a second look
        if os.path.lexists(target):
            raise taken from None
        hidden.rename(target)


def _remove_left(folder: Path) -> None:
    """Remove what killed runs left: what nobody has locked. What cannot be removed stays, and harms nothing."""
    for path in folder.glob(_HIDDEN + "[0-9a-f]" * 8):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                status = os.fstat(descriptor)
                if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
                    _lock(descriptor)
                    path.unlink()
            finally:
                os.close(descriptor)


def _lock(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def _opened(path: Path) -> Iterator[Source]:
    """A file, or the volumes PATH.001, PATH.002 … that it was cut into."""
    descriptors: list[int] = []
    found = volumes(path)
    try:
        for one in found:
            # Without waiting for whoever would write into a pipe.
            descriptors.append(os.open(one, os.O_RDONLY | os.O_NONBLOCK))
            if not stat.S_ISREG(os.fstat(descriptors[-1]).st_mode):
                raise RefusedError(f"{one} is no regular file")
        yield Source(descriptors, [one.name for one in found])
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
        raise RefusedError(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")
    return [base.parent / name for name in wanted]


def _apply(options: argparse.Namespace, sums: dict[str, str] | None) -> None:
    with _opened(options.file) as old, _opened(Path(options.names[0])) as delta:
        header = read_header(delta)
        if not isinstance(header, Delta):
            raise RefusedError("it is no delta")
        _check(header.new, sums)
        _remove_left(options.out)
        _tell([_place(options.out, header.new, partial(write_new, delta, header, old))])


def _take(options: argparse.Namespace, header: Set, source: Source, sums: dict[str, str] | None) -> None:
    names = options.names or list(header.files)
    for name in names:
        if name not in header.files:
            raise RefusedError(f"it has no {name}; it has {', '.join(header.files)}")
        _check(header.files[name], sums)
    made: list[Path] = []
    _remove_left(options.out)
    try:
        for wanted in (header.files[name] for name in dict.fromkeys(names)):
            made.append(_place(options.out, wanted, partial(write_file, source, header, wanted)))
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise
    _tell(made)


def _tell(made: list[Path]) -> None:
    """Say what there is now. It is there, also where nobody can be told."""
    _write(1, "".join(f"{path}\n" for path in made))


def _write(descriptor: int, text: str) -> None:
    with suppress(OSError):
        os.write(descriptor, os.fsencode(text))


def _check(wanted: Wanted, sums: dict[str, str] | None) -> None:
    # What signs the list is checked by whoever looks at the signature.
    signs = wanted.name.startswith(f"{_SUMS}.")
    if sums is not None and not signs and sums.get(wanted.name) != wanted.sha256:
        raise RefusedError(f"SHA256SUMS does not list {wanted.name} with the SHA-256 that it says")


def _said(error: RefusedError | OSError | MemoryError, subject: str) -> str:
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    if isinstance(error, OSError):
        named = error.filename and str(error.filename) != subject
        return f"{error.filename}: {error.strerror}" if named else str(error.strerror)
    return str(error)


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("a path is empty")
    return Path(text)


def _leave(number: int, frame: object) -> None:
    """End the process; what is half made is removed on the way, which no second signal breaks off."""
    for one in _ENDING:
        signal.signal(one, signal.SIG_IGN)
    sys.exit(128 + number)


def main() -> int:
    """Read the command line, do what it says, and return the exit code: 2 for words, 3 for a file that is refused."""
    usage = "apply-delta.sh OLD DELTA | SET [NAME...] [--out FOLDER] [--sums SHA256SUMS]"
    parser = argparse.ArgumentParser("apply-delta.sh", usage=usage, allow_abbrev=False)
    parser.add_argument("file", metavar="OLD|SET", type=_path)
    parser.add_argument("names", metavar="DELTA|NAME", nargs="*")
    parser.add_argument("--out", metavar="FOLDER", type=_path, default=Path(), help="where what is made goes")
    parser.add_argument(
        "--sums", metavar="SHA256SUMS", type=_path, help="a list, verified before, that has to name what is made"
    )
    options = parser.parse_args()
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as below nohup
            signal.signal(number, _leave)
    subject = str(options.file)
    try:
        sums = _listed(options.sums) if options.sums else None
        with _opened(options.file) as source:
            begins = source.read(0, min(9, source.size)) == b"aiws-set "
            header = read_header(source) if begins or source.files > 1 else None
            if isinstance(header, Set):
                _take(options, header, source, sums)
            elif len(options.names) == 1:
                subject = options.names[0]
                _apply(options, sums)
            else:
                parser.error("give an old archive and one delta, or a set")
    except (RefusedError, OSError, MemoryError) as error:
        _write(2, f"apply-delta.sh: {subject}: {_said(error, subject)}; nothing was changed\n")
        return 3 if isinstance(error, RefusedError) else 1
    return 0


if __name__ == "__main__":
    os._exit(main())  # a signal while Python tidies up after itself would be told with a traceback
