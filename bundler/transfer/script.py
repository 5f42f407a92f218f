"""`apply-delta.sh`: the program of this folder as one POSIX shell script."""

from __future__ import annotations

from importlib.resources import files

from bundler.model.one_program import one_program

NAME = "apply-delta.sh"
_MODULES = ("form", "machine", "apply_delta")
_MARK = "# the program"


def script() -> bytes:
    """Return the script: the shell's part, with the Python program in place of its mark."""
    folder = files("bundler.transfer")
    before, _, after = (folder / f"{NAME}.part").read_text(encoding="utf-8").partition(f"{_MARK}\n")
    program = one_program((folder / f"{name}.py").read_text(encoding="utf-8") for name in _MODULES)
    return f"{before}{program}{after}".encode()
