"""What is measured. Each case yields rows of the table; none judges."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from io import BytesIO
from pathlib import Path

from benchmarks import deltas, installs, uploads
from benchmarks import floor as floors
from benchmarks import growth as growing
from benchmarks.baseline import MINOR, Baseline, baselines
from benchmarks.child import Cost, cost, in_turn, median
from benchmarks.lab import PROJECT, REFERENCE, Lab, Target

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Row:
    """One comparison: `ours` and `theirs` in `unit`, and the resident peak of our process in MB if it was measured."""

    what: str
    ours: float
    unit: str
    against: str = ""
    theirs: float | None = None
    peak: float | None = None
    faster: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times faster than the other (`faster`), else ours as a share of theirs."""
        if self.theirs is None:
            return None
        return self.theirs / self.ours if self.faster else self.ours / self.theirs


def cold(lab: Lab) -> Iterator[Row]:
    """One target with nothing in store."""
    yield from _cold(lab, REFERENCE, (lab.reference,))


def cold_amd64(lab: Lab) -> Iterator[Row]:
    """Every amd64 target with nothing in store."""
    targets = tuple(target for target in lab.targets if target.name.endswith("-amd64"))
    yield from _cold(lab, f"{len(targets)} amd64 targets", targets)


def cold_all(lab: Lab) -> Iterator[Row]:
    """Every target with nothing in store."""
    yield from _cold(lab, f"all {len(lab.targets)} targets", lab.targets)


def _cold(lab: Lab, name: str, targets: tuple[Target, ...]) -> Iterator[Row]:
    """Compare with one baseline, scaled by the bytes of the targets: the small ones count for less than one."""

    yield from _against_pip(lab, name, targets, median(partial(_cold_once, lab, targets), lab.long_runs))


def _cold_once(lab: Lab, targets: tuple[Target, ...]) -> Cost:
    folder = lab.folder / "cold"
    try:
        return lab.build(folder, targets)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _against_pip(lab: Lab, name: str, targets: tuple[Target, ...], ours: Cost) -> Iterator[Row]:
    share = sum(_size(lab, target) for target in targets) / _size(lab, lab.reference)
    what = f"cold build, {name}"
    for baseline in _baselines(lab):
        times = f"{share:.1f} × (" if len(targets) > 1 else ""
        against = f"{times}pip {baseline.pip} wheel + tar -czf{')' if times else ''}"
        yield Row(what, ours.seconds, "s", against, share * baseline.seconds, ours.peak, faster=True)
    if not _baselines(lab):
        yield Row(what, ours.seconds, "s", f"skipped: no Python {MINOR} with venv", None, ours.peak)


def floor(lab: Lab) -> Iterator[Row]:
    """Cold builds, of one target and of all, against curl, sha256sum and tar of the same files, and against pip.

    They take turns. Then where the time goes, theirs and ours.
    """
    for name, targets in ((REFERENCE, (lab.reference,)), (f"all {len(lab.targets)} targets", lab.targets)):
        what = floors.wanted(targets)
        seen: list[floors.Floor] = []

        def plain(what: floors.Wanted = what, seen: list[floors.Floor] = seen) -> Cost:
            seen.append(floors.floor(lab, what))
            return seen[-1].all

        ours, theirs = in_turn((partial(_cold_once, lab, targets), plain), lab.runs)
        yield Row(f"cold build, {name}", ours.seconds, "s", "curl + sha256sum + tar", theirs.seconds, ours.peak)
        yield Row("- of processors", ours.busy, "s", "of processors", theirs.busy)
        spent = floors.phases(lab, targets, lab.runs)
        curl = statistics.median(one.curl.seconds for one in seen)
        packed = statistics.median((one.sha256sum + one.tar).seconds for one in seen)
        yield Row("- until it fetches", spent.start, "s")
        yield Row("- until the last byte came", spent.fetch, "s", "curl", curl)
        yield Row("- after that", spent.after, "s", "sha256sum + tar", packed)
        yield from _against_pip(lab, name, targets, ours)


@cache
def _baselines(lab: Lab) -> tuple[Baseline, ...]:
    return baselines(lab)


def _size(lab: Lab, target: Target) -> int:
    return lab.archive(target).stat().st_size


def repack(lab: Lab) -> Iterator[Row]:
    """Every archive anew from a warm store, against tar and sha256sum of the same files."""
    ours = median(lambda: lab.build(lab.warm, lab.targets, "--force", "--offline"), lab.runs)
    trees = lab.folder / "trees"
    for target in lab.targets:
        (trees / target.name).mkdir(parents=True)
        cost(["tar", "-xzf", lab.archive(target), "-C", trees / target.name], PROJECT)
    theirs = median(lambda: _tar_all(lab, trees), lab.runs)
    shutil.rmtree(trees)
    what = f"repack from the store, all {len(lab.targets)} targets"
    yield Row(what, ours.seconds, "s", "tar -cf + sha256sum", theirs.seconds, ours.peak)


def sign(lab: Lab) -> Iterator[Row]:
    """Every archive anew from a warm store, then signed with its provenance, against the first alone.

    And what `sign` does beyond `verify` of the same folder, which it begins with.
    """
    key, dist = lab.folder / "keys" / "measured.key", lab.warm / "dist"
    lab.run("keygen", "measured", "--no-password", "--out", key.parent)
    plain = median(lambda: lab.build(lab.warm, lab.targets, "--force", "--offline"), lab.runs)
    listing = dist / "SHA256SUMS"
    unsigned = listing.read_bytes()

    def once() -> Cost:
        for path in (*dist.glob("SHA256SUMS.*"), *dist.glob("*.intoto.jsonl")):
            path.unlink()
        listing.write_bytes(unsigned)
        return lab.run("sign", dist, "--key", key)

    signed = median(once, lab.runs)
    read = median(lambda: lab.run("verify", dist), lab.runs)
    what = f"all {len(lab.targets)} targets"
    whole = plain + signed
    yield Row(f"repack from the store and sign, {what}", whole.seconds, "s", "repack", plain.seconds, whole.peak)
    yield Row(f"sign, {what}", signed.seconds, "s", "verify", read.seconds, signed.peak)


def _tar_all(lab: Lab, trees: Path) -> Cost:
    """Pack and hash each tree, one after the other."""
    total = Cost(0, 0)
    for target in lab.targets:
        tar = trees / f"{target.name}.tar"
        total += cost(["tar", "-cf", tar, "-C", trees / target.name, "."], PROJECT)
        total += cost(["sha256sum", tar], PROJECT)
    return total


def nothing(lab: Lab) -> Iterator[Row]:
    """A build of what is finished, and the help: what any call costs at least."""
    idle = median(lambda: cost([sys.executable, "-c", "pass"], PROJECT), lab.runs)
    done = median(lambda: lab.build(lab.warm, lab.targets), lab.runs)
    told = median(lambda: lab.run("--help"), lab.runs)
    against = "python -c pass"
    what = f"build of all {len(lab.targets)} targets that are finished"
    yield Row(what, done.seconds, "s", against, idle.seconds, done.peak)
    yield Row("--help", told.seconds, "s", against, idle.seconds, told.peak)


def read(lab: Lab) -> Iterator[Row]:
    """Reading one archive, against gzip and sha256sum of the same file."""
    archive = lab.archive(lab.reference)

    def plain() -> Cost:
        return cost(["gzip", "-t", archive], PROJECT) + cost(["sha256sum", archive], PROJECT)

    theirs = median(plain, lab.runs)
    for command in ("verify", "inspect"):
        ours = median(partial(lab.run, command, archive), lab.runs)
        yield Row(f"{command}, {REFERENCE}", ours.seconds, "s", "gzip -t + sha256sum", theirs.seconds, ours.peak)


def verify(lab: Lab) -> Iterator[Row]:
    """The folder of all archives, against `sha256sum -c` of it, and against `sha256sum` and `gzip -t` of each.

    They take turns, so that what else a machine does slows all of them down.
    """
    dist = lab.warm / "dist"
    archives = sorted(dist.glob("*.tar.gz"))

    def ours() -> Cost:
        return lab.run("verify", dist)

    def summed() -> Cost:
        return cost(["sha256sum", "--quiet", "-c", "SHA256SUMS"], dist)

    def tested() -> Cost:
        return cost(["sha256sum", *archives], dist) + cost(["gzip", "-t", *archives], dist)

    every, listed, both = in_turn((ours, summed, tested), lab.runs)
    name = f"verify, all {len(archives)} targets"
    yield Row(name, every.seconds, "s", "sha256sum -c", listed.seconds, every.peak)
    yield Row(name, every.seconds, "s", "sha256sum + gzip -t", both.seconds, every.peak)


def bundle_set(lab: Lab) -> Iterator[Row]:
    """One set of all archives, and one archive taken out of it, against tar and zstd with the longest window."""
    dist, folder = lab.warm / "dist", lab.folder / "set"
    folder.mkdir()
    path, packed, names = folder / "all.set", folder / "all.tar.zst", sorted(one.name for one in dist.iterdir())
    many, one = f"all {len(lab.targets)} targets", lab.archive(lab.reference).name

    def made() -> Cost:
        for file in folder.glob("all.set*"):
            file.unlink()
        return lab.run("bundle-set", dist, "--out", path)

    def taken() -> Cost:
        shutil.rmtree(folder / "out", ignore_errors=True)
        return lab.run("emit", path, one, "--out", folder / "out")

    tarred: list[str | Path] = [
        "sh",
        "-c",
        'out=$1; shift; tar -cf - "$@" | zstd -q -f -3 -T0 --long=31 -o "$out"',
        "sh",
        packed,
        *names,
    ]
    apart: list[str | Path] = [
        "sh",
        "-c",
        'zstd -q -dc --long=31 "$1" | tar -xf - -C "$2" "$3"',
        "sh",
        packed,
        folder,
        one,
    ]
    ours, theirs = in_turn((made, lambda: cost(tarred, dist)), lab.long_runs)
    mine, other = in_turn((taken, lambda: cost(apart, dist)), lab.runs)
    against, sizes = "tar + zstd -3 --long=31", [file.stat().st_size / 1e6 for file in (path, packed)]
    yield Row(f"size of a set, {many}", sizes[0], "MB", against, sizes[1])
    yield Row(f"bundle-set (verify, make, prove), {many}", ours.seconds, "s", against, theirs.seconds, ours.peak)
    yield Row(f"emit {REFERENCE} from it", mine.seconds, "s", "zstd -d + tar -x", other.seconds, mine.peak)
    shutil.rmtree(folder)


def size(lab: Lab) -> Iterator[Row]:
    """Archives against gzip -6 of the same tar; the one that compares worst stands for all."""
    pairs = [(_size(lab, target), _gzip_size(lab.archive(target)), target.name) for target in lab.targets]
    ours, theirs, name = max(pairs, key=lambda pair: pair[0] / pair[1])
    yield Row(f"archive size, {name} (the worst of all)", ours / 1e6, "MB", "gzip -6", theirs / 1e6)


def _gzip_size(archive: Path) -> int:
    """The size of an archive's tar under gzip -6."""
    with subprocess.Popen(["gzip", "-dc", archive], stdout=subprocess.PIPE) as tar:
        packed = subprocess.Popen(["gzip", "-6nc"], stdin=tar.stdout, stdout=subprocess.PIPE)
        size = 0
        with packed, packed.stdout or BytesIO() as stream:
            while data := stream.read(_CHUNK):
                size += len(data)
        return size


# Parts that are locked here, and packages of the distribution's own: what needs a package index and a mirror only.
_PACKAGE = """\
kind: offline
component: measured
repository: OWNER/REPO
asset: measured-{distro}-{version}-{arch}.tar.gz
parts:
  - {manifest: litellm, contents: true}
  - {manifest: hermes, archive: false, contents: true}
apt:
  sets:
    base:
      - names: [ansible, git, curl, build-essential, golang-go, nodejs, npm, postgresql, xfce4, ffmpeg, fonts-noto-cjk]
"""


def assemble(lab: Lab) -> Iterator[Row]:
    """An all-in-one package from a warm store, against tar and sha256sum of its files; and one that is finished."""
    folder = lab.folder / "package"
    shutil.copytree(PROJECT / "manifests", folder / "manifests")
    (folder / "manifests" / "offline.yaml").write_text(_PACKAGE, encoding="utf-8")
    words = ("--manifests", folder / "manifests", "--cache-dir", folder / "cache")
    lab.run(*words, "lock", REFERENCE, "--component", "offline")

    def once(*options: str) -> Cost:
        return lab.run(*words, "assemble", REFERENCE, "--out", folder / "dist", *options)

    once()
    archive = folder / "dist" / f"measured-{REFERENCE}.tar.gz"
    (folder / "tree").mkdir()
    cost(["tar", "-xzf", archive, "-C", folder / "tree"], PROJECT)
    ours = median(lambda: once("--force", "--offline"), lab.runs)

    def plain() -> Cost:
        tar = folder / "tree.tar"
        return cost(["tar", "-cf", tar, "-C", folder / "tree", "."], PROJECT) + cost(["sha256sum", tar], PROJECT)

    theirs = median(plain, lab.runs)
    what = f"assemble {archive.stat().st_size / 1e9:.2f} GB from the store"
    yield Row(what, ours.seconds, "s", "tar -cf + sha256sum", theirs.seconds, ours.peak)
    done = median(once, lab.runs)
    yield Row("assemble what is finished", done.seconds, "s", peak=done.peak)
    shutil.rmtree(folder)


def upload(lab: Lab) -> Iterator[Row]:
    """2 GB to the tests' release server, from memory if TMPDIR is there: disks that write back late tell little."""
    found = uploads.measure(lab)
    whole, split = found.whole, found.split
    yield Row("upload of 1.99 GB", whole.seconds, "s", "curl --upload-file", found.whole_curl.seconds, whole.peak)
    at_once = found.split_curl.seconds
    yield Row("upload of 2.15 GB in two parts", split.seconds, "s", "curl, in one", at_once, split.peak)


def install(lab: Lab) -> Iterator[Row]:
    """An archive on a host with nothing but Python, against uv and pip installing its wheels; then a patch release."""
    found = installs.measure(lab)
    if found is None:
        yield Row(f"install.sh, {REFERENCE}", 0, "s", f"skipped: no Python {MINOR} with venv")
        return
    first, upgrade = found.first, found.upgrade
    wheels = "the wheels, compiled"
    yield Row(f"install.sh, {REFERENCE}", first.seconds, "s", f"uv pip install {wheels}", found.uv.seconds, first.peak)
    yield Row(f"install.sh, {REFERENCE}", first.seconds, "s", "pip install, the same", found.pip.seconds, faster=True)
    yield Row("install.sh, a patch release", upgrade.seconds, "s", "--no-reuse", found.anew.seconds, upgrade.peak)


def delta(lab: Lab) -> Iterator[Row]:
    """Deltas of six real steps, against zstd's of the same two archives: their size, to make them, to apply them."""
    for step, (ours, making, applying), (theirs, made, back) in deltas.measured(lab):
        against = "zstd -3 --patch-from"
        sizes = ours.stat().st_size / 1e6, theirs.stat().st_size / 1e6
        yield Row(f"delta {step}", sizes[0], "MB", against, sizes[1])
        yield Row(f"make delta {step}", making.seconds, "s", against, made.seconds, making.peak)
        yield Row(f"apply-delta.sh {step}", applying.seconds, "s", against, back.seconds, applying.peak)


def growth(lab: Lab) -> Iterator[Row]:
    """Every step at growing sizes, in processor seconds: the ratio is 1 or less where a step is linear."""
    for what, ours, against, theirs, peak in growing.rows(growing.measure(lab.folder / "growth")):
        yield Row(what, ours, "s", against, theirs, peak)


# Those that are measured only if they are named: they take long.
LONG = ("delta", "growth")

CASES: dict[str, Callable[[Lab], Iterator[Row]]] = {
    "cold": cold,
    "cold-amd64": cold_amd64,
    "cold-all": cold_all,
    "floor": floor,
    "repack": repack,
    "sign": sign,
    "nothing": nothing,
    "read": read,
    "verify": verify,
    "size": size,
    "set": bundle_set,
    "assemble": assemble,
    "install": install,
    "upload": upload,
    "delta": delta,
    "growth": growth,
}
