"""`diff` of published releases, and what `publish` says in a release's text of what changed since the one before."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from bundler.kinds import held_in
from bundler.model.release import Release
from bundler.release.since import previous
from bundler.sidecars import sbom
from bundler.sidecars.sbom import Sbom
from tests.cli.releasing import REPO, Releasing
from tests.github import Fault

ASSET = "litellm-runtime-debian-12-amd64.tar.gz"
COMMIT = "f" * 40
TAG = f"runtime-{COMMIT[:12]}"
HEADING = "### What changed since `{}`"


def older(ready: Releasing, *, sboms: bool = True) -> dict[str, bytes]:
    """What a release of before holds: the archives of dist/, whose SBOMs say that aiohttp was older."""
    files: dict[str, bytes] = {}
    for path in sorted(ready.world.dist.glob("*.tar.gz")):
        files[path.name], held = path.read_bytes(), held_in(path, path.name)
        items = [
            replace(one, version="2.9", purl=one.purl.replace("@3.0", "@2.9")) if one.name == "aiohttp" else one
            for one in held.items
        ]
        said = Sbom(path.name, sha256(files[path.name]), "1", replace(held, items=tuple(sorted(items))))
        if sboms:
            files[sbom.name(path.name)] = sbom.compose(said)
    lines = "".join(f"{sha256(content)}  {name}\n" for name, content in sorted(files.items()))
    return {**files, "SHA256SUMS": lines.encode()}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.slow
def test_a_release_is_read_by_its_sboms_alone(ready: Releasing) -> None:
    ready.hub.add_release(TAG, older(ready), commit=COMMIT)
    done = ready.run("diff", f"{REPO}@{TAG}", "dist")
    assert done.code == 0, done.err
    assert done.out.endswith("all 2:\n  aiohttp 2.9 -> 3.0\n")
    store = ready.world.root / "cache"
    archive = sha256((ready.world.dist / ASSET).read_bytes())
    assert not [path for path in store.rglob("*") if path.name == archive], "no archive was downloaded"


@pytest.mark.slow
def test_archives_of_a_release_without_sboms_are_downloaded(ready: Releasing) -> None:
    ready.hub.add_release(TAG, older(ready, sboms=False), commit=COMMIT)
    done = ready.run("diff", f"{REPO}@{TAG}", "dist")
    assert done.code == 0, done.err
    assert "nothing differs (2 compared)" in done.out


@pytest.mark.slow
def test_a_release_that_is_not_there_or_not_what_it_lists_is_refused(ready: Releasing) -> None:
    assert ready.run("diff", f"{REPO}@{TAG}", "dist").code == 4
    files = older(ready)
    wrong = {**files, sbom.name(ASSET): files[sbom.name(ASSET)].replace(b"2.9", b"2.8")}
    ready.hub.add_release(TAG, wrong, commit=COMMIT)
    done = ready.run("diff", f"{REPO}@{TAG}", "dist")
    assert done.code == 3
    assert f"{ASSET}.cdx.json: it is not the one that SHA256SUMS lists" in done.err
    bare = {name: content for name, content in files.items() if name != "SHA256SUMS"}
    ready.hub.add_release("v1", bare, commit=COMMIT)
    assert ready.run("diff", f"{REPO}@v1", "dist").code == 3


@pytest.mark.slow
def test_a_release_tells_what_changed_since_the_one_before_and_its_channel_does_not(ready: Releasing) -> None:
    ready.hub.add_release(TAG, older(ready), commit=COMMIT)
    done = ready.publish("--channel", "latest-runtime")
    assert done.code == 0, done.err
    body = ready.release(ready.tag).body or ""
    assert body.startswith(f"Offline runtime bundles, built from commit {ready.hub.head}.\n")
    assert HEADING.format(TAG) in body
    assert body.endswith("    all 2:\n      aiohttp 2.9 -> 3.0\n")
    assert "aiohttp" not in (ready.release("latest-runtime").body or "")


@pytest.mark.slow
def test_a_second_run_leaves_the_text_alone(ready: Releasing) -> None:
    ready.hub.add_release(TAG, older(ready), commit=COMMIT)
    assert ready.publish().code == 0
    body, writes = ready.release(ready.tag).body, len(ready.writes())
    ready.hub.add_release("runtime-" + "e" * 12, older(ready), commit="e" * 40)
    assert ready.publish().code == 0
    assert (ready.release(ready.tag).body, len(ready.writes())) == (body, writes)


@pytest.mark.slow
@pytest.mark.parametrize("tag", ["offline-ai-workspace-1", "v1", "latest-runtime"])
def test_releases_of_other_kinds_of_tags_do_not_count(ready: Releasing, tag: str) -> None:
    ready.hub.add_release(tag, older(ready), commit=COMMIT)
    assert ready.publish().code == 0
    assert "What changed" not in (ready.release(ready.tag).body or "")


@pytest.mark.slow
def test_where_the_one_before_does_not_tell_it_is_published_all_the_same(ready: Releasing) -> None:
    ready.hub.add_release(TAG, older(ready, sboms=False), commit=COMMIT)
    done = ready.publish()
    assert done.code == 0, done.err
    assert "What changed" not in (ready.release(ready.tag).body or "")
    assert f"note: {TAG} has no SBOMs to tell what changed since" in done.err


@pytest.mark.slow
def test_what_is_wrong_with_the_one_before_is_a_note(ready: Releasing) -> None:
    files = older(ready)
    ready.hub.add_release(TAG, {**files, sbom.name(ASSET): b"{}"}, commit=COMMIT)
    done = ready.publish()
    assert done.code == 0, done.err
    assert "note: the release's text does not tell what changed" in done.err
    assert ready.release(ready.tag).body


@pytest.mark.slow
def test_a_storage_that_does_not_answer_keeps_nothing_from_being_published(ready: Releasing) -> None:
    ready.hub.add_release(TAG, older(ready), commit=COMMIT)
    ready.hub.faults.append(Fault("api", "GET", r"/releases/assets/\d+$", status=503, times=-1))
    done = ready.publish()
    assert done.code == 0, done.err
    assert "note: the release's text does not tell what changed" in done.err


def release(number: int, tag: str, published: str | None, *, draft: bool = False) -> Release:
    return Release(number, tag, draft, "", published_at=published)


def test_the_one_before_is_the_newest_that_was_published_earlier() -> None:
    first, second = release(1, "runtime-a", "2026-01-01T00:00:00Z"), release(2, "runtime-b", "2026-01-02T00:00:00Z")
    others = [
        release(3, "runtime-c", None, draft=True),
        release(4, "offline-ai-workspace-1", "2026-01-03T00:00:00Z"),
        release(5, "latest-runtime", "2026-01-03T00:00:00Z"),
    ]
    all_of_them = [*others, first, second]
    assert previous(all_of_them, "runtime-d") == second
    assert previous(all_of_them, "runtime-b") == first, "what is published under the tag is not before itself"
    assert previous(all_of_them, "runtime-a") is None
    assert previous(all_of_them, "offline-ai-workspace-2") == others[1]
    assert previous(all_of_them, "v1") is None
    marked = release(7, "runtime-`<img/src=x>", "2026-01-09T00:00:00Z")
    assert previous([marked, *all_of_them], "runtime-d") == second, (
        "what would be markup in a text is no release of ours"
    )
