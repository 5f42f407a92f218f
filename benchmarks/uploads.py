"""Uploads of 2 GB to the tests' release server, ours against `curl --upload-file` of the same bytes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.child import Cost, FailedError
from benchmarks.lab import PROJECT, Lab
from bundler.model.release import TOO_LARGE
from tests.github import GitHub, github

_REPOSITORY = "example/litellm"
_WHOLE, _SPLIT = 1_990_000_000, TOO_LARGE
_CHUNK = 1 << 24


@dataclass(frozen=True)
class Uploads:
    """Seconds from the first to the last byte, and our peak of memory: one asset, and 2 GB in parts at once."""

    whole: Cost
    whole_curl: Cost
    split: Cost
    split_curl: Cost


def measure(lab: Lab) -> Uploads:
    """Upload the same bytes with both, in turn; the quickest of each counts."""
    return Uploads(*_turns(lab, _WHOLE), *_turns(lab, _SPLIT))


def _turns(lab: Lab, size: int) -> tuple[Cost, Cost]:
    with tempfile.TemporaryDirectory(dir=lab.folder) as name, github(Path(name) / "hub", repo=_REPOSITORY) as hub:
        hub.largest_asset = size  # curl sends in one what GitHub would refuse
        file, sha256 = _random(Path(name) / "file.tar.gz", size)
        costs = [(_ours(hub, file, sha256), _curl(hub, file)) for _ in range(lab.runs)]
    ours, curls = zip(*costs, strict=True)
    return min(ours, key=lambda cost: cost.seconds), min(curls, key=lambda cost: cost.seconds)


def _random(path: Path, size: int) -> tuple[Path, str]:
    """Write a file that does not compress; return it and its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for start in range(0, size, _CHUNK):
            chunk = os.urandom(min(_CHUNK, size - start))
            digest.update(chunk)
            file.write(chunk)
    return path, digest.hexdigest()


def _ours(hub: GitHub, file: Path, sha256: str) -> Cost:
    env = {**os.environ, "GITHUB_API_URL": hub.api, "GH_TOKEN": hub.token, "NO_PROXY": "127.0.0.1"}
    argv = [sys.executable, "-m", "benchmarks.uploading", _REPOSITORY, hub.head, str(file), sha256]
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(argv, cwd=PROJECT, env=env, stdin=subprocess.DEVNULL, stdout=output)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode()
    if child.returncode:
        raise FailedError(f"{' '.join(argv)}: exit {child.returncode}")
    _forget(hub)
    return Cost(float(text), usage.ru_maxrss * 1024 / 1e6)


def _curl(hub: GitHub, file: Path) -> Cost:
    release = hub.add_release(f"curl-{len(hub.kept)}", {}, draft=True)
    address = f"{hub.uploads}/repos/{_REPOSITORY}/releases/{release}/assets?name={file.name}"
    headers = [
        "-H",
        f"Authorization: Bearer {hub.token}",
        "-H",
        "Content-Type: application/octet-stream",
        "-H",
        "Expect:",
    ]
    argv = ["curl", "-sS", "--fail", "--noproxy", "*", "-o", os.devnull, "-w", "%{time_total}", "-X", "POST"]
    done = subprocess.run([*argv, *headers, "--upload-file", str(file), address], capture_output=True, text=True)
    if done.returncode:
        raise FailedError(f"curl: exit {done.returncode}\n{done.stderr[-2000:]}")
    _forget(hub)
    return Cost(float(done.stdout), 0)


def _forget(hub: GitHub) -> None:
    """Free the disk for the next upload."""
    for release in list(hub.kept.values()):
        for asset in list(release.assets.values()):
            hub.drop(release, asset)
        del hub.kept[release.id]
