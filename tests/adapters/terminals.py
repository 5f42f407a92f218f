"""A terminal of one's own, at which a program asks."""

from __future__ import annotations

import os
import pty
import select
import time
from collections.abc import Sequence
from pathlib import Path

_PATIENCE = 200.0


def at_a_terminal(argv: Sequence[str], answers: Sequence[tuple[str, str]], cwd: Path | None = None) -> str:
    """Run a program at a terminal; type each answer once its question is there. Return all that was shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        if cwd:
            os.chdir(cwd)
        os.execvp(argv[0], list(argv))
    shown, waiting = b"", list(answers)
    ends, start = time.monotonic() + _PATIENCE, 0
    try:
        while time.monotonic() < ends:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            try:
                chunk = os.read(terminal, 4096)
            except OSError:  # EIO: the program has ended
                return shown.decode(errors="replace")
            if not chunk:
                return shown.decode(errors="replace")
            shown += chunk
            if waiting and shown.find(waiting[0][0].encode(), start) >= 0 and shown.endswith(b": "):
                start = len(shown)
                os.write(terminal, waiting.pop(0)[1].encode())
        raise AssertionError(f"it did not end: {shown!r}")
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
