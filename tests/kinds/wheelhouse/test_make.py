"""What a person is told while archives are made."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from bundler.commands.build import build
from bundler.progress import State, Task
from bundler.session import Session
from tests.world import World


@dataclass
class Watched:
    """A task, and how much of it was done."""

    label: str
    total: int
    done: int = 0

    def advance(self, amount: int) -> None:
        self.done += amount


@dataclass
class Watch:
    """A progress that remembers its tasks."""

    tasks: list[Watched] = field(default_factory=list)
    stages: list[Watched] = field(default_factory=list)

    def say(self, text: str) -> None:
        pass

    @contextmanager
    def task(self, label: str, total: int, *, brief: bool = False) -> Iterator[Watched]:
        self.tasks.append(Watched(label, total))
        yield self.tasks[-1]

    @contextmanager
    def follow(self, subjects: Sequence[str]) -> Iterator[None]:
        yield

    def stage(self, subject: str, state: State, total: int = 0, told: str = "") -> Task:
        one = Watched(f"{state} {subject.removesuffix('.tar.gz')}", total)
        self.stages.append(one)
        return one

    def of(self, word: str) -> list[Watched]:
        return [stage for stage in self.stages if stage.label.startswith(word)]

    def named(self, word: str) -> list[Watched]:
        return [task for task in self.tasks if task.label.startswith(word)]


def built(world: World, selector: str, monkeypatch: pytest.MonkeyPatch, *, force: bool = False) -> Watch:
    """What was shown of building a target."""
    watch, env = Watch(), world.env()
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    settings = Session(world.root / "manifests", world.root / "cache", env, watch)
    assert build(settings, [selector], ("litellm",), world.dist, force=force).exit_code == 0
    return watch


def test_the_size_told_is_that_of_what_is_fetched(locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    built(locked, "debian-12-amd64", monkeypatch)
    (task,) = built(locked, "all", monkeypatch).named("fetching")
    missing = [w for w in locked.index.folder.glob("orjson-*.whl") if "cp311" not in w.name or "x86_64" not in w.name]
    assert task.label == "fetching 3 of 8 files", "one archive is finished"
    assert task.total == task.done == sum(wheel.stat().st_size for wheel in missing)
    assert not built(locked, "all", monkeypatch, force=True).named("fetching"), "all of it is in the store"


def test_packing_an_archive_is_a_task_of_its_files_bytes(locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = built(locked, "debian-12", monkeypatch).of("packing")
    names = [f"litellm-runtime-debian-12-{arch}" for arch in ("amd64", "arm64")]
    assert sorted(task.label for task in tasks) == [f"packing {name}" for name in names]
    for task in tasks:
        with tarfile.open(locked.dist / f"{task.label.removeprefix('packing ')}.tar.gz") as archive:
            size = sum(member.size for member in archive)
        assert task.total == task.done == size
