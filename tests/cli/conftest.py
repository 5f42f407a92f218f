"""Fixtures of the tests that publish and verify releases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.releasing import Releasing, releasing
from tests.world import World


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries do not wait, unless a server asks for it."""
    monkeypatch.setattr("bundler.adapters.retry._backoff", lambda state: 0.0)


@pytest.fixture
def ready(locked: World, tmp_path: Path, impatient: None) -> Iterator[Releasing]:
    """A filled dist/, and a repository that has no release yet."""
    with releasing(locked, tmp_path / "hub") as made:
        yield made


@pytest.fixture
def released(ready: Releasing) -> Releasing:
    """A repository with one release, and a channel that follows it."""
    done = ready.publish("--channel", "latest-runtime")
    assert done.code == 0, done.err
    ready.hub.seen.clear()
    return ready
