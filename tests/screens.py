"""A real pseudo-terminal of so many columns in the place of standard output and standard error."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import termios
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest import mock

# What may stand in a line of ours: a colour and its end; and what moves the cursor and clears a line, around bars.
GRAPHICS = re.compile(r"\x1b\[[0-9;]*m")
MOVES = re.compile(r"\x1b\[[0-9;?]*[A-HJKhl]|\r")


@dataclass
class Screen:
    """What was written to a terminal."""

    raw: bytes = b""

    @property
    def text(self) -> str:
        """What was written, colours and all."""
        return self.raw.decode()

    @property
    def lines(self) -> list[str]:
        """What was ever seen in a line, without colours."""
        return re.split(r"\n+", MOVES.sub("\n", GRAPHICS.sub("", self.text)))

    @property
    def widest(self) -> int:
        """Columns of the widest line."""
        return max(map(len, self.lines))


@contextmanager
def screen(columns: int = 80, env: Mapping[str, str] | None = None) -> Iterator[Screen]:
    """Write to a terminal while the context is open; what was written can be read after it."""
    near, far = os.openpty()
    attributes = termios.tcgetattr(far)
    attributes[1] &= ~termios.OPOST  # a line feed stays one
    termios.tcsetattr(far, termios.TCSANOW, attributes)
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    shown = Screen()

    def read() -> None:
        while data := os.read(near, 1 << 16):
            if data.endswith(b"\0"):
                shown.raw += data[:-1]
                return
            shown.raw += data

    reader = threading.Thread(target=read)
    reader.start()
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI", "COLUMNS")}
    try:
        with (
            mock.patch.dict(os.environ, {**kept, "TERM": "xterm", **(env or {})}, clear=True),
            open(far, "w", encoding="utf-8", closefd=False) as stream,
            redirect_stdout(stream),
            redirect_stderr(stream),
        ):
            yield shown
    finally:
        os.write(far, b"\0")
        reader.join()
        os.close(far)
        os.close(near)
