"""Whatever text comes from outside, no terminal and no CI runner obeys what is written, and every line is ours."""

from __future__ import annotations

import ast
import io
import json
import re
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bundler
from bundler import terminal
from bundler.terminal import indented, json_text, one_line, say, say_block, say_document, say_json, warn, warn_block
from tests.model.samples import PROPERTY

ROOT = Path(bundler.__file__).parent
# Escape sequences, 8-bit controls, BEL, CR, backspace, DEL, directions, invisible ones, separators, tags, surrogates.
HOSTILE = [
    "\x1b[2J", "\x1b]0;title\x07", "\x1bc", "\x9b31m", "\x9d8;;http://x\x9c", "\x90q\x9c", "\x07", "\r", "\b", "\x7f",
    "\0", "\x0e", "\x85", "\u202e", "\u202d", "\u2066", "\u2067", "\u2069", "\u200e", "\u061c", "\u200b", "\u200d",
    "\u2060", "\ufeff", "\u00ad", "\u034f", "\u3164", "\ufe0f", "\u2028", "\u2029", "\U000e0041", "\U000e0101",
    "\udc9b", "\udcff", "\ud800", "\ue000", "\x0b", "\x0c", "\x1c", "\t",
]  # fmt: skip


def obeyed(text: str) -> list[str]:
    """What of a text a terminal could obey or a reader not see, and lines that a CI runner obeys."""
    odd = [char for char in text if char != "\n" and (not char.isprintable() or unicodedata.category(char)[0] == "C")]
    invisible = [
        char
        for char in text
        if re.match("[\u034f\u115f\u1160\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]", char)
    ]
    commands = [line for line in text.splitlines() if line.strip().startswith("::") or "##[" in line]
    return [*odd, *invisible, *commands]


@pytest.mark.parametrize(
    "hostile", [*HOSTILE, "::set-output name=a::b", " \t::add-mask::x", "##[add-mask]x"], ids=ascii
)
def test_nothing_is_obeyed(hostile: str) -> None:
    for text in (hostile, f"a{hostile}b", f"a\n{hostile}\nb"):
        assert obeyed(one_line(text)) == []
        assert "\n" not in one_line(text)
        assert obeyed(indented(text)) == []
        assert all(line.startswith("  ") for line in indented(text).split("\n")[1:])
        assert obeyed(json_text({"a": text})) == []
        assert json.loads(json_text({"a": text})) == {"a": text}
        assert json.loads(json_text({"a": text}, ascii_only=True)) == {"a": text}


@PROPERTY
@given(st.text(st.characters()), st.booleans())
def test_any_text_is_shown_in_one_line_and_json_says_the_same(text: str, ascii_only: bool) -> None:
    assert obeyed(one_line(text)) == []
    assert "\n" not in one_line(text)
    assert one_line(one_line(text)) == one_line(text)
    shown = json_text([text, {text: 1}], ascii_only=ascii_only)
    assert obeyed(shown) == []
    assert json.loads(shown) == [text, {text: 1}]


@pytest.mark.parametrize("text", ["", "litellm[proxy]==1.89.0", "a::b", "# [x]", "Größe 5 µm – 日本語 🙂", "a  b "])
def test_plain_text_stays(text: str) -> None:
    assert one_line(text) == text
    assert json_text(text) == json.dumps(text, ensure_ascii=False)


def test_lines_after_the_first_are_indented() -> None:
    assert indented("a\nb\n  - c\n\n    d") == "a\n  b\n  - c\n\n    d"
    assert indented("  - a\n  - forged\nok  x", "    ") == "  - a\n      - forged\n    ok  x"


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", r"\xe9\u65e5"), ("latin-1", r"é\u65e5"), ("utf-8", "é日")])
def test_an_output_that_cannot_hold_a_character_is_no_error(
    monkeypatch: pytest.MonkeyPatch, encoding: str, shown: str
) -> None:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    say("é日")
    say_block("é日")
    say_document("é日\n")
    say_json({"a": "é日"})
    warn("é日")
    warn_block("é日\udcff")
    for stream in (out, err):
        stream.flush()
    written = out.buffer.getvalue().decode(encoding)
    assert written.startswith(f"{shown}\n" * 3)
    assert json.loads(written.partition("{")[2].join(("{", ""))) == {"a": "é日"}
    assert err.buffer.getvalue().decode(encoding).startswith(f"{shown}\n{shown}")


def writers(path: Path) -> list[str]:
    """Everything in a module that could write to a terminal."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            streams = [ast.unparse(word.value) for word in node.keywords if word.arg == "file"]
            if name == "print" or re.search(r"(^|\.)(print|echo|secho|print_exc\w*|print_stack|print_json)$", name):
                found.append(name)
            found += [f"{name}(file={stream})" for stream in streams]
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.stdout", "sys.stderr", "sys.__stdout__"):
            found.append(ast.unparse(node))
    return found


# Programs of their own, whose output the tool reads; and what decides about bars, or draws them.
ELSEWHERE = {
    "terminal.py": {"sys.stdout", "sys.stderr"},
    "progress.py": {"sys.stderr", "self._bars.console.print"},
    "jail_fork.py": {"sys.stdout", "sys.stderr", "sys.stdin"},
    "make_wheel.py": {"sys.stderr", "print"},
    "__main__.py": {"sys.stdout", "sys.stderr"},
    "__init__.py": {"sys.stdout", "sys.stderr"},
    "build.py": {"sys.stdout"},
    "verify.py": {"sys.stdout"},
}


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_one_module_writes(path: Path) -> None:
    assert set(writers(path)) <= ELSEWHERE.get(path.name, set())


@pytest.mark.parametrize("name", ["__init__.py", "build.py", "verify.py"])
def test_commands_only_flush_the_streams(name: str) -> None:
    text = (ROOT / "cli" / name).read_text(encoding="utf-8")
    assert len(re.findall(r"sys\.std(out|err)\.flush\(\)", text)) == len(re.findall(r"sys\.std(out|err)", text))


def test_the_writers_are_these() -> None:
    text = Path(terminal.__file__).read_text(encoding="utf-8")
    assert text.count(".write(") == 1
