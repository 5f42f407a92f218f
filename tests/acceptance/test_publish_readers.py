"""GitHub's own command line lists releases at each request of a `publish`, and a consumer's own words take one of them.

The words are those of its offline-package workflows, `gh release list --limit 50 --json tagName --jq …`; the `gh` of
Debian 12 knows no --json, so what it lists goes to jq(1).
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.releasing import REPO, Releasing, fill
from tests.github import Fault, Seen
from tests.github.gh import Gh, serving_gh
from tests.world import World

pytestmark = pytest.mark.slow
TAKES = '[.[].tagName | select(startswith("runtime-"))][0]'
CHANNEL = "latest-runtime"


def taken(gh: Gh) -> str:
    """The tag that the consumer takes now: `null` for none."""
    listed = gh("list", "--limit", "50")
    assert listed.returncode == 0, listed.stderr
    tags = json.dumps([{"tagName": line.split("\t")[2]} for line in listed.stdout.splitlines()])
    done = subprocess.run(["jq", "-r", TAKES], input=tags, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_console_s_job_never_takes_a_draft(locked: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("jq"):
        pytest.skip("jq is not installed")
    monkeypatch.setattr("bundler.adapters.retry._backoff", lambda state: 0.0)
    fill(locked)
    folder = tmp_path / "served"
    folder.mkdir()
    with serving_gh(folder, repo=REPO) as gh:
        ready, hub = Releasing(locked, gh.hub), gh.hub
        took: list[tuple[str, bool]] = []

        def look(seen: Seen) -> None:
            if seen.path == "/graphql":  # that is gh itself
                return
            tag = taken(gh)
            took.append((tag, tag == "null" or hub.release(tag) is not None))

        def publish(*words: str) -> int:
            env = {**ready.env(), "SSL_CERT_FILE": str(gh.certificate)}
            run = ("publish", "dist", "--repo", REPO, "--tag", ready.tag, "--channel", CHANNEL, "--jobs", "1", *words)
            return locked.run(*run, **env).code

        hub.after = look
        hub.add_release("runtime-000000000001", {"SHA256SUMS": b""})
        assert publish() == 0
        ready.another_build()
        assert publish("--replace") == 0
        fill(locked)
        ready.epoch = "315532800"
        hub.faults.append(Fault("api", "PATCH", r"/releases/\d+$", status=500, after=1, times=-1))
        assert publish("--replace") == 4
        hub.faults.clear()
        assert publish() == 0
        assert all(published for _, published in took), took
        assert {tag for tag, _ in took} == {"runtime-000000000001", ready.tag}
        assert ready.stored(ready.tag) == ready.files
        assert len(took) > 100
