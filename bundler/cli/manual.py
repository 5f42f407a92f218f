"""What follows from the command line's own help; `python -m bundler.cli.manual` writes it anew.

The manual page aiws-bundle(1), in the language of man(7), and the description that shells complete with. Neither has a
date: they change when the help does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap

import click

from bundler.cli import cli
from bundler.cli.described import FILE, PROGRAM, all_below, described
from bundler.platforms import NAMES

PAGE = Path(__file__).parents[2] / "docs" / "aiws-bundle.1"
_WIDTH = 70
# What roff obeys, or shows as another character.
_NAMES = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq"}

_EXIT = {
    "0": "Done.",
    "1": "The work failed: wheels that do not close, a full disk, a folder that cannot be written.",
    "2": "Wrong usage, manifest or lock; what was named is not here, a target was not built, no token.",
    "3": "Integrity: a digest, size, file list or signature disagrees.",
    "4": "Something could not be reached over a network, or is not in the store with --offline.",
    "129": "Interrupted: its terminal was closed (SIGHUP).",
    "130": "Interrupted by Ctrl-C (SIGINT).",
    "143": "Interrupted by SIGTERM.",
}
_ENVIRONMENT = {
    "AIWS_CACHE_DIR": "Folder of downloaded files, as --cache-dir.",
    "AIWS_MIRRORS": "FROM=TO with spaces between them: fetch addresses that start with FROM from TO, as --mirror.",
    "AIWS_APT_MIRRORS": "NAME=ADDRESS with spaces between them: where packages of a distribution are to be had.",
    "AIWS_SIGNING_KEY, AIWS_SIGNING_KEY_FILE, AIWS_SIGNING_KEY_FD": (
        "The private key to sign with: itself, the file or the descriptor that holds it."
    ),
    "AIWS_SIGNING_PASSWORD, AIWS_SIGNING_PASSWORD_FD": "Its password, or the descriptor to read it from.",
    "GH_TOKEN, GITHUB_TOKEN": "The token for GitHub; the first that is set.",
    "GITHUB_API_URL": "The REST API of a GitHub Enterprise server.",
    "GITHUB_ACTIONS": "If true: what is told of each target is a group of the log, and errors are annotations.",
    "SOURCE_DATE_EPOCH": "The time of every file in an archive, in seconds since 1970.",
    "NO_COLOR": "If it is not empty, nothing is coloured.",
    "CI": "If it is not empty, progress is plain lines.",
    "TERM": "If it is empty or dumb, progress is plain lines without colours.",
}
_FILES = {
    "manifests/targets.yaml": "The hosts that bundles are for. The nearest manifests/ here or above is taken.",
    "manifests/NAME.yaml": "A component; what it is its kind: says.",
    "manifests/trust.yaml": "Whose signatures count, and what is accepted.",
    "manifests/locks/": "What `lock` wrote: every version, size and SHA-256.",
    "dist/": "Archives with what stands beside them, and their SHA256SUMS.",
    "~/.cache/aiws-bundle": "Downloaded files by SHA-256, unless AIWS_CACHE_DIR or XDG_CACHE_HOME says otherwise.",
}
_EXAMPLES = {
    "aiws-bundle build debian-12-amd64": "Build one archive from the committed locks.",
    "aiws-bundle verify dist": "Prove that a folder of archives is whole.",
    "aiws-bundle lock --check": "Tell which locks do not fit the manifests.",
    "aiws-bundle --json targets": "Print what each target needs as JSON.",
}


def page() -> str:
    """The manual page, in the language of man(7)."""
    ctx = top()
    lines = [
        '.\\" Written by `python -m bundler.cli.manual` from the help of the commands.',
        f'.TH {_roff(PROGRAM.upper())} 1 "" "{_roff(PROGRAM)}" "User Commands"',
        ".SH NAME",
        f"{_roff(PROGRAM)} \\- build offline release bundles",
        ".SH SYNOPSIS",
        f".B {_roff(PROGRAM)}",
        _roff("[OPTIONS] COMMAND [ARGS]..."),
        ".SH DESCRIPTION",
        *_text(cli.help or ""),
        ".SH OPTIONS",
        *_filled("They stand before the command; --json, -q, -v and --no-progress may stand after it too."),
        *_options(ctx),
        ".SH COMMANDS",
    ]
    for one in all_below(ctx):
        lines += _command(one)
    lines += [".SH EXIT STATUS", *_terms(_EXIT), ".SH ENVIRONMENT", *_terms(_ENVIRONMENT)]
    lines += [".SH FILES", *_terms(_FILES), ".SH EXAMPLES", *_terms(_EXAMPLES)]
    lines += [".SH SEE ALSO", ".BR minisign (1),", ".BR ssh\\-keygen (1),", ".BR sha256sum (1)"]
    return "\n".join(lines) + "\n"


def description() -> str:
    """The description that shells complete with, as JSON."""
    told = described(top())
    told["platforms"] = list(NAMES)
    return json.dumps(told, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def top() -> click.Context:
    """The command line itself, from which `described.all_below` leads to its commands."""
    return click.Context(cli, info_name=PROGRAM, help_option_names=cli.context_settings["help_option_names"])


def _command(ctx: click.Context) -> Iterator[str]:
    command = ctx.command
    yield f".SS {_roff(ctx.command_path)} {_roff(' '.join(command.collect_usage_pieces(ctx)))}"
    yield from _text(command.help or "")
    if command.epilog:
        yield from (".PP", *_text(command.epilog))
    yield from _options(ctx)


def _options(ctx: click.Context) -> Iterator[str]:
    options = [one for one in ctx.command.get_params(ctx) if isinstance(one, click.Option) and "--help" not in one.opts]
    told = (option.get_help_record(ctx) for option in options)
    yield from _terms(dict(record for record in told if record))


def _terms(pairs: Mapping[str, str]) -> Iterator[str]:
    for term, text in pairs.items():
        yield from (".TP", f".B {_roff(term)}", *_filled(text))


def _text(text: str) -> Iterator[str]:
    """A help text's paragraphs; one that begins with \\b keeps its lines, as click has it."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        lines = [line.strip() for line in paragraph.replace("\f", "").strip("\n").split("\n")]
        if number:
            yield ".PP"
        if lines[0] == "\b":
            yield from (".nf", *(_roff(line.rstrip()) for line in lines[1:]), ".fi")
        else:
            yield from _filled(" ".join(lines))


def _filled(text: str) -> Iterator[str]:
    """Text as short lines, which a change of it leaves as they are as far as may be."""
    yield from map(_roff, wrap(text, _WIDTH, break_on_hyphens=False, break_long_words=False))


def _roff(text: str) -> str:
    """Text as it stands, of which roff obeys nothing (groff_man_style(7), Portability)."""
    shown = "".join(_NAMES.get(char, char if char.isascii() else f"\\[u{ord(char):04X}]") for char in text)
    return f"\\&{shown}" if shown[:1] == "." else shown


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    FILE.write_text(description(), encoding="utf-8")
