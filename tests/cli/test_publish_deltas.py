"""`publish --delta-from`: deltas from releases before, against a server that behaves like GitHub, with real bytes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.releasing import FIRST, OTHER, REPO, Releasing, fill
from tests.cli.signing import Signing
from tests.github import Fault
from tests.world import WHEELHOUSE

pytestmark = pytest.mark.slow

ASSET = "litellm-runtime-debian-12-amd64.tar.gz"
# A release each: the time of its files, of which all its bytes follow.
EPOCHS = (FIRST, OTHER, "1100000000", "1200000000")


def at(ready: Releasing, number: int) -> None:
    """Go to a later commit, which gives other archives."""
    ready.hub.head = hashlib.sha1(bytes([number]), usedforsecurity=False).hexdigest()
    ready.hub.commits.add(ready.hub.head)
    ready.epoch = EPOCHS[number]
    fill(ready.world, ready.epoch)


def digest(ready: Releasing) -> str:
    """The SHA-256 of the archive in dist/."""
    return hashlib.sha256((ready.world.dist / ASSET).read_bytes()).hexdigest()


def chain(ready: Releasing, *froms: str) -> list[str]:
    """Publish releases one after the other, each with deltas as told; the digests of an archive of each."""
    digests = []
    for number, words in enumerate(froms):
        at(ready, number)
        digests.append(digest(ready))
        done = ready.publish(*words.split())
        assert done.code == 0, done.err
    return digests


def delta_from(old: str) -> str:
    return f"{ASSET}.from-{old[:12]}.delta"


def deltas(ready: Releasing) -> set[str]:
    """The deltas to one archive that the release of the tag at hand holds."""
    return {name for name in ready.stored(ready.tag) if name.startswith(f"{ASSET}.from-")}


def test_a_release_holds_deltas_from_the_last_ones_and_what_applies_them(ready: Releasing, tmp_path: Path) -> None:
    first, second, third = chain(ready, "", "", "--delta-from last:3")
    assert deltas(ready) == {delta_from(first), delta_from(second)}
    assets = {name: asset.path for name, asset in ready.release(ready.tag).assets.items()}
    sums = assets["SHA256SUMS"].read_text(encoding="utf-8")
    assert {delta_from(first), "apply-delta.sh"} <= {line[66:] for line in sums.splitlines()}
    assert "apply-delta.sh OLD DELTA" in (ready.release(ready.tag).body or "")
    at(ready, 0)
    command = ["sh", *map(str, (assets["apply-delta.sh"], ready.world.dist / ASSET, assets[delta_from(first)]))]
    subprocess.run(
        [*command, "--out", str(tmp_path), "--sums", str(assets["SHA256SUMS"])], check=True, capture_output=True
    )
    assert hashlib.sha256((tmp_path / ASSET).read_bytes()).hexdigest() == third


def test_a_second_run_changes_nothing_and_deltas_are_there_before_the_release_is(ready: Releasing) -> None:
    (first, _) = chain(ready, "", "--delta-from last:3")
    before = len(ready.writes())
    assert ready.writes()[-1].method == "PATCH", "the release appears after all that it holds"
    at(ready, 1)
    done = ready.publish("--delta-from", "last:3")
    assert done.code == 0, done.err
    assert (len(ready.writes()), deltas(ready)) == (before, {delta_from(first)})
    assert "unchanged" in done.out


def test_an_interrupted_run_is_finished_with_the_same_bytes(ready: Releasing) -> None:
    (first,) = chain(ready, "")
    at(ready, 1)
    ready.hub.faults.append(Fault("uploads", "POST", r"debian-13.*delta", status=502, times=-1))
    assert ready.publish("--delta-from", "last:1").code == 4
    assert [one.tag for one in ready.published()] != [ready.tag]
    there = {name: asset.sha256 for draft in ready.hub.drafts() for name, asset in draft.assets.items()}
    assert delta_from(first) in there
    ready.hub.faults.clear()
    assert ready.publish("--delta-from", "last:1").code == 0
    assert ready.stored(ready.tag)[delta_from(first)] == there[delta_from(first)]


def test_a_dry_run_tells_and_a_channel_holds_them_too(ready: Releasing) -> None:
    (first,) = chain(ready, "")
    tag = ready.tag
    at(ready, 1)
    writes = len(ready.writes())
    done = ready.publish("--delta-from", tag, "--dry-run")
    assert done.code == 0, done.err
    assert delta_from(first) in done.out
    assert len(ready.writes()) == writes
    assert ready.publish("--delta-from", tag, "--channel", "latest-runtime").code == 0
    assert delta_from(first) in ready.stored("latest-runtime")


def test_what_a_release_before_cannot_give_is_told(ready: Releasing) -> None:
    chain(ready, "", "")
    broken, good = ready.published()
    at(ready, 2)
    ready.hub.kept[broken.id].assets.clear()
    done = ready.publish("--delta-from", "last:2")
    assert done.code == 0, done.err
    assert f"note: no deltas from {broken.tag}: example/litellm@{broken.tag}: SHA256SUMS: missing" in done.err
    assert len(deltas(ready)) == 1
    assert good


def test_a_release_that_is_not_there_is_an_error_before_anything_is_changed(ready: Releasing) -> None:
    at(ready, 0)
    for word in ("runtime-000000000000", ready.tag):
        done = ready.publish("--delta-from", word)
        assert done.code == 2
        assert f"has no release {word} before {ready.tag}" in done.err
    assert ready.publish("--delta-from", "last:0").code == 2
    assert ready.writes() == []


def test_an_old_archive_that_is_not_what_is_listed_gives_no_delta(ready: Releasing) -> None:
    chain(ready, "")
    tag = ready.tag
    (old,) = [asset for asset in ready.release(tag).assets.values() if asset.name == ASSET]
    content = bytearray(old.path.read_bytes())
    content[len(content) // 2] ^= 1
    old.path.write_bytes(content)
    at(ready, 1)
    for store in ready.world.root.rglob("sha256"):
        shutil.rmtree(store)
    done = ready.publish("--delta-from", tag)
    assert done.code == 0, done.err
    assert f"note: no delta to {ASSET} from {tag}" in done.err
    assert deltas(ready) == set()


def test_apply_takes_the_shortest_way_to_a_release_and_tells_it(ready: Releasing, tmp_path: Path) -> None:
    first, second, third = chain(ready, "", "--delta-from last:1", "--delta-from last:1")
    address = f"{REPO}@{ready.tag}"
    at(ready, 0)
    old = ready.world.dist / ASSET
    dry = ready.run("apply", str(old), address, "--dry-run")
    assert dry.code == 0, dry.err
    done = ready.run("--json", "apply", str(old), address, "--out", str(tmp_path / "out"))
    assert done.code == 0, done.err
    told = done.json()
    whole = told["steps"][0]["name"] == ASSET
    assert whole or [step["name"] for step in told["steps"]] == [delta_from(first), delta_from(second)]
    assert told["downloaded"] + told["saved"] == told["size"]
    assert all(f"{step['name']} of {step['tag']}" in dry.out for step in told["steps"])
    assert hashlib.sha256(Path(told["path"]).read_bytes()).hexdigest() == told["sha256"] == third
    verified = ready.run("--json", "verify", address)
    assert verified.code == 0, verified.out


def test_a_release_that_nobody_signed_gives_nothing_where_keys_are_named(signing: Signing, tmp_path: Path) -> None:
    ready = signing.releasing
    at(ready, 0)
    assert signing.publish("--unsigned", signer=None).code == 0
    unsigned, old = ready.tag, ready.world.dist / ASSET
    done = ready.run("apply", str(old), f"{REPO}@{unsigned}", "--out", str(tmp_path / "out"))
    assert (done.code, (tmp_path / "out").exists()) == (3, False)
    at(ready, 1)
    done = signing.publish("--delta-from", "last:1")
    assert done.code == 0, done.err
    assert f"note: no deltas from {unsigned}" in done.err
    assert deltas(ready) == set()


def test_deltas_are_made_between_releases_and_a_folder(ready: Releasing, tmp_path: Path) -> None:
    (first,) = chain(ready, "")
    old = ready.tag
    at(ready, 1)
    assert ready.publish().code == 0
    for number, new in enumerate((f"{REPO}@{ready.tag}", "dist")):
        out = tmp_path / str(number)
        done = ready.run("--json", "delta", f"{REPO}@{old}", new, "--out", str(out))
        assert done.code == 0, done.err
        assert delta_from(first) in {path.name for path in out.iterdir()}
    assert (tmp_path / "0" / delta_from(first)).read_bytes() == (tmp_path / "1" / delta_from(first)).read_bytes()


def test_the_manifest_asks_for_deltas_and_options_beat_it(ready: Releasing) -> None:
    (first, second) = chain(ready, "", "")
    ready.world.write("litellm.yaml", f"{WHEELHOUSE}deltas: 2\n")
    at(ready, 2)
    contradiction = ready.publish("--no-deltas", "--delta-from", "last:1")
    assert (contradiction.code, "contradict" in contradiction.err) == (2, True)
    for words, froms in (("--no-deltas", ()), ("--delta-from last:1", (second,)), ("", (first, second))):
        done = ready.run("--json", "publish", "dist", "--repo", REPO, "--tag", ready.tag, "--dry-run", *words.split())
        assert done.code == 0, done.err
        wanted = {name for name in done.json()["release"]["uploaded"] if name.startswith(f"{ASSET}.from-")}
        assert wanted == {delta_from(old) for old in froms}
