"""`aiws-bundle inspect`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bundler.cli import Options
from bundler.cli.html_option import with_html, write_page
from bundler.cli.output import print_document, print_table
from bundler.commands.inspect import inspect, inspect_delta, inspect_set, page_of
from bundler.errors import UsageError
from bundler.kinds.kind import Inspection
from bundler.sizes import size_text
from bundler.terminal import Json, Styled, say, say_block, say_long
from bundler.transfer.applied import is_delta
from bundler.transfer.contents import Contents
from bundler.transfer.form import Delta
from bundler.transfer.opened import is_set

if TYPE_CHECKING:
    from bundler.release.provenance import Explained

_BIGGEST = 10
# What of an archive's materials is told one by one.
_TOLD = ("lock", "manifest", "python", "archive")


@click.command("inspect")
@click.argument("archive", type=click.Path(path_type=Path))
@click.option("--provenance", is_flag=True, help="Show who made it of what and where, as ARCHIVE.intoto.jsonl tells.")
@with_html
@click.option(
    "--advisories",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What the page tells of advisories: a snapshot, or what OSV exports. [default: advisories.json beside it]",
)
@click.pass_obj
def command(options: Options, archive: Path, provenance: bool, html: Path | None, advisories: Path | None) -> int:
    """Show what is inside an archive: packages, versions, sizes, Python, the biggest files.

    Of a set (`bundle-set`) its files are shown, and how many bytes each does not share with others; of a delta what it
    makes, of what file, and where the bytes of that come from. Nothing is judged: `verify` does that. With --provenance
    the statement that stands beside the archive is shown, with what of it could be checked here: whose signature it is,
    and whether it is of this archive.
    """
    if is_set(archive):
        if provenance or html or advisories:
            raise UsageError("of a set only its files are shown", "take an archive out with `emit`")
        return _set(options, archive)
    if is_delta(archive):
        if provenance or html or advisories:
            raise UsageError("of a delta only what it makes is shown", "apply it, and inspect the archive")
        return _delta(options, archive)
    if advisories and not html:
        raise UsageError("--advisories is for the page", "give --html too; `audit` tells of advisories without")
    if provenance and html:
        raise UsageError("--provenance has no page", "leave --html out")
    if provenance:
        return _provenance(options, archive)
    found = inspect(archive)
    if html:
        write_page(html, page_of(options.session(), found, advisories))
    if options.json:
        print_document(_json(found))
    else:
        _show(found)
    return 0


def _set(options: Options, path: Path) -> int:
    """Show a set: its files, and what each has for itself."""
    found = inspect_set(path)
    if options.json:
        files: Json = [
            {"name": one.name, "size": one.size, "sha256": one.sha256, "own": found.own[one.name]}
            for one in found.files
        ]
        print_document({"set": str(path), "size": found.size, "shared": found.shared, "files": files})
        return 0
    unpacked = sum(one.size for one in found.files)
    say(f"{path}: {len(found.files)} files, {size_text(unpacked)}, in {size_text(found.size)}")
    say(f"{size_text(found.shared)} of that are of several files.")
    say()
    rows = [(size_text(one.size), size_text(found.own[one.name]), one.name) for one in found.files]
    print_table([("size", "its own", "file"), *rows], right=(0, 1))
    return 0


def _delta(options: Options, path: Path) -> int:
    """Show a delta: what it makes, of what, and what it carries for that."""
    found = inspect_delta(path)
    if options.json:
        print_document(_delta_json(path, found))
    else:
        _show_delta(path, found)
    return 0


def _show_delta(path: Path, found: Contents) -> None:
    header, new = found.header, found.header.new
    needs = "a shell, dd and sha256sum" if found.plain else "Python 3.9 or later"
    say_long(f"{path}: {size_text(found.size)}; a host needs {needs} to apply it")
    rows = [
        ("makes", f"{new.name}, {size_text(new.size)}"),
        ("", f"SHA-256 {new.sha256}"),
        ("of", f"a file of {size_text(header.old_size)}"),
        ("", f"SHA-256 {header.old_sha256}"),
        ("copied", size_text(found.copied)),
        ("stored", size_text(found.stored)),
    ]
    if isinstance(header, Delta):
        differing, text = size_text(found.differing), size_text(found.text)
        rows += [
            ("text", f"{text}, packed to {size_text(header.text.packed)}"),
            ("differing", f"{differing} copied; the differences are packed to {size_text(header.differences.packed)}"),
            ("deflated", f"{found.deflated} files, anew on the host"),
        ]
    print_table([(f"  {label:<9}", text) for label, text in rows])


def _delta_json(path: Path, found: Contents) -> Mapping[str, Json]:
    header, new = found.header, found.header.new
    packed = (header.text.packed, header.differences.packed) if isinstance(header, Delta) else (0, 0)
    return {
        "delta": str(path),
        "size": found.size,
        "plain": found.plain,
        "old": {"size": header.old_size, "sha256": header.old_sha256},
        "new": {"name": new.name, "size": new.size, "sha256": new.sha256},
        "copied": found.copied,
        "stored": found.stored,
        "text": found.text,
        "differing": found.differing,
        "deflated": found.deflated,
        "packed": {"text": packed[0], "differences": packed[1]},
    }


def _biggest(found: Inspection) -> list[tuple[str, int]]:
    return sorted(found.files.items(), key=lambda pair: -pair[1])[:_BIGGEST]


def _show(found: Inspection) -> None:
    say(f"{found.path}: {size_text(found.path.stat().st_size)}")
    print_table([(f"  {label:<12}", text) for label, text in found.lines])
    say()
    say(f"The {min(_BIGGEST, len(found.files))} biggest of {len(found.files)} files:")
    print_table([(size_text(size), path) for path, size in _biggest(found)], right=(0,))
    if found.packages:
        say()
        say(f"{len(found.packages)} packages, {size_text(sum(size for _, _, size in found.packages))}:")
        print_table([(name, version, size_text(size)) for name, version, size in found.packages], right=(2,))


def _json(found: Inspection) -> Mapping[str, Json]:
    return {
        "archive": str(found.path),
        "size": found.path.stat().st_size,
        **found.document,
        "packages": [{"name": name, "version": version, "size": size} for name, version, size in found.packages],
        "biggest": [{"path": path, "size": size} for path, size in _biggest(found)],
    }


def _provenance(options: Options, archive: Path) -> int:
    from bundler.commands.inspect import provenance_of  # large

    found = provenance_of(options.session(), archive, datetime.now(UTC).date())
    if options.json:
        print_document(_provenance_json(found))
    else:
        _show_provenance(found)
    return 0 if found.good else 3


def _show_provenance(found: Explained) -> None:
    said, builder = found.statement.materials, found.statement.builder
    say(f"{found.archive}:")
    rows = [
        ("signed by", f"{found.signer or 'a key that is not known here'}, {found.key_id}"),
        ("made by", builder.id),
        *([("run", builder.run)] if builder.run else ()),
        ("tool", f"aiws-bundle {builder.version}{f', commit {builder.commit}' if builder.commit else ''}"),
        *([("checked out", f"{found.source.uri}, commit {found.source.digest}")] if found.source else ()),
        ("command", f"{said.command} {said.target} (component {said.component}, SOURCE_DATE_EPOCH={said.epoch})"),
        ("inputs", said.inputs),
        *((item.kind, f"{item.name}  SHA-256 {item.digest}") for item in said.items if item.kind in _TOLD),
        ("of", ", ".join(f"{number} {_counted(kind, number)}" for kind, number in found.numbers.items())),
    ]
    print_table([(f"  {label:<11}", text) for label, text in rows])
    say()
    for text in found.checked:
        say_long(f"      {text}", " " * 8, Styled("ok", "good"))
    for finding in found.findings:
        if finding.grade != "note":
            say_block(f"  {finding.message}", "    ", Styled("NOT ok", "bad"))
    for text in found.unchecked:
        say_block(f"note    {text}", "        ")


def _counted(kind: str, number: int) -> str:
    return kind if number == 1 else f"{kind.removesuffix('y')}ies" if kind.endswith("y") else f"{kind}s"


def _provenance_json(found: Explained) -> Mapping[str, Json]:
    said, builder, source = found.statement.materials, found.statement.builder, found.source
    return {
        "archive": str(found.archive),
        "ok": found.good,
        "sha256": found.statement.sha256,
        "signer": found.signer or None,
        "key_id": found.key_id,
        "builder": builder.id,
        "run": builder.run or None,
        "version": builder.version or None,
        "tool_commit": builder.commit or None,
        "repository": source.uri if source else None,
        "commit": source.digest if source else None,
        "command": said.command,
        "component": said.component,
        "target": said.target,
        "epoch": said.epoch,
        "inputs": said.inputs,
        "materials": [
            {"kind": item.kind, "name": item.name, "digest": item.digest, "uri": item.uri or None}
            for item in said.items
        ],
        "checked": list(found.checked),
        "unchecked": list(found.unchecked),
        "findings": [finding.message for finding in found.findings if finding.grade != "note"],
    }
