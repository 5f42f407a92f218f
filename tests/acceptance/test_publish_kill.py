"""`publish` is killed at a hundred random points while somebody reads the releases without pause."""

from __future__ import annotations

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

import pytest

from bundler import cli
from bundler.sidecars import sums
from tests.cli.releasing import FIRST, OTHER, REPO, Releasing, releasing
from tests.forks import forks
from tests.github import Fault
from tests.world import World

pytestmark = pytest.mark.slow

KILLS = 110
CHANNEL = "latest-runtime"


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
    """Reads all releases as anybody does, and notes what is wrong with what it sees."""

    api: str
    wrong: list[str] = field(default_factory=list)
    rounds: int = 0
    seen: set[tuple[str, str]] = field(default_factory=set)
    longest_gap: float = 0.0
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        gone_since: dict[str, float] = {}
        while not self.stopped.is_set():
            releases = json.loads(self.get(f"/repos/{REPO}/releases?per_page=100") or b"[]")
            now = time.monotonic()
            here = {release["tag_name"] for release in releases}
            for tag in {tag for tag, _ in self.seen}:
                if tag in here:
                    self.longest_gap = max(self.longest_gap, now - gone_since.pop(tag, now))
                else:
                    gone_since.setdefault(tag, now)
            for release in releases:
                self.look_at(release)
            self.rounds += 1

    def look_at(self, release: dict[str, object]) -> None:
        tag, assets = release["tag_name"], release["assets"]
        assert isinstance(tag, str)
        assert isinstance(assets, list)
        there = {asset["name"]: asset for asset in assets}
        states = {asset["state"] for asset in assets}
        if release["draft"]:
            self.wrong.append(f"{tag}: a draft is seen")
        if states != {"uploaded"} or sums.NAME not in there:
            self.wrong.append(f"{tag}: {states}, {sorted(there)}")
            return
        text = self.get(f"/repos/{REPO}/releases/assets/{there[sums.NAME]['id']}")
        if text is None:  # switched since the list was made
            return
        listed = sums.parse(text.decode())
        told = {name: asset["digest"].removeprefix("sha256:") for name, asset in there.items()}
        digest = told.pop(sums.NAME)
        if listed != told:
            self.wrong.append(f"{tag}: {listed} but {told}")
        self.seen.add((tag, digest))

    def get(self, path: str) -> bytes | None:
        request = urllib.request.Request(self.api + path, headers={"Accept": "application/octet-stream"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            assert error.code == 404, error
            return None


@contextmanager
def reading(api: str) -> Iterator[Reader]:
    reader = Reader(api)
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


def test_a_hundred_kills_and_never_a_hole(locked: World, tmp_path: Path) -> None:
    chance = random.Random(20261124)
    with releasing(locked, tmp_path / "hub") as ready, forks(__name__) as processes, reading(ready.hub.api) as reader:
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
    assert len(reader.seen) >= 4  # both builds, on the tag and on the channel
    print(f"{killed} kills in {rounds} rounds, {reader.rounds} readings, {reader.longest_gap:.2f} s without the tag")
