"""What a program's log says of its failure. The cause stands first: Python tells a chain of exceptions from there on,
and what came of it last.

    Traceback (most recent call last):
      …
    ModuleNotFoundError: No module named 'demo'      <- this one

    The above exception was the direct cause of the following exception:

    Traceback (most recent call last):
      …
    RuntimeError: it cannot start
"""

from __future__ import annotations

import re

_LAST_LINES = 12
_LONGEST_LINE = 2000
# traceback.TracebackException.format, https://docs.python.org/3/library/traceback.html
_TRACEBACK = "Traceback (most recent call last):"
_GROUP = re.compile(r"\([0-9]+ sub-exceptions?\)$")
_FIRST_OF_GROUP = re.compile(r"[ +|-]*- 1 -+")
# Python's own without a stack, Node.js, Go; pip, npm, git and their like.
_ERROR = re.compile(
    r"(Uncaught )?([\w$]+\.)*\w*(Error|Exception)( \[\w+\])?: \S.*|panic: .*|(npm )?(error|fatal):? \S.*|ERROR:\s.*",
    re.ASCII,
)
# An exception that nobody caught: of Python, of Go, of Node.js.
_CRASH = re.compile(r"Traceback \(most recent call last\):|^(panic|fatal error): |^Node\.js v[0-9]", re.MULTILINE)
_COLOUR = re.compile("\x1b\\[[0-9;]*m")


def first_error(log: str) -> str:
    """The line that tells the first exception of a log, of an exception group the first inside; "" if there is none.

    Where no stack is told it is the first line that reads like an error.
    """
    margin: str | None = None
    group, inside = "", False
    for line in _lines(log):
        before, header, _ = line.partition(_TRACEBACK)
        if header:
            margin, inside = _margin(before), False
        elif _FIRST_OF_GROUP.fullmatch(line):
            margin, inside = None, True
        elif said := line.strip(" |") if inside else _beside(line, margin):
            if not _GROUP.search(said):
                return said
            margin, inside, group = None, False, group or said
    return group or next((line.strip() for line in _lines(log) if _ERROR.fullmatch(line.strip())), "")


def last_line(log: str) -> str:
    """The last line that says something, without colours; "" if there is none."""
    return next((line for line in reversed([line.strip() for line in _lines(log)]) if line), "")


def _lines(log: str) -> list[str]:
    return [_COLOUR.sub("", line[:_LONGEST_LINE]) for line in log.splitlines()]


def _margin(before: str) -> str:
    """What stands before each line of a stack, as before its first: spaces or a group's frame, not a logger's word."""
    frame = before.removesuffix("Exception Group ")
    return "" if frame.strip(" +|") else frame.replace("+", "|")


def _beside(line: str, margin: str | None) -> str:
    """What stands at a stack's margin, which is what was raised; "" for a line of the stack itself."""
    if margin is None:
        return ""
    said = line[len(margin) :] if line.startswith(margin) else line.strip(" |")
    return "" if said.startswith(" ") else said.strip()


def crashed(log: str) -> bool:
    """Say whether a program that failed ended with an exception that nobody caught, as far as its log tells."""
    return bool(_CRASH.search(log))


def failure(command: str, ended: str, log: str) -> str:
    """Several lines on a program that failed: `command`, how it `ended`, the first error, the last lines."""
    first = first_error(log)
    last = [line[:_LONGEST_LINE] for line in log.strip().splitlines()[-_LAST_LINES:]]
    return "\n".join(
        (
            command,
            ended,
            *([f"the first error: {first}"] if first else []),
            *(["the last lines:", *last] if last else ["it wrote nothing"]),
        )
    )
