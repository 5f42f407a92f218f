"""What a wheelhouse's archive says of where it comes from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.kinds.wheelhouse.lock import Lock
from bundler.model.bundle import LOCK, MANIFEST, WHEELS_FROM_LOCK, text_file
from bundler.model.locked_wheel import Source
from tests.archives import Entries, content_of, repack
from tests.world import World

COMMIT = "d" * 40


@pytest.fixture
def built(locked: World) -> World:
    assert locked.run("build", "debian-12-amd64").code == 0
    return locked


def asset(world: World) -> str:
    (path,) = world.dist.glob("*.tar.gz")
    return str(path)


def change(world: World, what: Callable[[Entries], object], *, listed: bool = True) -> None:
    """Write the archive anew with other entries."""
    repack(Path(asset(world)), what, listed=listed)


def test_the_digest_of_what_an_archive_was_made_from_is_no_commit(built: World) -> None:
    lock = (built.root / "manifests" / "locks" / "pylock.litellm-debian-12-amd64.toml").read_bytes()
    made_from = hashlib.sha256(lock).hexdigest()[:40]
    document = built.run("--json", "inspect", asset(built)).json()
    assert document["commit"] == made_from, "the field of manifest.json that consumers read"
    assert document["source_commit"] is None
    assert len(document["inputs"]) == 64
    shown = built.run("inspect", asset(built)).out
    assert made_from not in shown
    assert "commit" not in shown
    assert f"inputs        {document['inputs']}\n" in shown


def test_the_commit_is_told_that_the_wheel_was_built_from(built: World) -> None:
    def from_source(entries: Entries) -> None:
        lock = Lock.parse(content_of(entries[LOCK]).decode(), LOCK)
        wheels = tuple(
            replace(one, hint=None, source=Source(COMMIT, "e" * 64)) if one.project == "litellm" else one
            for one in lock.wheels
        )
        entries[LOCK] = text_file(LOCK, replace(lock, wheels=wheels).render(WHEELS_FROM_LOCK).encode())

    change(built, from_source)
    assert built.run("--json", "inspect", asset(built)).json()["source_commit"] == COMMIT
    shown = built.run("inspect", asset(built)).out
    assert f"commit        {COMMIT}\n" in shown
    assert "inputs  " in shown


@pytest.mark.parametrize("text", [b"nonsense", b"\xff"])
def test_a_lock_inside_that_cannot_be_read_tells_nothing(built: World, text: bytes) -> None:
    def broken(entries: Entries) -> None:
        entries[LOCK] = text_file(LOCK, text)

    change(built, broken)
    done = built.run("--json", "inspect", asset(built))
    assert done.code == 0, done.err
    assert done.json()["source_commit"] is None


def test_an_archive_without_a_lock_tells_nothing(built: World) -> None:
    change(built, lambda entries: entries.pop(LOCK))
    done = built.run("--json", "inspect", asset(built))
    assert done.code == 0, done.err
    assert done.json()["source_commit"] is None


def test_a_manifest_that_tells_no_inputs_is_refused(built: World) -> None:
    def without(entries: Entries) -> None:
        manifest = json.loads(content_of(entries[MANIFEST]))
        del manifest["inputs"]
        entries[MANIFEST] = text_file(MANIFEST, json.dumps(manifest).encode())

    change(built, without, listed=False)
    done = built.run("inspect", asset(built))
    assert done.code == 3
    assert "inputs" in done.err
