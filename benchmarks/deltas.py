"""Deltas between archives of real LiteLLM releases, against `zstd --patch-from` of the same two files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from benchmarks.child import Cost, cost
from benchmarks.lab import PROJECT, REFERENCE, Lab

# Six steps: two patch releases, and four that change dependencies too.
VERSIONS = ("1.89.0", "1.89.2", "1.89.7", "1.92.0", "1.95.0", "1.98.0", "1.100.1")


def archives(lab: Lab) -> Iterator[tuple[str, Path]]:
    """Each version's archive for the reference target, whose lock keeps all pins that it can."""
    folder = lab.folder / "deltas"
    manifests = folder / "manifests"
    shutil.copytree(PROJECT / "manifests", manifests)
    manifest = manifests / "litellm.yaml"
    before = VERSIONS[0]
    for version in VERSIONS:
        manifest.write_text(manifest.read_text().replace(f"[proxy]=={before}\n", f"[proxy]=={version}\n", 1))
        before = version
        words = ("--manifests", manifests, "--cache-dir", lab.warm / "cache")
        lab.run(*words, "lock", REFERENCE, "--component", "litellm")
        lab.run(*words, "build", REFERENCE, "--component", "litellm", "--out", folder / version)
        yield version, folder / version / lab.reference.asset


def measured(lab: Lab) -> Iterator[tuple[str, tuple[Path, Cost, Cost], tuple[Path, Cost, Cost]]]:
    """For each step its name, and twice a file, what it took to make it and to apply it: ours, and zstd's."""
    for (before, old), (after, new) in pairwise(archives(lab)):
        out = lab.folder / "deltas" / f"{before}-{after}"
        making = lab.run("delta", old, new, "--out", out)
        (delta,) = out.glob("*.delta")
        applying = cost(["sh", out / "apply-delta.sh", old, delta, "--out", _empty(out / "ours")], PROJECT)
        patch, made = out / "zst", out / "made"
        theirs = cost(["zstd", "-q", "-3", "--long=31", f"--patch-from={old}", new, "-o", patch], PROJECT)
        back = cost(["zstd", "-q", "-d", "--long=31", f"--patch-from={old}", patch, "-o", made], PROJECT)
        yield f"{before} -> {after}", (delta, making, applying), (patch, theirs, back)
        made.unlink()


def _empty(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
