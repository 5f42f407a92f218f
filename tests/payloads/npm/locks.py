"""A lock of packages from a registry on loopback, made with the real npm, and the cache on disk that comes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from bundler.bench import Bench
from bundler.model.bundle import Entry, File, Slice
from bundler.model.target import Target
from bundler.payloads import npm
from bundler.payloads.npm.locked import LockedNpm
from bundler.payloads.npm.pins import PLACE
from bundler.progress import Silent
from bundler.session import Session
from bundler.words import Arch

TARGETS: Mapping[Arch, Target] = {
    "amd64": Target("debian", "12", "amd64", 36, None),
    "arm64": Target("debian", "12", "arm64", 36, None),
}
needs_npm = pytest.mark.skipif(not (shutil.which("npm") and shutil.which("node")), reason="npm is not installed")
# Nobody answers there: what asks the network all the same fails at once.
DEAD = "http://127.0.0.1:9/"


def session_at(folder: Path, registry: str) -> Session:
    """A session with a store and a home in `folder`; npm's own cache and settings are there as well."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "npm_config_registry": registry,
        "npm_config_cache": str(folder / "npm"),
        "npm_config_globalconfig": str(home / "none"),
    }
    return Session(None, folder / "cache", env, Silent())


def locked(session: Session, packages: Sequence[str], arch: Arch = "amd64", without: Sequence[str] = ()) -> LockedNpm:
    """The lock of packages on a target, as it comes out of a lock file."""
    choice = TypeAdapter(npm.CHOICE).validate_python({"packages": packages, "without": without})
    with session.network() as network:
        pins = npm.lock(choice, TARGETS[arch], session, network)
    assert isinstance(pins, LockedNpm)
    adapter = TypeAdapter(LockedNpm)
    found = adapter.validate_python(adapter.dump_python(pins, by_alias=True, mode="json"))
    assert found == pins
    return found


def entries(session: Session, pins: LockedNpm, folder: Path) -> tuple[Entry, ...]:
    """What goes into the archive, with nothing made before."""
    store = session.store()
    store.discard(pins.metadata.sha256)
    folder.mkdir(exist_ok=True)
    bench = Bench(session, None, store, folder)
    for made in pins.made():
        bench.make(pins, made)
    return bench.entries(pins)


def content_of(entry: Entry) -> bytes:
    """A file's bytes."""
    assert isinstance(entry, File)
    if isinstance(entry.content, Slice):
        return Path(entry.content.file).read_bytes()[entry.content.offset :][: entry.content.length]
    return entry.content


def on_disk(made: Sequence[Entry], folder: Path) -> Path:
    """The npm cache folder that entries make."""
    for entry in made:
        path = folder / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content_of(entry))
    return folder / PLACE


def install(cache: Path, folder: Path, *words: str, where: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `npm install` with a cache, no network and nobody's settings."""
    home = folder / "host"
    home.mkdir(exist_ok=True)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "npm_config_globalconfig": str(home / "none"),
        "npm_config_cache": str(cache),
        "npm_config_proxy": DEAD,
        "npm_config_https_proxy": DEAD,
        "npm_config_fetch_retries": "0",
        "npm_config_update_notifier": "false",
    }
    words = ("npm", "install", "--no-audit", "--no-fund", "--loglevel=http", *words)
    return subprocess.run(words, env=env, cwd=where or home, capture_output=True, text=True, timeout=120, check=False)
