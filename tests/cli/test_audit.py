"""`audit`: locks, archives, folders and releases against a file, an index, and what lies beside them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bundler.adapters.store import Store
from bundler.model import sshsig
from tests.cli.releasing import Releasing
from tests.cli.signing import MAKER, Signing
from tests.cli.test_verify_release import replace_stored
from tests.server import Reply, Server, serving
from tests.world import Ran, World

# Whole commands, each of which takes a good part of a second.
pytestmark = pytest.mark.slow

TODAY = datetime.now(UTC).date().isoformat()


def osv(name: str, project: str, fixed: str, **more: Any) -> dict[str, Any]:
    events = [{"introduced": "0"}, {"fixed": fixed}]
    affected = {
        "package": {"ecosystem": "PyPI", "name": project},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }
    return {"id": name, "modified": "2026-01-01T00:00:00Z", "affected": [affected], **more}


FOUND = osv("GHSA-1", "async_timeout", "5.1", aliases=["CVE-2026-1"], summary="It waits.")
ELSEWHERE = osv("GHSA-2", "orjson", "3.0")


@pytest.fixture
def told(locked: World) -> World:
    """A world with a file of advisories, one of which is of something that is locked."""
    (locked.root / "osv.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in (FOUND, ELSEWHERE)))
    return locked


@pytest.fixture
def built(told: World, dist_of: Callable[[str], Path]) -> World:
    shutil.copytree(dist_of("debian-12-amd64"), told.dist)
    return told


@pytest.fixture
def index() -> Iterator[Server]:
    """An index that tells of advisories, and of nothing else."""
    with serving() as server:
        yield server


def against(world: World, *words: str, file: str = "osv.jsonl") -> Ran:
    return world.run("audit", *words, "--advisories", file)


def through(world: World, server: Server, *words: str) -> Ran:
    return world.run("audit", *words, PIP_INDEX_URL=f"{server.address}/simple")


def knows(server: Server, project: str, version: str, *told: dict[str, Any]) -> None:
    body = {"info": {"name": project, "version": version}, "vulnerabilities": list(told)}
    server.script(f"/pypi/{project}/{version}/json", Reply(json.dumps(body).encode()))


def test_locks_are_audited_together(told: World) -> None:
    done = against(told)
    assert done.code == 1
    assert "GHSA-1 async-timeout: It waits." in done.out and "also CVE-2026-1" in done.out
    assert "5.0; not affected any more: 5.1" in done.out
    assert "in litellm debian-12-amd64, litellm debian-12-arm64\n" in done.out
    assert "GHSA-2" not in done.out
    assert "4 locks: 1 advisories" in done.out
    assert against(told, "--targets", "debian-13").code == 0
    assert against(told, "--targets", "debian-99").code == 2
    assert against(told, "--component", "what").code == 2


def test_as_json(told: World) -> None:
    done = told.run("--json", "audit", "--advisories", "osv.jsonl", "--targets", "debian-12-amd64")
    document = done.json()
    assert (done.code, document["ok"]) == (1, False)
    (issue,) = document["issues"]
    assert (issue["id"], issue["versions"]) == ("GHSA-1", {"5.0": ["5.1"]})
    assert issue["archives"] == ["litellm debian-12-amd64"] and issue["accepted"] is None
    assert document["advisories"]["made"] == "2026-01-01" and document["advisories"]["age_days"] > 300


@pytest.mark.parametrize(
    ("accepted", "code", "said"),
    [
        ("{id: CVE-2026-1, reason: harmless here, until: 9999-01-31}", 0, "accepted until 9999-01-31: harmless here"),
        ("{id: GHSA-1, reason: x, until: 9999-01-31, projects: [Async.Timeout]}", 0, "0 advisories, 1 accepted"),
        ("{id: GHSA-1, reason: x, until: 9999-01-31, projects: [aiohttp]}", 1, "1 advisories"),
        ("{id: GHSA-1, reason: x, until: 2020-01-31}", 1, "was accepted until 2020-01-31: x"),
        ("{id: GHSA-2, reason: x, until: 9999-01-31}", 1, "1 advisories"),
    ],
)
def test_what_is_accepted_counts_until_its_end(told: World, accepted: str, code: int, said: str) -> None:
    told.write("trust.yaml", f"advisories: [{accepted}]\n")
    done = against(told)
    assert (done.code, said in done.out) == (code, True), done.out


def test_archives_and_folders_are_verified_and_audited(built: World) -> None:
    asset = "dist/litellm-runtime-debian-12-amd64.tar.gz"
    for subject in ("dist", asset):
        done = against(built, subject)
        assert done.code == 1
        assert f"in {asset}\n" in done.out
        assert "brought by litellm -> aiohttp -> async-timeout" in done.out
    (built.root / asset).write_bytes((built.root / asset).read_bytes()[:-1])
    assert against(built, "dist").code == 3
    assert against(built, "nothing").code == 2
    assert against(built, "dist", "--targets", "all").code == 2


def test_what_crosses_the_gap(built: World) -> None:
    """A snapshot lies beside the archives: a host that can ask nobody knows what was known, and a newer one more."""
    done = against(built, "--snapshot", "dist/advisories.json")
    assert (done.code, "wrote dist/advisories.json" in done.out) == (1, True)
    first = (built.dist / "advisories.json").read_bytes()
    assert against(built, "--snapshot", "again.json").code == 1
    assert (built.root / "again.json").read_bytes() == first
    away = built.root / "away"
    shutil.copytree(built.dist, away / "dist")
    shutil.rmtree(built.root / "manifests")
    offline = built.run("audit", "away/dist", "--offline")
    assert offline.code == 1
    assert (
        "GHSA-1" in offline.out
        and "as known on 2026-01-01" in offline.out
        and "a newer one may tell more" in offline.out
    )
    newer = osv("GHSA-3", "aiohttp", "9", modified="2026-02-01T00:00:00Z")
    (built.root / "newer.json").write_text(json.dumps([FOUND, newer]))
    later = against(built, "away/dist", file="newer.json")
    assert "GHSA-3" in later.out and "as known on 2026-02-01" in later.out
    assert built.run("verify", "away/dist").code == 0
    (away / "dist" / "advisories.json").write_bytes(first.replace(b"5.1", b"4.1"))
    changed = built.run("audit", "away/dist", "--offline")
    assert changed.code == 0, "whoever may write beside the archives may say so: SHA256SUMS of a release covers it"
    (away / "dist" / "advisories.json").write_bytes(first[:-5])
    assert built.run("audit", "away/dist", "--offline").code == 3
    assert built.run("verify", "away/dist").code == 3


def test_of_what_a_snapshot_tells_nothing(built: World) -> None:
    assert against(built, "--targets", "debian-13-amd64", "--snapshot", "dist/advisories.json").code == 0
    done = built.run("audit", "dist", "--offline")
    assert "the advisories tell nothing of async-timeout 5.0 (PyPI)" in done.out
    assert "tells nothing of async-timeout 5.0" in built.run("verify", "dist").out


def test_nobody_to_ask(built: World, impatient: None) -> None:
    for words in (("audit", "--offline"), ("audit", "dist", "--offline")):
        done = built.run(*words)
        assert (done.code, "--advisories FILE" in done.err) == (4, True)
    done = built.run("audit", "dist")
    assert (done.code, "serves no advisories" in done.err) == (4, True)
    against(built, "--snapshot", "dist/advisories.json")
    done = built.run("audit", "dist")
    assert (done.code, "what dist/advisories.json says is used" in done.out) == (1, True)


def test_an_index_that_knows(told: World, index: Server) -> None:
    knows(index, "async-timeout", "5.0", {"id": "PYSEC-1", "aliases": ["CVE-2026-1"], "fixed_in": ["5.1"]})
    knows(index, "aiohttp", "3.0")
    done = through(told, index, "--snapshot", "s.json")
    assert done.code == 1
    assert "PYSEC-1 async-timeout" in done.out and f"as known on {TODAY} (today)" in done.out
    assert "the advisories tell nothing of " in done.out and "aiohttp" not in done.out
    snapshot = json.loads((told.root / "s.json").read_text())
    assert snapshot["asked"] == {"PyPI": {"aiohttp": ["3.0"], "async-timeout": ["5.0"]}}
    assert "127.0.0.1" not in json.dumps(snapshot)


def test_an_index_that_lies(told: World, index: Server) -> None:
    knows(index, "async-timeout", "5.0")
    index.script("/pypi/aiohttp/3.0/json", Reply(b'{"info": {"name": "yarl", "version": "3.0"}}'))
    done = through(told, index)
    assert (done.code, "it tells of another package: yarl 3.0" in done.err) == (3, True)


def test_licences_are_told_of_archives_alone(built: World) -> None:
    built.write("trust.yaml", "licences: {allow: [MIT], exceptions: [{project: pip, reason: it is everywhere}]}\n")
    done = against(built, "--targets", "debian-13")
    assert (done.code, "licences are told by the files alone" in done.out) == (0, True)
    document = built.run("--json", "audit", "dist", "--advisories", "osv.jsonl").json()
    refused = {one["name"]: one["reason"] for one in document["licences"]}
    assert refused["litellm"] == "its licence is not told" and "pip" not in refused
    done = built.run("verify", "dist")
    assert (done.code, "litellm 1.0: its licence is not told" in done.out) == (1, True)
    built.write("trust.yaml", "licences: {deny: [AGPL-3.0-only]}\n")
    assert built.run("verify", "dist").code == 0


def test_what_is_known_to_be_bad_is_found(built: World) -> None:
    built.write("trust.yaml", "known-bad: [{requirement: aiohttp==3.0, reason: stolen}]\n")
    for subject in ((), ("dist",)):
        done = against(built, *subject)
        assert (done.code, "aiohttp 3.0 is known to be bad: stolen" in done.out) == (3, True)


def test_a_lock_that_cannot_be_read_is_no_lock_without_faults(told: World) -> None:
    path = told.root / "manifests" / "locks" / "pylock.litellm-debian-12-amd64.toml"
    path.write_text(path.read_text()[:-40])
    assert against(told).code == 2
    path.unlink()
    assert "litellm is not locked for debian-12-amd64" in against(told).out


def test_a_release_carries_what_was_known(ready: Releasing) -> None:
    world = ready.world
    (world.root / "osv.jsonl").write_text(json.dumps(FOUND))
    assert against(world, "--snapshot", "dist/advisories.json").code == 1
    for name in ("other.txt", "a: b.txt"):
        (world.dist / name).write_bytes(b"mine")
    done = ready.publish("--channel", "latest-runtime")
    assert done.code == 0, done.err
    assert "advisories.json: surplus" not in done.err
    for name in ("other.txt", "a: b.txt"):
        assert f"note: dist/{name}: surplus: not listed in SHA256SUMS; it is not published\n" in done.err
    for tag in (ready.tag, "latest-runtime"):
        done = ready.run("audit", f"example/litellm@{tag}", "--advisories", "osv.jsonl")
        assert (done.code, "GHSA-1" in done.out) == (1, True), done
        assert ready.run("verify", f"example/litellm@{tag}").code == 0
    release = ready.hub.published(ready.tag)
    assert release is not None
    assert "advisories.json" in {asset.name for asset in release.assets.values()}


def test_a_release_whose_sboms_nobody_signed_is_not_believed(signed: Signing) -> None:
    ready = signed.releasing
    (ready.world.root / "osv.jsonl").write_text(json.dumps(FOUND))
    words = ("audit", f"example/litellm@{ready.tag}", "--advisories", "osv.jsonl")
    assert ready.run(*words).code == 1
    release = ready.hub.published(ready.tag)
    assert release is not None
    for name in ("SHA256SUMS.minisig", "SHA256SUMS.sig"):
        asset = release.named(name)
        assert asset is not None
        ready.hub.drop(release, asset)
    done = ready.run(*words)
    assert (done.code, "SHA256SUMS: signed by no release keys, and 1 must have" in done.out) == (3, True), done
    folder = signed.download()
    done = ready.run("audit", "downloaded", "--advisories", "osv.jsonl")
    assert (done.code, "who made it is not proven: nobody signed it" in done.out) == (1, True), done
    (folder / "SHA256SUMS.sig").write_bytes(sshsig.compose(MAKER, b"another", f"{ready.tag}@aiws-bundle"))
    assert ready.run("audit", "downloaded", "--advisories", "osv.jsonl").code == 3


def test_a_release_is_audited_by_its_sboms_and_by_its_archives_if_one_is_not_what_it_says(ready: Releasing) -> None:
    world = ready.world
    (world.root / "osv.jsonl").write_text(json.dumps(FOUND))
    assert ready.publish().code == 0
    asset = "litellm-runtime-debian-12-amd64.tar.gz"
    archive = Store(world.root / "cache").path(ready.files[asset])
    words = ("audit", f"example/litellm@{ready.tag}", "--advisories", "osv.jsonl")
    done = ready.run(*words)
    assert (done.code, archive.exists()) == (1, False), done
    assert "brought by litellm -> aiohttp -> async-timeout" in done.out
    world.write("trust.yaml", "known-bad: [{requirement: aiohttp==3.0, reason: stolen}]\n")
    assert ready.run(*words).code == 3
    world.write("trust.yaml", "{}\n")
    replace_stored(ready, ready.tag, f"{asset}.cdx.json", b"{}", tell=True)
    done = ready.run(*words)
    assert (done.code, f"{asset}.cdx.json" in done.out) == (3, True), done
    assert archive.exists() and "GHSA-1" in done.out
