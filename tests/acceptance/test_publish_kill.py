"""`publish` is killed at sixty random points while somebody reads the releases without pause."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import random
import shutil
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bundler import cli
from bundler.sidecars import sums
from tests.cli.releasing import FIRST, OTHER, REPO, Releasing, releasing
from tests.forks import forks
from tests.github import Fault, GitHub
from tests.world import World

pytestmark = pytest.mark.slow

# What a publish imports, each one finds imported: what is killed is its work, and not Python's.
for name in ("bundler.cli.publish", "bundler.kinds.wheelhouse.examine", "cyclonedx.model.bom"):
    importlib.import_module(name)

KILLS = 60
CHANNEL = "latest-runtime"
ARCHIVE = "litellm-runtime-debian-12-amd64.tar.gz"


def publish(root: str, env: dict[str, str], folder: str, tag: str) -> None:
    """Run the command in this process, which is about to be killed."""
    os.environ.update(env)
    os.chdir(root)
    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    words = ["publish", folder, "--repo", REPO, "--tag", tag, "--replace", "--channel", CHANNEL]
    code = cli.run(words)
    assert code == 0, code


@dataclass
class Reader:
    """Reads as each consumer does, without pause, and notes what is wrong with what it sees.

    One takes the published releases, one the first `runtime-*` of a list with drafts in it, one the fixed address of
    the channel.
    """

    hub: GitHub
    wrong: list[str] = field(default_factory=list)
    rounds: int = 0
    seen: set[tuple[str, str]] = field(default_factory=set)
    with_drafts: int = 0
    addressed: int = 0
    longest_gap: float = 0.0
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        gone_since: dict[str, float] = {}
        while not self.stopped.is_set():
            releases = self.listed("")
            now = time.monotonic()
            here = {release["tag_name"] for release in releases}
            for tag in {tag for tag, _ in self.seen}:
                if tag in here:
                    self.longest_gap = max(self.longest_gap, now - gone_since.pop(tag, now))
                else:
                    gone_since.setdefault(tag, now)
            for release in releases:
                self.look_at(release)
            self.look_among_drafts()
            self.look_at_the_address()
            self.rounds += 1

    def listed(self, token: str) -> list[dict[str, Any]]:
        text = self.get(f"{self.hub.api}/repos/{REPO}/releases?per_page=100", token)
        found: list[dict[str, Any]] = json.loads(text or b"[]")
        return found

    def look_among_drafts(self) -> None:
        releases = self.listed(self.hub.token)
        self.with_drafts += any(release["draft"] for release in releases)
        for release in [one for one in releases if one["tag_name"].startswith("runtime-")][:1]:
            self.look_at(release)

    def look_at_the_address(self) -> None:
        """One set of checksums before and after means that what was downloaded between is of that set."""
        at = f"{self.hub.web}/{REPO}/releases/download/{CHANNEL}"
        before, asset, after = (self.get(f"{at}/{name}") for name in (sums.NAME, ARCHIVE, sums.NAME))
        if before is None or before != after:
            return
        self.addressed += 1
        actual = hashlib.sha256(asset or b"").hexdigest()
        if sums.parse(before.decode()).get(ARCHIVE) != actual:
            self.wrong.append(f"{at}: {ARCHIVE} is {actual if asset else 'not there'}, with {before!r}")

    def look_at(self, release: dict[str, Any]) -> None:
        tag = release["tag_name"]
        there = {asset["name"]: asset for asset in release["assets"]}
        states = {asset["state"] for asset in release["assets"]}
        if release["draft"]:
            self.wrong.append(f"{tag}: a draft is seen")
        if not tag.startswith("runtime-") and tag != CHANNEL:
            self.wrong.append(f"{tag}: is published")
        if states != {"uploaded"} or sums.NAME not in there:
            self.wrong.append(f"{tag}: {states}, {sorted(there)}")
            return
        text = self.get(f"{self.hub.api}/repos/{REPO}/releases/assets/{there[sums.NAME]['id']}")
        if text is None:  # switched since the list was made
            return
        listed = sums.parse(text.decode())
        told = {name: asset["digest"].removeprefix("sha256:") for name, asset in there.items()}
        digest = told.pop(sums.NAME)
        if listed != told:
            self.wrong.append(f"{tag}: {listed} but {told}")
        self.seen.add((tag, digest))

    def get(self, address: str, token: str = "") -> bytes | None:
        headers = {"Accept": "application/octet-stream", **({"Authorization": f"Bearer {token}"} if token else {})}
        try:
            with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=30) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            assert error.code == 404, error
            return None


@contextmanager
def reading(hub: GitHub) -> Iterator[Reader]:
    reader = Reader(hub)
    thread = threading.Thread(target=reader.run)
    thread.start()
    try:
        yield reader
    finally:
        reader.stopped.set()
        thread.join()


def two_builds(ready: Releasing) -> dict[str, dict[str, str]]:
    """Folders `a` and `b` with archives of other bytes; folder -> name -> SHA-256."""
    shutil.copytree(ready.world.dist, ready.world.root / "a")
    files = {"a": ready.files}
    ready.another_build()
    shutil.copytree(ready.world.dist, ready.world.root / "b")
    return files | {"b": ready.files}


def test_sixty_kills_and_never_a_hole(locked: World, tmp_path: Path) -> None:
    chance = random.Random(20261124)
    with (
        releasing(locked, tmp_path / "hub", arches="amd64, arm64") as ready,
        forks(__name__) as processes,
        reading(ready.hub) as reader,
    ):
        builds = two_builds(ready)
        env = {**ready.world.env(), **ready.env()}
        times = {"a": FIRST, "b": OTHER}
        ready.hub.faults.append(Fault(stall=0.004, times=-1))  # an API far away

        def start(folder: str) -> int:
            made_at = {**env, "SOURCE_DATE_EPOCH": times[folder]}
            return processes.start("publish", str(ready.world.root), made_at, folder, ready.tag)

        began = time.monotonic()
        assert processes.wait(start("a")) == 0
        duration = time.monotonic() - began
        killed = rounds = 0
        while killed < KILLS:
            rounds += 1
            folder = chance.choice("ab")
            process = start(folder)
            time.sleep(chance.uniform(0.1, 1.0) * duration)
            killed += processes.kill(process)
            if rounds % 10 == 0:
                assert processes.wait(start(folder)) == 0
                assert ready.stored(ready.tag) == builds[folder]
                held = ready.stored(CHANNEL)
                assert {n: held[n] for n in builds[folder] if n != sums.NAME}.items() <= builds[folder].items()
                assert ready.hub.drafts() == []
                assert len(ready.published()) == 2
                states = {asset.state for release in ready.hub.releases() for asset in release.assets.values()}
                assert states == {"uploaded"}
        assert processes.wait(start("a")) == 0
        uploaded, writes = ready.hub.uploaded_bytes, len(ready.writes())
        assert processes.wait(start("a")) == 0
        assert (ready.hub.uploaded_bytes, len(ready.writes())) == (uploaded, writes)
        assert ready.stored(ready.tag) == builds["a"]
    assert reader.wrong == []
    assert reader.rounds > KILLS
    assert min(reader.with_drafts, reader.addressed) > KILLS // 2
    assert len(reader.seen) >= 4  # both builds, on the tag and on the channel
    readings = f"{reader.rounds} readings, {reader.with_drafts} with drafts, {reader.addressed} of the fixed address"
    print(f"{killed} kills in {rounds} rounds, {readings}, {reader.longest_gap:.2f} s without the tag")
