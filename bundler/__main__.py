"""The program `aiws-bundle`, also as `python -m bundler`: what has to hold before anything large is imported."""

from __future__ import annotations

import os
import os.path
import sys

# `-m` puts the current folder first, where anybody's `json.py` may lie. It stays only where this package lies in it.
# (os is loaded when Python starts; pathlib would be looked up in that folder.)
if (
    __name__ == "__main__"
    and not sys.flags.safe_path
    and os.path.realpath(sys.path[0]) != os.path.realpath(f"{__file__}/../..")
):
    del sys.path[0]

# What `signal` wraps, which takes as long to load as Python itself: Ctrl-C would have time to print a traceback.
import _signal  # type: ignore[import-not-found]


def main() -> None:
    """Run the command line and end the process. A signal that ends it does so with no traceback from now on."""
    for number in (_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM):
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, lambda number, _: _leave(number))
    _keep_standard_descriptors()
    from bundler.cli import main as command_line

    command_line()


def _leave(number: int) -> None:
    """End at once: nothing has been begun, and what is half imported cannot be relied on."""
    code = 128 + number
    if "--json" in sys.argv:
        error = f'{{"message": "interrupted", "hint": "run again to go on", "exit_code": {code}}}'
        os.write(1, f'{{"schema_version": 1, "error": {error}}}\n'.encode())
    os.write(2, b"\naiws-bundle: interrupted; run again to go on\n")
    os._exit(code)


def _keep_standard_descriptors() -> None:
    """Put /dev/null in the place of standard streams that are closed, else the next file opened would be one of them.

    What was to be read is empty; what was to be printed is an error (EBADF), but for messages about errors.
    """
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # the lowest number that is free, so this one
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor, to the end
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor, to the end


if __name__ == "__main__":
    main()
