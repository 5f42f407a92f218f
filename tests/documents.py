"""The documents that people read, and the blocks and commands in them."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Written by docs/reference.py from the program itself.
GENERATED = ("docs/commands.md", "docs/manifest-keys.md", "docs/json-documents.md")
TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
PAGES = (*TOP, *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")))
WRITTEN = tuple(page for page in PAGES if page not in GENERATED)

_BLOCK = re.compile(
    r"^```(?P<language>[^\n]*)\n(?P<fenced>.*?)^```$|(?<=\n\n)(?P<indented>(?:    [^\n]*\n|\n(?=    ))+)",
    re.MULTILINE | re.DOTALL,
)
# What a line of a shell block begins with; else an indented block is something else: a file, a list.
_PROGRAMS = re.compile(
    r"^([A-Z_]+=\S* )*(\(|aiws-bundle|python3?|\.venv/bin/\w+|sh|sudo|tar|gh|git|mmdebstrap|sha256sum|minisign|pip)\b"
)


@dataclass(frozen=True)
class Block:
    """A block of a page that is shown as it is written; `language` is empty where it is indented."""

    page: str
    language: str
    text: str

    @property
    def name(self) -> str:
        """Its page and its first line, which tell it from every other block."""
        return f"{self.page}: {self.text.strip().splitlines()[0]}"

    @property
    def is_shell(self) -> bool:
        """Whether people are to type it."""
        return self.language == "sh" or (not self.language and bool(_PROGRAMS.match(self.text)))

    def lines(self) -> Iterator[str]:
        """Its lines; those that end with a backslash together with the next one."""
        yield from (line.strip() for line in self.text.replace("\\\n", " ").splitlines() if line.strip())


@cache
def text_of(page: str) -> str:
    """What stands in a page."""
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def blocks(page: str) -> tuple[Block, ...]:
    """Every block of a page, in order."""
    found = []
    for one in _BLOCK.finditer(text_of(page)):
        text = one["fenced"] if one["fenced"] is not None else textwrap.dedent(one["indented"])
        found.append(Block(page, (one["language"] or "").strip(), text))
    return tuple(found)


def shown(page: str) -> list[list[str]]:
    """The words of every `aiws-bundle …` that a page shows, in shell blocks, lists of commands and code spans."""
    lines = [line for block in blocks(page) if block.is_shell for line in block.lines()]
    prose = _BLOCK.sub("", text_of(page))
    lines += re.findall(r"`(aiws-bundle [^`]+)`", " ".join(prose.split("\n")))
    return [words for line in lines for words in _calls(line)]


def _calls(line: str) -> Iterator[list[str]]:
    for call in re.split(r" && |; |\|(?= )", line):
        found = re.search(r"(?:^|[\s/(])(aiws-bundle .*)", call)
        if found:
            # In lists of commands what a command does stands two blanks after it.
            told = re.split(r" {2,}", found[1])[0]
            yield shlex.split(told, comments=True)[1:]
