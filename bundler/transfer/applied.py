"""A delta, applied by the tool: to a file that must become what is wanted of it, or is not there."""

from __future__ import annotations

from pathlib import Path

from bundler.adapters.regular import open_regular
from bundler.errors import IntegrityError
from bundler.transfer.form import Delta, RefusedError, Source, Wanted, read_header
from bundler.transfer.machine import Checked, Write, write_new
from bundler.transfer.plain import PlainHeader, is_plain, read_plain, write_plain_new

_BEGIN = b"aiws-delta"
_ANEW = "get the delta anew, and give it the old file that its name and `aiws-bundle inspect` tell"


def header_of(path: Path, name: str) -> Delta | PlainHeader:
    """What the header of a delta says, which is called `name`. Raises IntegrityError if it is none, OSError."""
    with open_regular(path) as file:
        try:
            return header_in(Source([file.fileno()]), name)
        except RefusedError as error:
            raise IntegrityError(f"{name}: {error}", _ANEW) from error


def is_delta(path: Path) -> bool:
    """Say whether a file begins as a delta does, plain or not. Raises OSError."""
    if not path.is_file():
        return False
    with open_regular(path) as file:
        return file.read(len(_BEGIN)) == _BEGIN


def header_in(source: Source, name: str) -> Delta | PlainHeader:
    """The same of an open file. Raises RefusedError, IntegrityError if it is a set."""
    header = read_plain(source) if is_plain(source) else read_header(source)
    if isinstance(header, Delta | PlainHeader):
        return header
    raise IntegrityError(f"{name}: it is a set, not a delta", "`aiws-bundle emit` takes archives out of it")


def write_applied(old: Path, delta: Path, name: str, out: Write) -> Wanted:
    """Write the new file that a delta, called `name`, makes of the old one, and return what that is.

    Raises IntegrityError if the old file is another one, the delta is not sound, or makes other bytes than it says;
    some of them may be written then.
    """
    with open_regular(old) as before, open_regular(delta) as file:
        source, there = Source([file.fileno()]), Source([before.fileno()])
        try:
            header = header_in(source, name)
            checked = Checked(out, header.new)
            if isinstance(header, Delta):
                write_new(source, header, there, checked.write)
            else:
                write_plain_new(source, header, there, checked.write)
            checked.close()
        except RefusedError as error:
            raise IntegrityError(f"{name}: {error}", _ANEW) from error
    return header.new
