"""The only place that writes to standard output and standard error.

Names, messages and program output come from servers, archives and command lines. Nothing that is written here is obeyed
by a terminal (escape sequences, ECMA-48), reorders or hides text (Unicode's bidirectional and invisible characters), or
is a workflow command to a CI runner (`::name::`, `##[name]`). One line stays one line, so no text can fake another.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO, TypeAlias

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"

_PLAIN = re.compile(r"[ -~]*")
# Characters that show nothing though Unicode does not count them as format characters (DerivedCoreProperties,
# Default_Ignorable_Code_Point).
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
# A GitHub runner obeys `::` where a line begins, whatever space is before it, and `##[` anywhere in a line.
_LINE_COMMAND, _COMMAND = re.compile(r"^(\s*:)(?=:)"), "##["


def one_line(text: str) -> str:
    """Text as one line that nobody obeys; every character that may not be shown is U+FFFD."""
    if not _PLAIN.fullmatch(text):
        text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
        text = _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", text)
    return _LINE_COMMAND.sub(r"\1 ", text.replace(_COMMAND, "## ["))


def indented(text: str, by: str = "  ") -> str:
    """Text of several lines, those after the first indented, so that none can pass for another message."""
    first, *more = text.split("\n")
    rest = [shown if shown.startswith(by) or not shown else by + shown for shown in map(one_line, more)]
    return "\n".join((one_line(first), *rest))


def json_text(document: Json, *, indent: int | None = 2, ascii_only: bool = False) -> str:
    """A JSON document (RFC 8259) in which all that may not be shown is escaped; what it says is the same."""
    import json  # which the commands that print none, such as `--help`, need not load

    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only).replace(_COMMAND, r"\u0023#[")
    return re.sub(r"[^\n -~]", _escaped, text)


def say(text: str = "") -> None:
    """Write one line to standard output."""
    _write(sys.stdout, one_line(text))


def say_block(text: str, by: str = "  ") -> None:
    """Write several lines to standard output, as `indented` makes them."""
    _write(sys.stdout, indented(text, by))


def say_document(text: str) -> None:
    """Write a text whose lines are all ours (a Markdown page) to standard output."""
    _write(sys.stdout, "\n".join(map(one_line, text.removesuffix("\n").split("\n"))))


def say_json(document: Json, *, indent: int | None = 2) -> None:
    """Write a JSON document to standard output, in ASCII where that is all the output can hold."""
    text = json_text(document, indent=indent)
    _write(
        sys.stdout,
        text if text == encodable(text, sys.stdout) else json_text(document, indent=indent, ascii_only=True),
    )


def warn(text: str = "") -> None:
    """Write one line to standard error."""
    _write(sys.stderr, one_line(text))


def warn_block(text: str) -> None:
    """Write several lines to standard error, as `indented` makes them."""
    _write(sys.stderr, indented(text))


def _write(stream: TextIO, text: str) -> None:
    stream.write(f"{encodable(text, stream)}\n")
    if stream is sys.stderr:
        stream.flush()


def encodable(text: str, stream: TextIO) -> str:
    """Text with `\\xe9` and the like for what the stream's encoding does not have."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _escaped(match: re.Match[str]) -> str:
    import json

    char = match.group()
    return (
        char if char.isprintable() and not _INVISIBLE.match(char) else json.dumps(char)[1:-1].replace("\x7f", r"\u007f")
    )
