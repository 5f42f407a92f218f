"""`publish DIR --tag TAG` alone: where to, and what follows, is what the manifest says; options beat it."""

from __future__ import annotations

import pytest

from tests.cli.releasing import REPO, Releasing
from tests.world import WHEELHOUSE

# Whole commands: with all others in a minute there is no room for them.
pytestmark = pytest.mark.slow


def test_repository_and_channel_come_from_the_manifest_and_options_beat_them(ready: Releasing) -> None:
    ready.world.write("litellm.yaml", f"{WHEELHOUSE}channel: latest-runtime\n")

    def dry(*words: str) -> tuple[str, str | None]:
        done = ready.run("--json", "publish", "dist", "--tag", ready.tag, "--dry-run", *words)
        assert done.code == 0, done.err
        told = done.json()
        return told["repository"], told["channel"] and told["channel"]["tag"]

    assert dry() == (REPO, "latest-runtime")
    assert dry("--no-channel") == (REPO, None)
    assert dry("--channel", "newest") == (REPO, "newest")
    assert dry("--repo", REPO) == (REPO, None)
    done = ready.run("publish", "dist", "--tag", ready.tag)
    assert done.code == 0, done.err
    assert {one.tag for one in ready.published()} == {ready.tag, "latest-runtime"}
    told = ready.run("--json", "verify", f"@{ready.tag}", "@latest-runtime", "--digests-only").json()
    assert [(one["repository"], one["ok"]) for one in told["releases"]] == [(REPO, True)] * 2
    assert ready.run("--json", "report", "dist", "--tag", ready.tag).json()["repository"] == REPO


def test_nothing_to_go_by_and_what_contradicts_is_told(ready: Releasing) -> None:
    ready.world.write("litellm.yaml", f"{WHEELHOUSE}released: false\n")
    done = ready.run("publish", "dist", "--tag", ready.tag)
    assert done.code == 2
    assert "no manifest says" in done.err and "--repo OWNER/REPO" in done.err
    done = ready.run("publish", "dist", "--tag", ready.tag, "--channel", "x", "--no-channel")
    assert (done.code, "contradict" in done.err) == (2, True)
