"""Hosts on which `apply-delta.sh` is run: a shell, what it may call, and no more."""

from __future__ import annotations

import shutil
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bundler.transfer.delta import write_delta
from tests.interpreters import interpreter
from tests.transfer.wheels import noise

SHELLS = {
    "dash": ["dash"],
    "bash": ["bash"],
    "posix": ["bash", "--posix"],
    "busybox": ["busybox", "sh"],
    "zsh": ["zsh", "--emulate", "sh"],
}
_OLD = noise("a", 300_000) + noise("b", 200_000)
_NEW = b"begun" + noise("b", 200_000) + noise("c", 100_000) + noise("a", 300_000)
_TOOLS = ("dd", "sha256sum", "tr", "wc", "grep", "mktemp", "chmod", "ln", "rm", "mv", "cat", "find")


def host(name: str, folder: Path) -> list[str]:
    """A shell of this name; in the folder is what it may use, which is no Python, and with busybox its own programs."""
    words = SHELLS[name]
    program = shutil.which(words[0])
    if not program:
        pytest.skip(f"this host has no {words[0]}")
    folder.mkdir()
    for tool in _TOOLS:
        (folder / tool).symlink_to(program if name == "busybox" else shutil.which(tool) or pytest.fail(tool))
    return [program, *words[1:]]


@cache
def oldest_python() -> str:
    """Python 3.9, or whichever there is."""
    try:
        return interpreter("3.9")
    except pytest.skip.Exception:
        return sys.executable


def made(tmp_path: Path, *, plain: bool = True) -> tuple[Path, Path, Path]:
    """An old file, a new one, and the delta between."""
    old, new = tmp_path / "old", tmp_path / "new.bin"
    name, content = _delta(plain)
    for path, its in ((old, _OLD), (new, _NEW), (tmp_path / name, content)):
        path.write_bytes(its)
    return old, new, tmp_path / name


@cache
def _delta(plain: bool) -> tuple[str, bytes]:
    """The delta's name and bytes: made once, since that takes longer than most that is done with it."""
    with TemporaryDirectory() as folder:
        old, new = Path(folder, "old"), Path(folder, "new.bin")
        old.write_bytes(_OLD)
        new.write_bytes(_NEW)
        delta = write_delta(old, new, Path(folder), plain=plain)
        assert delta
        assert delta.size < 150_000
        return delta.path.name, delta.path.read_bytes()
