"""Fixtures of the tests that publish and verify releases."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.releasing import Releasing, releasing
from tests.cli.signing import Signing
from tests.github import GitHub
from tests.world import World, world


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries do not wait, unless a server asks for it."""
    monkeypatch.setattr("bundler.adapters.retry._backoff", lambda state: 0.0)


@pytest.fixture
def stalled(locked: World) -> Iterator[threading.Event]:
    """Downloads stop after a moment, until the event is set."""
    go = threading.Event()

    class Slow(dict[str, bytes]):
        def __contains__(self, path: object) -> bool:
            if str(path).endswith(".whl"):
                go.wait(60)
            return False

    object.__setattr__(locked.index, "pages", Slow())
    yield go
    go.set()


@pytest.fixture
def ready(locked: World, tmp_path: Path, impatient: None) -> Iterator[Releasing]:
    """A filled dist/, and a repository that has no release yet."""
    with releasing(locked, tmp_path / "hub") as made:
        yield made


@pytest.fixture(scope="session")
def first_release(locks: Path, tmp_path_factory: pytest.TempPathFactory) -> GitHub:
    """A repository with one release, and a channel that follows it; nobody serves it any more."""
    base = tmp_path_factory.mktemp("releasing")
    with world(base) as made:
        shutil.copytree(locks, base / "manifests" / "locks")
        with releasing(made, base / "hub") as ready:
            done = ready.publish("--channel", "latest-runtime")
            assert done.code == 0, done.err
            return ready.hub


@pytest.fixture
def released(ready: Releasing, first_release: GitHub) -> Releasing:
    """A repository of one's own with that release and its channel."""
    ready.hub.become(first_release)
    return ready


@pytest.fixture
def published(released: Releasing) -> Releasing:
    """A repository of one's own with that release alone."""
    channel = released.hub.published("latest-runtime")
    assert channel is not None
    del released.hub.kept[channel.id], released.hub.tags["latest-runtime"]
    return released


@pytest.fixture
def signing(ready: Releasing) -> Signing:
    """A filled dist/ that nobody has signed, and a trust.yaml with a key that makes releases."""
    made = Signing(ready)
    made.trust("maker")
    return made


@pytest.fixture(scope="session")
def first_signed(locks: Path, tmp_path_factory: pytest.TempPathFactory) -> GitHub:
    """A repository with one signed release, and a channel that follows it; nobody serves it any more."""
    base = tmp_path_factory.mktemp("signing")
    with world(base) as made:
        shutil.copytree(locks, base / "manifests" / "locks")
        with releasing(made, base / "hub") as ready:
            signing = Signing(ready)
            signing.trust("maker")
            done = signing.publish("--channel", "latest-runtime")
            assert done.code == 0, done.err
            return ready.hub


@pytest.fixture
def signed(signing: Signing, first_signed: GitHub) -> Signing:
    """A repository of one's own with that signed release and its channel."""
    signing.releasing.hub.become(first_signed)
    return signing
