"""The manifest of a wheelhouse that is begun, with comments for whoever goes on with it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import yaml

from bundler.kinds.wheelhouse.request import CONSUMERS_PIP


@dataclass(frozen=True)
class Choices:
    """What a manifest is to say.

    `module` is imported to show that a library is there, which has no program of its own. `serve` are the arguments of
    a program that serves HTTP, `ready` is where it answers then; without them it ends. `portable` are the targets that
    need a portable Python, and why; `targets` are the words for those that it is for, none if it is for all.
    """

    component: str
    repository: str
    requirement: str
    program: str
    module: str = ""
    serve: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()
    portable: Mapping[str, str] = field(default_factory=dict)
    targets: tuple[str, ...] = ()


def manifest_text(choices: Choices) -> str:
    """The text of the manifest."""
    return f"""\
# {choices.component}, with all that it needs, for hosts without a network: one archive a host.
# `aiws-bundle check` finds mistakes here; after a change, `aiws-bundle lock` and `aiws-bundle build`.
kind: wheelhouse
component: {_word(choices.component)}
# Where its archives are released (OWNER/REPO on GitHub); `publish` asks for it.
repository: {_word(choices.repository)}
asset: {choices.component}-runtime-{{distro}}-{{version}}-{{arch}}.tar.gz
# The application, pinned; `aiws-bundle outdated` tells which newer versions close on which host.
requirement: {_word(choices.requirement)}
# What is installed beside it: drivers, plug-ins.
# extra-requirements: [psycopg2-binary]
# What installs it: hosts come with an old pip, or none.
bootstrap: [{CONSUMERS_PIP}]
# Projects whose wheels may bring files that Python runs at every start. setuptools does, and is harmless.
startup-files: [setuptools]
# Variables that it runs with, in a shell and as a service; no secrets.
# environment: {{DEMO_TELEMETRY: "off"}}
{_targets(choices.targets)}{_overrides(choices.portable)}\
# The program that install.sh starts to see that it works (--version, or else --help).
program: {_word(choices.program)}
{_rehearsal(choices)}"""


def _targets(selectors: tuple[str, ...]) -> str:
    words = ", ".join(map(_word, selectors))
    return f"# The hosts of targets.yaml that it is for.\ntargets: [{words}]\n" if words else ""


def _overrides(portable: Mapping[str, str]) -> str:
    if not portable:
        return """\
# What is different on some hosts: another version, or a Python that the archive carries (python.yaml).
# overrides:
#   - {targets: [debian-11], requirement: demo==1.0}
"""
    lines = ["# These hosts' own Python will not do, so their archives carry one (python.yaml).", "overrides:"]
    for name, why in portable.items():
        lines += [f"  # {why}", f"  - {{targets: [{_word(name)}], python: portable}}"]
    return "".join(f"{line}\n" for line in lines)


def _rehearsal(choices: Choices) -> str:
    """How it is tried. What a server is asked, only who knows it can say."""
    if choices.serve:
        return f"""\
# How `aiws-bundle rehearse` tries it: it is started so, and has to answer each of `ready` with 200.
rehearsal:
  start: {_list(choices.serve)}
  ready: {_list(choices.ready)}
  # ask: {{path: /, answer: some text of the answer}}
"""
    words = ["-c", f"import {choices.module}"] if choices.module else ["--help"]
    return f"""\
# How `aiws-bundle rehearse` tries it: each run has to end with exit code 0, and to write `output` if that is said.
# Have it do some of its work: files: {{a.txt: "some text"}}, and "{{folder}}/a.txt" among the arguments.
rehearsal:
  run:
    - arguments: {_list(words)}
# If it serves HTTP, instead of `run:` (or as well):
#   start: [--host, 127.0.0.1, --port, "{{port}}"]
#   ready: [/]
"""


def _list(words: Iterable[str]) -> str:
    return f"[{', '.join(json.dumps(word) for word in words)}]"


def _word(text: str) -> str:
    """A text as YAML, in quotes only where it would be something else without."""
    try:
        plain = yaml.safe_load(f"[{text}]") == [text] and yaml.safe_load(f"a: {text}") == {"a": text}
    except yaml.YAMLError:
        plain = False
    return text if plain else json.dumps(text)
