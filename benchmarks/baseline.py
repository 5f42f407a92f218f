"""The old way: `pip wheel` without a cache, then `tar -czf`, in a Python 3.11 environment."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.child import Cost, FailedError, answer, cost
from benchmarks.lab import PROJECT, Lab

MINOR = "3.11"
# Settings under which pip would look elsewhere, or find other versions, than the tool does.
_OTHER_SOURCES = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_CONSTRAINT", "PIP_PRE")


@dataclass(frozen=True)
class Baseline:
    """What the old way costs for the reference target, and with which pip."""

    pip: str
    files: int
    wheel: Cost
    tar: Cost

    @property
    def seconds(self) -> float:
        """Both steps."""
        return self.wheel.seconds + self.tar.seconds


def baselines(lab: Lab) -> tuple[Baseline, ...]:
    """The old way with the pip that Python 3.11 brings, and with the newest; nothing without a Python 3.11."""
    python = python_for_baselines()
    if python is None:
        return ()
    environment = lab.folder / "pip"
    answer([python, "-m", "venv", environment], PROJECT)
    brought = _measure(lab, environment)
    answer([environment / "bin" / "pip", "install", "--quiet", "--upgrade", "pip"], PROJECT, _settings(lab))
    return brought, _measure(lab, environment)


def _measure(lab: Lab, environment: Path) -> Baseline:
    """Run both steps `lab.long_runs` times and keep the quickest: a slow baseline would flatter the tool."""
    pip = environment / "bin" / "pip"
    version = answer([pip, "--version"], PROJECT).split()[1]
    measured = [_once(lab, pip, version) for _ in range(lab.long_runs)]
    return min(measured, key=lambda one: one.seconds)


def _once(lab: Lab, pip: Path, version: str) -> Baseline:
    wheels, archive = lab.folder / "wheels", lab.folder / "wheels.tar.gz"
    asked = lab.reference.requirements
    words: list[str | Path] = [pip, "wheel", "--quiet", "--no-cache-dir", "--wheel-dir", wheels, *asked]
    wheel = cost(words, PROJECT, _settings(lab))
    tar = cost(["tar", "-czf", archive, "-C", lab.folder, wheels.name], PROJECT)
    files = len(list(wheels.iterdir()))
    shutil.rmtree(wheels)
    archive.unlink()
    return Baseline(version, files, wheel, tar)


def _settings(lab: Lab) -> dict[str, str]:
    """The environment in which pip uses the same index as the tool, and nothing else."""
    kept = {name: value for name, value in os.environ.items() if name not in _OTHER_SOURCES}
    temporary = lab.folder / "pip-tmp"
    temporary.mkdir(exist_ok=True)
    return {
        **kept,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": lab.index,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "TMPDIR": str(temporary),
    }


def python_for_baselines() -> Path | None:
    """A Python 3.11 that can make environments: this one, or the first on PATH."""
    check = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    for python in _candidates():
        try:
            if answer([python, "-c", check], PROJECT).strip() == MINOR:
                return python
        except (FailedError, OSError):
            continue
    return None


def _candidates() -> Iterator[Path]:
    yield Path(sys.executable)
    for folder in os.get_exec_path():
        if (python := Path(folder) / f"python{MINOR}").is_file():
            yield python
