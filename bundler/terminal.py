"""The only place that writes to standard output and standard error.

Names, messages and program output come from servers, archives and command lines. Nothing that is written here is obeyed
by a terminal (escape sequences, ECMA-48), reorders or hides text (Unicode's bidirectional and invisible characters), or
is a workflow command to a CI runner (`::name::`, `##[name]`) but for our own groups and annotations. One line stays
one line, so no text can fake another.

Colours, and messages wrapped to the screen, are for terminals; pipes and files get whole lines of plain text.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TextIO, TypeAlias

Style: TypeAlias = Literal["good", "bad", "caution", "aside"]
# Select Graphic Rendition (ECMA-48, 8.3.117): green, red, yellow, faint.
_RENDITIONS: Mapping[Style, str] = {"good": "32", "bad": "31", "caution": "33", "aside": "2"}


@dataclass(frozen=True)
class Styled:
    """Text that is told apart at a glance where there are colours."""

    text: str
    style: Style


Part: TypeAlias = str | Styled
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
    return _disarmed(text)


def _disarmed(line: str) -> str:
    """A line that is no command to a CI runner."""
    return _LINE_COMMAND.sub(r"\1 ", line.replace(_COMMAND, "## ["))


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


def plain(part: Part) -> str:
    """A part of a line without its colour, fit to be shown."""
    return one_line(part.text if isinstance(part, Styled) else part)


def shown(parts: Sequence[Part], *, coloured: bool) -> str:
    """One line made of its parts, which nobody obeys but for our own colours."""
    texts = (
        f"\x1b[{_RENDITIONS[part.style]}m{plain(part)}\x1b[0m" if coloured and isinstance(part, Styled) else plain(part)
        for part in parts
    )
    return _disarmed("".join(texts))


def obeys(stream: TextIO) -> bool:
    """Say whether a stream is a terminal that can do more than print (terminfo(5))."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def draws() -> bool:
    """Say whether standard error is a terminal on which progress may be drawn; CI's only look like one."""
    return obeys(sys.stderr) and not os.environ.get("CI")


def columns() -> int | None:
    """How wide the terminal is that standard output is; None if it is none, or does not tell."""
    return _columns(sys.stdout)


def say(*parts: Part) -> None:
    """Write one line to standard output."""
    _write(sys.stdout, shown(parts, coloured=_coloured(sys.stdout)))


def say_long(text: str, by: str = "  ", lead: Styled | None = None) -> None:
    """Write `lead` and `text` as one line to standard output, which a terminal shows as several if it is too long."""
    _write_block(sys.stdout, one_line(text), by, lead)


def say_block(text: str, by: str = "  ", lead: Styled | None = None) -> None:
    """Write several lines to standard output, as `indented` makes them of `lead` and `text`."""
    _write_block(sys.stdout, text, by, lead)


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


def warn_block(text: str, lead: Styled | None = None) -> None:
    """Write several lines to standard error, as `indented` makes them of `lead` and `text`."""
    _write_block(sys.stderr, text, "  ", lead)


def on_github() -> bool:
    """Say whether a GitHub runner reads what is written (docs.github.com, "Variables reference")."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def warn_group(title: str, lines: Sequence[str]) -> None:
    """Write lines to standard error as a group of a GitHub runner's log."""
    _write(sys.stderr, "\n".join((f"::group::{_data(title)}", *map(one_line, lines), "::endgroup::")))


def annotate(text: str) -> None:
    """Write an error to standard error as a GitHub runner shows it beside a run, with all its lines."""
    _write(sys.stderr, f"::error title=aiws-bundle::{_data(text)}")


def _data(text: str) -> str:
    """Text as the data of a workflow command, in which it can be no other (actions/toolkit, command.ts: escapeData)."""
    shown = "\n".join(map(one_line, text.split("\n")))
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def show_cursor() -> None:
    """Show a terminal's cursor again (DECTCEM), whatever hid it."""
    if obeys(sys.stderr):
        _write(sys.stderr, "\x1b[?25h", end="")


def _write_block(stream: TextIO, text: str, by: str, lead: Styled | None) -> None:
    """Write lines, those that are too long for a terminal as several, each further to the right than its first."""
    lines = indented(f"{lead.text if lead else ''}{text}", by).split("\n")
    if width := _columns(stream):
        lines = [piece for line in lines for piece in _wrapped(line, width, by)]
    if lead and lines[0].startswith(lead.text):
        lines[0] = shown((lead, lines[0].removeprefix(lead.text)), coloured=_coloured(stream))
    _write(stream, "\n".join(lines))


def _wrapped(line: str, width: int, by: str) -> list[str]:
    """A line cut at spaces, but for those within backticks: what is to be copied stays in one piece.

    Each piece begins a line, and behind a terminal may be a CI runner (`docker run -t`).
    """
    if len(line) <= width:
        return [line]
    from textwrap import wrap

    whole = re.sub("`[^`]*`", lambda match: match.group().replace(" ", "\0"), line)
    indent = " " * max(len(by), len(line) - len(line.lstrip(" ")) + 2)
    pieces = wrap(whole, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return [one_line(piece.replace("\0", " ")) for piece in pieces] or [line]


def _coloured(stream: TextIO) -> bool:
    """Say whether a stream shows colours, and nobody asked for none (no-color.org)."""
    return obeys(stream) and not os.environ.get("NO_COLOR")


def _columns(stream: TextIO) -> int | None:
    with suppress(OSError, ValueError):  # no terminal after all, or closed
        if stream.isatty():
            return os.get_terminal_size(stream.fileno()).columns or None
    return None


def _write(stream: TextIO, text: str, end: str = "\n") -> None:
    stream.write(f"{encodable(text, stream)}{end}")
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
