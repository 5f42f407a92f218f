"""What is measured. Each case yields rows of the table; none judges."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from io import BytesIO
from pathlib import Path

from benchmarks import uploads
from benchmarks.baseline import MINOR, Baseline, baselines
from benchmarks.child import Cost, cost, median
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

    def once() -> Cost:
        folder = lab.folder / "cold"
        try:
            return lab.build(folder, targets)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    ours = median(once, lab.long_runs)
    share = sum(_size(lab, target) for target in targets) / _size(lab, lab.reference)
    what = f"cold build, {name}"
    for baseline in _baselines(lab):
        times = f"{share:.1f} × (" if len(targets) > 1 else ""
        against = f"{times}pip {baseline.pip} wheel + tar -czf{')' if times else ''}"
        yield Row(what, ours.seconds, "s", against, share * baseline.seconds, ours.peak, faster=True)
    if not _baselines(lab):
        yield Row(what, ours.seconds, "s", f"skipped: no Python {MINOR} with venv", None, ours.peak)


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
    """Reading archives, against gzip and sha256sum of the same files."""
    archive = lab.archive(lab.reference)

    def plain() -> Cost:
        return cost(["gzip", "-t", archive], PROJECT) + cost(["sha256sum", archive], PROJECT)

    theirs = median(plain, lab.runs)
    for command in ("verify", "inspect"):
        ours = median(partial(lab.run, command, archive), lab.runs)
        yield Row(f"{command}, {REFERENCE}", ours.seconds, "s", "gzip -t + sha256sum", theirs.seconds, ours.peak)
    every = median(lambda: lab.run("verify", lab.warm / "dist"), lab.long_runs)
    yield Row(f"verify, all {len(lab.targets)} targets", every.seconds, "s", peak=every.peak)


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


CASES: dict[str, Callable[[Lab], Iterator[Row]]] = {
    "cold": cold,
    "cold-amd64": cold_amd64,
    "cold-all": cold_all,
    "repack": repack,
    "nothing": nothing,
    "read": read,
    "size": size,
    "assemble": assemble,
    "upload": upload,
}
