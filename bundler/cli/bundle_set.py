"""`aiws-bundle bundle-set`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import click

from bundler.cli import Options
from bundler.cli.closing import close
from bundler.cli.output import print_document
from bundler.commands.bundle_set import SetMade, SetOrder, bundle_set
from bundler.errors import UsageError
from bundler.sizes import size_text
from bundler.terminal import Json, say, say_block
from bundler.transfer.volumes import SCRIPT, base_of
from bundler.words import ASSET_PATTERN, LONGEST_NAME

_UNITS = {"": 1, "B": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30}
_UNITS["TI"] = 2**40
_SIZE = re.compile(r"([0-9]{1,15}(?:[.][0-9]{1,6})?) ?([KMGT]I?|)B?", re.IGNORECASE)
_PERCENT = re.compile(r"([0-9]{1,3}(?:[.][0-9]{1,3})?) ?%?")
_LEAST = 1 << 10
# FAT32 keeps a file's size in 32 bits.
_FAT32 = (1 << 32) - 1
_SUFFIX, _LONGEST_SUFFIX = ".set", len(".vol00000+00000.par2")


@click.command("bundle-set")
@click.argument("subject", metavar="DIR|OWNER/REPO@TAG")
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="The set. [default: DIR's name, .set]")
@click.option(
    "--volume", "limit", metavar="SIZE", default="", help="Cut it into files of this size: 4.7GB, 650MB, 4GiB."
)
@click.option(
    "--parity", metavar="PERCENT", default="", help="Write recovery files (PAR2), which repair so much of it: 5%."
)
@click.pass_obj
def command(options: Options, subject: str, out: Path | None, limit: str, parity: str) -> int:
    """Put all archives of a release into one set, which holds what they share once.

    DIR is a folder that `build` filled, or holds a release's assets; OWNER/REPO@TAG is one on GitHub (@TAG: in the
    manifests' own repository). It is verified as `verify` does, and each file can be taken out again byte for byte:
    with `emit`, or on a host with nothing but Python with the script FILE.sh. Archives for
    twelve kinds of host take about the room of four.

    With --volume the set is FILE.001, FILE.002 and so on; FILE.sha256 lists their digests for `sha256sum -c`. With
    --parity any par2 program repairs what a medium damaged; the percentage that repairs a volume that is lost
    altogether is told.
    """
    order = SetOrder(_named(out or Path(f"{_stem(subject)}{_SUFFIX}")), _bytes(limit), _share(parity))
    made = bundle_set(options.session(), subject, order)
    if options.json:
        print_document(_json(made))
        return 0
    for name, size in (*made.volumes.items(), *made.recovery.items()):
        say(f"{size_text(size):>10}  {made.out.parent / name}")
    for text in _notes(made):
        say_block(f"note    {text}", "        ")
    share = f"{100 * made.size / made.unpacked:.0f} %" if made.unpacked else "all"
    told = f"{made.out}: {made.files} files, {size_text(made.unpacked)}, in {size_text(made.size)} ({share})"
    close(options, told, ["verify", made.out], ["emit", made.out, "--help"])
    return 0


def _notes(made: SetMade) -> Iterator[str]:
    if (parity := made.parity) is not None:
        blocks = f"{parity.recovery} of {sum(parity.each.values())} blocks of {parity.block} bytes"
        if parity.recovery >= parity.for_largest:
            whole = "the whole set" if len(parity.each) == 1 else "any one volume"
            yield f"repairs {blocks}: scattered damage, or {whole} that is lost"
        else:
            whole = "the set's only file" if len(parity.each) == 1 else "a whole volume"
            enough = f"that takes --parity {parity.percent_for_largest}%"
            yield f"repairs {blocks}: scattered damage, not {whole} that is lost; {enough}"
    if max((*made.volumes.values(), *made.recovery.values())) > _FAT32:
        yield "FAT32, which most sticks have, holds no file of 4 GiB: --volume 4GB makes smaller ones"


def _stem(subject: str) -> str:
    """What a set is called that nobody named: as its folder, or as its tag."""
    if "@" in subject and not Path(subject).exists():
        return subject.rpartition("@")[2].replace("/", "-")
    return Path(subject).resolve().name


def _named(path: Path) -> Path:
    """A path whose name can stand in lists of digests. Raises UsageError."""
    if not re.fullmatch(ASSET_PATTERN, path.name) or len(path.name) > LONGEST_NAME - _LONGEST_SUFFIX:
        raise UsageError(f"{path.name!r} is no name for a set", "give --out with letters, digits and ._+- only")
    if base_of(path) != path or path.suffix == SCRIPT or re.fullmatch(r"\.[0-9]{3}", path.suffix):
        hint = "give --out the name that volumes and what stands beside them begin with: carried.set"
        raise UsageError(f"{path.name!r} is called as a file of another set", hint)
    return path


def _bytes(text: str) -> int:
    """How many bytes a size is, in decimal or binary units; 0 for "". Raises UsageError."""
    if not text:
        return 0
    match = _SIZE.fullmatch(text.strip())
    size = int(Decimal(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if size < _LEAST:
        raise UsageError(f"--volume {text[:100]!r} is no size", "for example 4.7GB, 650MB or 4GiB")
    return size


def _share(text: str) -> float:
    """How many percent are meant; 0 for "". Raises UsageError."""
    if not text:
        return 0
    match = _PERCENT.fullmatch(text.strip())
    if not match or not 0 < (percent := float(match[1])) <= 100:
        raise UsageError(f"--parity {text[:100]!r} is no percentage up to 100", "for example 5%")
    return percent


def _json(made: SetMade) -> Mapping[str, Json]:
    parity = made.parity
    return {
        "set": str(made.out),
        "size": made.size,
        "files": made.files,
        "unpacked": made.unpacked,
        "volumes": [{"name": name, "size": size} for name, size in made.volumes.items()],
        "parity": {
            "files": [{"name": name, "size": size} for name, size in made.recovery.items()],
            "block": parity.block,
            "blocks": sum(parity.each.values()),
            "repairs": parity.recovery,
            "repairs_volume": parity.recovery >= parity.for_largest,
            "percent_for_volume": parity.percent_for_largest,
        }
        if parity
        else None,
    }
