"""Installing an archive by its install.sh, beside uv and pip installing the same wheels, and upgrading it."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.baseline import python_for_baselines
from benchmarks.child import Cost, answer, cost, in_turn
from benchmarks.lab import PROJECT, REFERENCE, Lab

_RELEASE, _PATCH = "==1.89.0", "==1.89.7"


@dataclass(frozen=True)
class Installed:
    """What a first installation costs, what uv and pip need for its wheels, and an upgrade with and without reuse."""

    first: Cost
    uv: Cost
    pip: Cost
    upgrade: Cost
    anew: Cost


def measure(lab: Lab) -> Installed | None:
    """Measure in turn, `lab.long_runs` times; None without a Python that the archive is for."""
    python = python_for_baselines()
    if python is None:
        return None
    folder = lab.folder / "install"
    old, new = _unpacked(lab.archive(lab.reference), folder / "old"), _unpacked(_patch(lab), folder / "new")
    prefix, env = folder / "prefix", {"PATH": f"{python.parent}:/usr/sbin:/usr/bin:/sbin:/bin"}

    def script(archive: Path, *words: str) -> Cost:
        return cost(["sh", archive / "install.sh", "--prefix", prefix, *words], PROJECT, env)

    def first() -> Cost:
        shutil.rmtree(prefix, ignore_errors=True)
        return script(old)

    def anew() -> Cost:
        answer(["sh", old / "install.sh", "--prefix", prefix, "--rollback"], PROJECT, env)
        return script(new, "--no-reuse")

    def others(program: str) -> Cost:
        venv = folder / "venv"
        shutil.rmtree(venv, ignore_errors=True)
        answer([python, "-m", "venv", venv], PROJECT)
        common: list[str | Path] = [
            "--no-index",
            "--no-deps",
            "--require-hashes",
            "--find-links",
            old / "packages" / "pip",
        ]
        common += ["--requirement", old / "metadata" / "requirements.txt"]
        if program == "pip":
            words: list[str | Path] = [venv / "bin" / "python", "-m", "pip", "install", "--no-cache-dir", *common]
        else:
            uv = Path(sys.executable).with_name("uv")
            words = [uv, "pip", "install", "--no-cache", "--offline", "--compile-bytecode"]
            words += ["--python", venv / "bin" / "python", *common]
        return cost(words, PROJECT)

    each = (first, lambda: others("uv"), lambda: others("pip"), lambda: script(new), anew)
    measured = in_turn(each, lab.long_runs)
    shutil.rmtree(folder)
    return Installed(*measured)


def _unpacked(archive: Path, folder: Path) -> Path:
    folder.mkdir(parents=True)
    answer(["tar", "-xzf", archive, "-C", folder], PROJECT)
    return next(folder.iterdir())


def _patch(lab: Lab) -> Path:
    """The archive of the patch release, whose lock keeps all that it may of the reference's."""
    folder = lab.folder / "patch"
    shutil.copytree(PROJECT / "manifests", folder / "manifests")
    manifest = folder / "manifests" / "litellm.yaml"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace(_RELEASE, _PATCH), encoding="utf-8")
    words = ("--manifests", folder / "manifests", "--cache-dir", lab.warm / "cache")
    lab.run(*words, "lock", REFERENCE)
    lab.run(*words, "build", REFERENCE, "--out", folder / "dist")
    return next((folder / "dist").glob("*.tar.gz"))
