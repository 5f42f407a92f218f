"""What a shell asks at a TAB press: words that fit, at once, from what is at hand. Nothing here asks a network.

click completes; the command line is read from its description, so that no command is imported. Whatever goes wrong,
the answer is empty: a line that somebody types is no place for errors.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

import click
from click.shell_completion import BashComplete, CompletionItem, ShellComplete, get_completion_class, split_arg_string

from bundler.adapters.regular import read_regular
from bundler.cli.completers import COMPLETERS
from bundler.cli.described import FILE, PROGRAM, Described, Param
from bundler.terminal import one_line, say_document

VARIABLE = "_AIWS_BUNDLE_COMPLETE"
SHELLS = ("bash", "zsh", "fish")
_LARGEST = 1 << 20

# bash cuts words at `@`, `:` and `=` too (COMP_WORDBREAKS) and replaces what is behind the last cut only. Here the line
# itself is asked about, and what bash leaves standing is taken from each answer. Else it is click's own script.
_BASH = r"""%(complete_func)s() {
    local IFS=$'\n' line="${COMP_LINE:0:COMP_POINT}" kept="" word cut part completion type value
    word="${line##*[[:space:]]}"
    for cut in @ : =; do
        [[ $COMP_WORDBREAKS == *"$cut"* ]] || continue
        part="${word%%"${word##*"$cut"}"}"
        [[ ${#part} -gt ${#kept} ]] && kept="$part"
    done
    COMPREPLY=()
    for completion in $(env COMP_WORDS="$line" COMP_CWORD="$word" %(complete_var)s=bash_complete "$1" 2>/dev/null); do
        IFS=',' read -r type value <<< "$completion"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("${value#"$kept"}") ;;
        esac
    done
    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class Bash(BashComplete):
    """click's completion for bash (4.4 or later) with words as people see them."""

    source_template = _BASH

    def source(self) -> str:
        """The script, without starting a bash to ask for its version."""
        return ShellComplete.source(self)

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is typed, and that one."""
        words = split_arg_string(os.environ.get("COMP_WORDS", ""))
        typed = split_arg_string(os.environ.get("COMP_CWORD", ""))
        incomplete = typed[0] if typed else ""
        return words[1:-1] if incomplete and words and words[-1] == incomplete else words[1:], incomplete


def script(shell: str) -> str:
    """The script that makes `shell` complete this program's words."""
    return _of(shell)(click.Group(), {}, PROGRAM, VARIABLE).source()


def answer(instruction: str) -> int:
    """Print what fits, as the script that asks (`bash_complete`) reads it. Nothing is an error."""
    with suppress(Exception):
        shell, _, asked = instruction.partition("_")
        if shell in SHELLS and asked == "complete":
            found = _of(shell)(command_line(), {}, PROGRAM, VARIABLE).complete()
            if found:
                say_document(found)
    return 0


def _of(shell: str) -> type[ShellComplete]:
    if shell == "bash":
        return Bash
    found = get_completion_class(shell)
    assert found  # noqa: S101 - one of SHELLS, all of which click has
    return found


def command_line() -> click.Command:
    """Every command with its options, of their description: they complete, and do nothing."""
    told: Described = json.loads(read_regular(FILE, _LARGEST))
    shared = [one for one in told["params"] if one.get("flag")]
    return _command(PROGRAM, told, shared, told.get("platforms", []))


def _command(name: str, told: Described, shared: list[Param], platforms: list[str]) -> click.Command:
    more = [] if name == PROGRAM else [one for one in shared if one.get("opts") != ["--version"]]
    known = {opt for one in told["params"] for opt in one.get("opts", [])}
    params = [*told["params"], *(one for one in more if known.isdisjoint(one.get("opts", [])))]
    made = [_param(number, one, platforms) for number, one in enumerate(params)]
    if below := told.get("commands"):
        commands = {word: _command(word, one, shared, platforms) for word, one in below.items()}
        return click.Group(name, commands, params=made, help=told["help"], add_help_option=False)
    return click.Command(name, params=made, help=told["help"], add_help_option=False)


def _param(number: int, told: Param, platforms: list[str]) -> click.Parameter:
    complete = partial(_complete, told, platforms)
    many = told.get("many", False)
    if not (opts := told.get("opts")):
        return click.Argument([f"argument{number}"], nargs=-1 if many else 1, required=False, shell_complete=complete)
    name = f"option{number}" if "--manifests" not in opts else "manifests"
    if told.get("flag"):
        return click.Option([*opts, name], is_flag=True, multiple=False, help=told.get("help"))
    return click.Option([*opts, name], multiple=many, help=told.get("help"), shell_complete=complete)


def _complete(
    told: Param, platforms: list[str], ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """What fits in the place of a parameter."""
    if takes := {"file": "file", "folder": "dir"}.get(told["takes"]):
        return [CompletionItem(incomplete, type=takes)]
    found: Iterable[str] = told.get("choices", ())
    if find := COMPLETERS.get(told["takes"]):
        found = find(ctx.find_root().params.get("manifests"), platforms)
    given = {str(one) for one in ctx.params.get(param.name or "") or ()} if told.get("many") else set()
    words = [one for one in found if one.startswith(incomplete) and one not in given and _shown(one)]
    if told["takes"] == "subject" and (not incomplete or not words):
        return [CompletionItem(incomplete, type="file")]
    return [CompletionItem(one) for one in words]


def _shown(word: str) -> bool:
    """Say whether a word means the same to every shell, and stands in one line."""
    return word == one_line(word) and not set(word) & set(" \t,'\"\\$`;&|<>(){}[]*?!~#")
