"""`targets.yaml` as text: a new one, and one that stands already with more hosts, its comments kept."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from bundler.errors import UsageError
from bundler.model.target import Target
from bundler.platforms import platform_for

_HEAD = """\
# The hosts that bundles are for, and what each release ships: its glibc, its own Python with the patch version (what
# is locked for one holds for all later ones), its OpenSSL. One more host is one more line.
"""


def new_text(targets: Sequence[Target]) -> str:
    """The text of a file that lists the releases of `targets`, each for its architectures."""
    arches = tuple(dict.fromkeys(target.arch for target in targets))
    lines = [f"{_HEAD}distros:"]
    for distro in dict.fromkeys(target.distro for target in targets):
        own = {one.version: _line(one, targets, arches) for one in targets if one.distro == distro}
        lines += [f"  {distro}:", *(f"    {line}" for line in own.values())]
    return "\n".join((*lines, f"arches: [{', '.join(arches)}]", ""))


def extended_text(text: str, known: Sequence[Target], wanted: Sequence[Target]) -> str:
    """`text`, which lists the targets `known`, with the releases of `wanted` that it does not list.

    Raises UsageError if a person has to do it: one more architecture of a release that is listed, and a file can be
    written in more ways than are understood here.
    """
    names, arches = {target.name for target in known}, yaml.safe_load(text)["arches"]
    listed = {(target.distro, target.version) for target in known}
    new = [target for target in wanted if (target.distro, target.version) not in listed]
    if other := next((one for one in wanted if one not in new and one.name not in names), None):
        hint = f"add {other.arch} to its `arches:` (for all components that have no `targets:`), then run again"
        raise UsageError(f"targets.yaml is for {', '.join(arches)}, not for {other.name}", hint)
    for target in {(target.distro, target.version): target for target in new}.values():
        text = _extended(text, target, _line(target, new, arches))
    return text


def _extended(text: str, target: Target, line: str) -> str:
    distros = _value(yaml.compose(text, Loader=yaml.SafeLoader), "distros")
    own = _value(distros, target.distro)
    lines = text.splitlines()
    if own is not None and own.value and not own.flow_style:
        key, last = own.value[-1]
        lines.insert(_last_line(last) + 1, " " * key.start_mark.column + line)
    elif own is None and distros is not None and distros.value and not distros.flow_style:
        key, last = distros.value[-1]
        indent = " " * key.start_mark.column
        lines[_last_line(last) + 1 : _last_line(last) + 1] = [f"{indent}{target.distro}:", f"{indent}  {line}"]
    else:
        hint = f"add below `{target.distro}:` the line {line}, then run again"
        raise UsageError(
            f"targets.yaml does not list {target.distro} {target.version}, and is written in another way", hint
        )
    return "\n".join((*lines, ""))


def _value(node: yaml.Node | None, key: str) -> yaml.MappingNode | None:
    """The mapping that stands below a key of a mapping; None if there is none."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    found = next((value for name, value in pairs if name.value == key), None)
    return found if isinstance(found, yaml.MappingNode) else None


def _last_line(node: yaml.Node) -> int:
    """The line (from 0) in which a value ends, without the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.line)


def _line(target: Target, targets: Sequence[Target], arches: Sequence[str]) -> str:
    """A release as a line of the file, with the architectures that `targets` have it for if they are not `arches`."""
    platform = platform_for(target.distro)
    words = [
        f'{platform.FLOOR_KEY}: "{platform.floor_version(target.floor)}"',
        f"python: {target.system_python or 'portable'}",
    ]
    words += [f"openssl: {target.openssl}"] if target.openssl else []
    own = [one.arch for one in targets if (one.distro, one.version) == (target.distro, target.version)]
    words += [f"arches: [{', '.join(own)}]"] if set(own) != set(arches) else []
    return f'"{target.version}": {{{", ".join(words)}}}'
