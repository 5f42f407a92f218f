"""Whatever text comes from outside, no terminal and no CI runner obeys what is written, and every line is ours."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler import terminal
from bundler.terminal import (
    Styled,
    annotate,
    indented,
    json_text,
    one_line,
    say,
    say_block,
    say_document,
    say_json,
    warn,
    warn_block,
    warn_group,
)  # fmt: skip
from tests.model.samples import PROPERTY
from tests.modules import ROOT, faults, nodes_of
from tests.screens import GRAPHICS, screen

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


@PROPERTY
@given(st.text(st.characters()))
def test_an_annotation_is_one_command_whatever_it_says(text: str) -> None:
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        annotate(text)
        warn_group(text, [text])
    annotation, opened, *lines, closed = err.getvalue().removesuffix("\n").split("\n")
    assert annotation.startswith("::error title=aiws-bundle::") and opened.startswith("::group::")
    assert closed == "::endgroup::" and [line for line in lines if line.strip().startswith("::")] == []
    assert not obeyed(annotation.removeprefix("::error title=aiws-bundle::").replace("::", ""))
    assert "\r" not in err.getvalue()


def test_an_annotation_is_escaped_as_runners_read_it(capsys: pytest.CaptureFixture[str]) -> None:
    annotate("50 % of it\nfailed: a::b")
    assert capsys.readouterr().err == "::error title=aiws-bundle::50 %25 of it%0Afailed: a::b\n"


def test_results_are_coloured_on_a_terminal() -> None:
    with screen() as shown:
        say(Styled("ok", "good"), "  a  ", Styled("NOT ok", "bad"), "  ", Styled("stale", "caution"))
        say_block(" a finding\nof two lines", lead=Styled("note:", "aside"))
        warn_block(" it failed", lead=Styled("aiws-bundle:", "bad"))
    assert shown.text == (
        "\x1b[32mok\x1b[0m  a  \x1b[31mNOT ok\x1b[0m  \x1b[33mstale\x1b[0m\n"
        "\x1b[2mnote:\x1b[0m a finding\n  of two lines\n"
        "\x1b[31maiws-bundle:\x1b[0m it failed\n"
    )


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}], ids=str)
def test_who_wants_no_colours_gets_none(env: dict[str, str]) -> None:
    with screen(env=env) as shown:
        say(Styled("ok", "good"), "  a")
        say_block(" b", lead=Styled("note:", "aside"))
    assert shown.text == "ok  a\nnote: b\n"


def test_an_empty_no_color_is_none() -> None:
    with screen(env={"NO_COLOR": ""}) as shown:
        say(Styled("ok", "good"))
    assert GRAPHICS.findall(shown.text) == ["\x1b[32m", "\x1b[0m"], "no-color.org: when it is not empty"


def test_a_pipe_gets_no_colours_and_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    long = "word " * 40 + "end"
    say(Styled("ok", "good"), "  a")
    say_block(f" {long}", lead=Styled("note:", "aside"))
    assert capsys.readouterr().out == f"ok  a\nnote: {long}\n"


@PROPERTY
@given(st.lists(st.tuples(st.text(st.characters()), st.booleans())))
def test_no_part_of_a_line_is_obeyed(parts: list[tuple[str, bool]]) -> None:
    line = [Styled(text, "good") if styled else text for text, styled in parts]
    shown = terminal.shown(line, coloured=True)
    for text in (GRAPHICS.sub("", shown), terminal.shown(line, coloured=False), *shown.split("\x1b[32m")):
        assert obeyed(text.removesuffix("\x1b[0m").replace("\x1b[0m", " ")) == []
    assert shown.count("\x1b") == 2 * sum(styled for _, styled in parts)
    assert "\n" not in shown


@pytest.mark.parametrize("coloured", [True, False])
@pytest.mark.parametrize("parts", [["##", "[add-mask]x"], [":", ":add-mask::x"], [" ", ":", ":a"]], ids=str)
def test_parts_that_are_harmless_make_no_command(parts: list[str], coloured: bool) -> None:
    assert obeyed(terminal.shown(parts, coloured=coloured)) == []


DIGEST = "3f" * 32


def test_messages_are_wrapped_on_a_terminal_and_stay_in_one_piece_where_they_are_copied() -> None:
    command = "`aiws-bundle lock debian-11-amd64 debian-11-arm64 debian-12-amd64 debian-12-arm64 ubuntu-22.04-arm64`"
    text = f" {'word ' * 30}\n  expected {DIGEST}\n  - {'finding ' * 12}\nrun {command}, then build"
    with screen(80) as shown:
        warn_block(text, lead=Styled("aiws-bundle:", "bad"))
        say_block(f"ok      /tmp/a-b-c: {'wheel ' * 12}close", " " * 8)
    assert [line for line in shown.lines if line] == [
        "aiws-bundle: " + "word " * 12 + "word",
        "  " + "word " * 14 + "word",
        "  word word",
        f"  expected {DIGEST}",
        "  - " + "finding " * 8 + "finding",
        "    finding finding finding",
        "  run",
        f"    {command},",
        "    then build",
        "ok      /tmp/a-b-c: " + "wheel " * 9 + "wheel",
        "        wheel wheel close",
    ]


@pytest.mark.parametrize("columns", range(10, 40))
def test_no_piece_of_a_wrapped_line_is_obeyed(columns: int) -> None:
    with screen(columns) as shown:
        warn_block("a word ::add-mask::x and ##[add-mask]y\n  - more ::add-mask::x words ##[add-mask]y " * 2)
    assert obeyed(shown.text) == []


def test_what_fits_is_not_wrapped() -> None:
    with screen(80) as shown:
        say_block("x" * 39 + " " + "y" * 40)
    assert shown.text == "x" * 39 + " " + "y" * 40 + "\n"


def test_a_terminal_that_does_not_tell_its_size_gets_whole_lines() -> None:
    with screen(0) as shown:
        say_block("word " * 40)
    assert shown.text == "word " * 40 + "\n"


def writers(path: Path) -> list[str]:
    """Everything in a module that could write to a terminal."""
    found = []
    for node in nodes_of(path):
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
    "progress.py": {"sys.stderr"},
    "live.py": {"sys.stderr", "self._bars.console.print"},
    "jail_fork.py": {"sys.stdout", "sys.stderr", "sys.stdin"},
    "make_wheel.py": {"sys.stderr", "print"},
    "install.py": {"print"},
    "install_share.py": {"print"},
    "probe.py": {"print"},
    "apply_delta.py": {"print", "print(file=sys.stderr)", "sys.stderr"},
    "__main__.py": {"sys.stdout", "sys.stderr"},
    "__init__.py": {"sys.stdout", "sys.stderr"},
    "output.py": {"sys.stdout"},
    "closing.py": {"sys.stdout"},
    "audit.py": {"sys.stdout"},
    "verify.py": {"sys.stdout"},
}


def test_one_module_writes() -> None:
    assert faults(lambda path: set(writers(path)) - ELSEWHERE.get(path.name, set())) == {}


@pytest.mark.parametrize("name", ["__init__.py", "audit.py", "closing.py", "output.py", "verify.py"])
def test_commands_only_flush_the_streams(name: str) -> None:
    text = (ROOT / "cli" / name).read_text(encoding="utf-8")
    assert len(re.findall(r"sys\.std(out|err)\.flush\(\)", text)) == len(re.findall(r"sys\.std(out|err)", text))


def test_the_writers_are_these() -> None:
    text = Path(terminal.__file__).read_text(encoding="utf-8")
    assert text.count(".write(") == 1
