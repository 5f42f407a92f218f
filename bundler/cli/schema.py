"""`aiws-bundle schema`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

import click

from bundler.cli import Options
from bundler.cli.output import print_document
from bundler.errors import UsageError
from bundler.terminal import say, say_document

_SUFFIX = ".schema.json"
# Documents that commands print are named as their folder is: `targets` is a manifest, `output/targets` a document.
_OUTPUT = "output"


@click.command("schema")
@click.argument("name", metavar="[SCHEMA]", required=False)
@click.pass_obj
def command(options: Options, name: str | None) -> int:
    """Print the JSON Schema of a manifest or of what a command prints; without SCHEMA, the names of all.

    SCHEMA is a kind of manifest (wheelhouse, targets …), the name of a manifest here, or output/COMMAND.
    """
    found = _schemas()
    if name is None and options.json:
        print_document({"schemas": list(found)})
    elif name is None:
        for one in found:
            say(one)
    else:
        say_document(found[_meant(options, name, found)].read_text(encoding="utf-8"))
    return 0


def _schemas() -> Mapping[str, Traversable]:
    """The schemas of this package by name: manifests' first."""
    folder = files("bundler") / "schemas"
    return {**_in(folder, ""), **_in(folder / _OUTPUT, f"{_OUTPUT}/")}


def _in(folder: Traversable, before: str) -> Mapping[str, Traversable]:
    if not folder.is_dir():
        return {}
    named = {f"{before}{one.name.removesuffix(_SUFFIX)}": one for one in folder.iterdir() if one.name.endswith(_SUFFIX)}
    return dict(sorted(named.items()))


def _meant(options: Options, name: str, found: Mapping[str, Traversable]) -> str:
    """The schema that a name means: its own, that of the manifest so called, or of the command's document.

    Raises UsageError for a name that means none, ManifestError.
    """
    stem = name.removesuffix(".yaml").removesuffix(_SUFFIX)
    for one in (stem, _of_manifest(options, stem) if stem not in found else "", f"{_OUTPUT}/{stem}"):
        if one in found:
            return one
    from difflib import get_close_matches

    near = get_close_matches(stem, found, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(found)}"
    raise UsageError(f"unknown schema {name!r}", hint)


def _of_manifest(options: Options, stem: str) -> str:
    """The schema of the manifest of that name here; "" if there is none."""
    from bundler.kinds import KINDS
    from bundler.kinds.manifests import manifests_at_hand

    for kind in KINDS:
        if stem in kind.NAMES:
            return kind.NAMES[0]
    manifests = manifests_at_hand(options.session())
    return manifests.kinds[stem].NAMES[0] if manifests and stem in manifests.kinds else ""
