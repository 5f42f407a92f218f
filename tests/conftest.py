"""Fixtures that many tests share."""

from __future__ import annotations

import functools
import gc
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import settings

from tests.world import World, world


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a test by its argument where the value is bytes: those may hold a clock's time, and workers must agree."""
    return argname if isinstance(val, bytes) else None


def pytest_configure(config: pytest.Config) -> None:
    """Where slow tests are left out, properties try a third of their examples; `@example`s are tried always.

    Else files come in their order, not those with the most tests first: the longest, of acceptance, have the fewest,
    and at the end one worker would wait for another's.
    """
    config.option.loadscopereorder = "not slow" in config.option.markexpr
    if config.option.loadscopereorder:
        settings.register_profile("fast", settings(), max_examples=33)
        settings.load_profile("fast")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays: to look through it for garbage again and again takes every worker a second.

    Afterwards garbage is looked for less often than Python does, which takes tests of many small values another.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000)
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def no_power_cut() -> Iterator[None]:
    """What tests write need not outlive a power cut: `fsync` only sees that its file is open."""
    with mock.patch("os.fsync", os.fstat):
        yield


@pytest.fixture(scope="session", autouse=True)
def no_runner() -> Iterator[None]:
    """No runner reads what tests write, though one may run them: no groups, no annotations unless a test asks."""
    with mock.patch.dict(os.environ):
        os.environ.pop("GITHUB_ACTIONS", None)
        yield


@pytest.fixture
def unlocked(tmp_path: Path) -> Iterator[World]:
    """A world of its own, not locked yet."""
    with world(tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def locks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The locks that the real resolver makes for a world: they name no host, so they serve every other world."""
    with world(tmp_path_factory.mktemp("locking")) as made:
        done = made.run("lock")
        assert done.code == 0, done.err
        return made.root / "manifests" / "locks"


@pytest.fixture
def locked(unlocked: World, locks: Path) -> World:
    """A world with a lock for every target."""
    shutil.copytree(locks, unlocked.root / "manifests" / "locks")
    return unlocked


@pytest.fixture(scope="session")
def dist_of(locks: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Tells the dist/ that `build SELECTOR` fills in a world with every lock; each is built once."""

    @functools.cache
    def built(selector: str) -> Path:
        with world(tmp_path_factory.mktemp("building")) as made:
            shutil.copytree(locks, made.root / "manifests" / "locks")
            done = made.run("build", selector)
            assert done.code == 0, done.err
            return made.dist

    return built
