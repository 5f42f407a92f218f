"""`apply-delta.sh`: the program of this folder as one POSIX shell script."""

from __future__ import annotations

from importlib.resources import files

from bundler.model.one_program import one_program

NAME = "apply-delta.sh"
_MODULES = ("form", "machine", "apply_delta")
_MARK = "# the program"
# Ctrl-C ends it while it is loaded, too, and tells no traceback; `main` sets what removes what is half made.
# (`signal` itself loads much before that could be said.)
_BEGINNING = """import _signal
_signal.signal(_signal.SIGINT, _signal.SIG_DFL)
"""


def script() -> bytes:
    """Return the script: the shell's part, with the Python program in place of its mark."""
    folder = files("bundler.transfer")
    before, _, after = (folder / f"{NAME}.part").read_text(encoding="utf-8").partition(f"{_MARK}\n")
    program = one_program(((folder / f"{name}.py").read_text(encoding="utf-8") for name in _MODULES), _BEGINNING)
    return f"{before}{program}{after}".encode()
