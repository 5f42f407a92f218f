"""A world that grows: applications, targets and releases of tiny wheels, an index on loopback and a release server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.child import Cost, cost
from tests.github import GitHub, github
from tests.world import Index, make_wheel, serve

REPOSITORY = "example/grown"
# Two architectures of each release of a distribution: 24 targets of twelve.
_RELEASES = 12
_ARCHES = ("amd64", "arm64")
_PYTHONS = ("3.11.2", "3.13.5")
_COMMON = 6
_EPOCH = 315532800

_MANIFEST = """\
kind: wheelhouse
component: {name}
repository: {repository}
asset: {name}-{{distro}}-{{version}}-{{arch}}.tar.gz
requirement: {name}=={version}
bootstrap: [pip>=25.1]
"""


@dataclass(frozen=True)
class Grown:
    """A checkout of `applications` for `targets`, nothing locked yet; its index and its release server."""

    root: Path
    index: Index
    hub: GitHub
    applications: int
    targets: int

    def release(self, number: int) -> None:
        """Ask for version `number` of every application, which the index has from then on."""
        for name in self.names:
            wheel(self.root / "wheels", name, number)
            self._write(f"{name}.yaml", _MANIFEST.format(name=name, version=number, repository=REPOSITORY))

    @property
    def names(self) -> Sequence[str]:
        """What the applications are called."""
        return [f"app{number:02}" for number in range(self.applications)]

    def run(self, *words: str | Path, epoch: int = 0) -> Cost:
        """What a command costs, run as people do; `epoch` s are added to the time of every file in an archive."""
        return cost([sys.executable, "-m", "bundler", "--quiet", *words], self.root, self._env(epoch))

    def every(self, *words: str) -> list[str]:
        """The words that mean every application."""
        return [*words, *(word for name in self.names for word in ("--component", name))]

    def _env(self, epoch: int) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_", "AIWS_", "GITHUB_", "PYTHON"))}
        return {
            **kept,
            "PIP_INDEX_URL": self.index.address,
            "AIWS_CACHE_DIR": str(self.root / "cache"),
            "UV_CACHE_DIR": str(self.root / "uv-cache"),
            "NO_PROXY": "127.0.0.1",
            "GITHUB_API_URL": self.hub.api,
            "GH_TOKEN": self.hub.token,
            "SOURCE_DATE_EPOCH": str(_EPOCH + epoch),
        }

    def _write(self, name: str, text: str) -> None:
        path = self.root / "manifests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@contextmanager
def grown(root: Path, applications: int, targets: int) -> Iterator[Grown]:
    """Make such a world in `root`, with the first version of every application."""
    for number in range(_COMMON):
        make_wheel(root / "wheels", f"common{number}", "1.0", deflated=True)
    for python in _PYTHONS:
        tag = f"cp{''.join(python.split('.')[:2])}"
        for machine in ("x86_64", "aarch64"):
            make_wheel(root / "wheels", "native", "1.0", tag=f"{tag}-{tag}-manylinux_2_17_{machine}")
    make_wheel(root / "wheels", "pip", "26.0")
    with serve(root / "wheels") as index, github(root / "hub", repo=REPOSITORY) as hub:
        made = Grown(root, index, hub, applications, targets)
        made._write("targets.yaml", _targets(targets))
        made.release(1)
        yield made


def wheel(folder: Path, name: str, number: int) -> None:
    """Version `number` of an application, whose own dependency changes with it."""
    own = f"{name}-core"
    make_wheel(folder, own, f"{number}", deflated=True)
    common = [f"common{one}" for one in range(_COMMON)]
    make_wheel(folder, name, f"{number}", [f"{own}=={number}", "native", *common], deflated=True)


def _targets(number: int) -> str:
    """`targets.yaml` of so many targets: two architectures of each release."""
    lines = ["distros:", "  debian:"]
    for release in range(number // len(_ARCHES)):
        python = _PYTHONS[release % len(_PYTHONS)]
        lines.append(f'    "{10 + release}": {{glibc: "2.{36 + release}", python: {python}}}')
    return "\n".join([*lines, f"arches: [{', '.join(_ARCHES)}]"]) + "\n"
