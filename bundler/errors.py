"""Every error a person can meet: what happened, to what, what to do next, and the exit code it ends with."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass

from bundler.terminal import one_line


class BundleError(Exception):
    """Base of all expected errors. `exit_code` is what the command line ends with (see docs/exit-codes.md)."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class WorkError(BundleError):
    """The work itself failed: a bundle cannot be made, a disk is full, a folder cannot be written."""


class UsageError(BundleError):
    """What was asked for does not exist or does not fit: a file, a target; or an option is malformed."""

    exit_code = 2


class LockError(BundleError):
    """A lock is missing, stale, malformed or cannot be resolved."""

    exit_code = 2


class IntegrityError(BundleError):
    """A digest, size or content disagrees with what was pinned or listed."""

    exit_code = 3


class TooMuchError(IntegrityError):
    """An answer is more than is read of one: less may be asked for at once."""


class UnreachableError(BundleError):
    """Something needed from outside could not be had: no network, or a server that refuses."""

    exit_code = 4


class Interrupted(BundleError):
    """Somebody pressed Ctrl-C, or a signal asked for the end."""

    exit_code = 130


def printable(text: str) -> str:
    """Text fit for a terminal: what servers and archives say may hold characters that terminals obey."""
    return "\n".join(map(one_line, text.split("\n")))


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a file. `line` and `column` count from 1; 0 means the whole file."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        place = [self.file, *(str(number) for number in (self.line, self.column) if number)]
        return one_line(f"{':'.join(place)}: {self.message}")


class ManifestError(BundleError):
    """Manifests that cannot be used; `problems` holds every one found, not just the first."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem], hint: str = "") -> None:
        super().__init__("\n".join(map(str, problems)), hint)
        self.problems = tuple(problems)


class ProofError(WorkError):
    """A wheelhouse that does not hold exactly what its consumer will ask for; `findings` is one line each."""

    def __init__(self, subject: str, findings: Sequence[str], hint: str = "") -> None:
        lines = "\n".join(f"  - {one_line(finding)}" for finding in findings)
        super().__init__(f"{subject}: the wheels do not close\n{lines}", hint)
        self.findings = tuple(findings)


def from_os(error: OSError) -> WorkError:
    """Say what the system refused: a full disk, a folder that cannot be written."""
    where = f"{one_line(str(error.filename))}: " if error.filename else ""
    hints = {
        errno.ENOSPC: "the disk is full: free some space, or choose --out or --cache-dir elsewhere; then run again",
        errno.EDQUOT: "the quota is used up: free some space, or choose --out or --cache-dir elsewhere",
        errno.EFBIG: "that file system holds no file as large (FAT32: 4 GiB less a byte): choose another one",
        errno.EACCES: "choose a folder that you may write, with --out, --cache-dir or AIWS_CACHE_DIR",
        errno.EPERM: "choose a folder that you may write, with --out, --cache-dir or AIWS_CACHE_DIR",
        errno.EROFS: "choose a folder that can be written, with --out, --cache-dir or AIWS_CACHE_DIR",
    }
    return WorkError(f"{where}{error.strerror or error}", hints.get(error.errno or 0, ""))


class PreflightError(BundleError):
    """Everything that keeps work from being begun, found before anything was changed."""

    def __init__(self, subject: str, problems: Sequence[BundleError]) -> None:
        lines = [f"  - {p.message}{f' ({p.hint})' if p.hint else ''}" for p in problems]
        super().__init__("\n".join((subject, *lines)), "nothing was changed; mend these and run again")
        self.problems = tuple(problems)
        self.exit_code = gravest(problems)


# When several targets fail for different reasons, the gravest decides the exit code.
_GRAVEST_FIRST = (3, 2, 4, 1)


def gravest(errors: Sequence[BundleError]) -> int:
    """Return the exit code for a run in which all of `errors` happened; 0 for none."""
    codes = {error.exit_code for error in errors}
    return next((code for code in _GRAVEST_FIRST if code in codes), 0)
