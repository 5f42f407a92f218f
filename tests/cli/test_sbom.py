"""SBOMs as `build`, `assemble`, `verify` and `publish` make and check them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from bundler.sidecars import sbom
from tests.cli.releasing import REPO, Releasing
from tests.world import World

# Whole commands, each of which takes a good part of a second.
pytestmark = pytest.mark.slow

ASSET = "litellm-runtime-debian-12-amd64.tar.gz"
SBOM = f"{ASSET}.cdx.json"


def held(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def relisted(folder: Path) -> None:
    """Write SHA256SUMS for what the folder holds, as who changed a file would."""
    files = {name: content for name, content in held(folder).items() if name != "SHA256SUMS"}
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items())]
    (folder / "SHA256SUMS").write_text("".join(lines))


def test_an_sbom_says_what_is_in_the_archive_and_what_needs_it(locked: World) -> None:
    assert locked.run("build", "debian-12-amd64").code == 0
    said = sbom.parse((locked.dist / SBOM).read_bytes(), ASSET)
    assert said.sha256 == hashlib.sha256((locked.dist / ASSET).read_bytes()).hexdigest()
    items = said.inventory.by_purl
    app = items["pkg:pypi/litellm@1.0"]
    assert [items[purl].name for purl in app.needs] == ["aiohttp", "orjson"]
    assert app.purl in said.inventory.roots
    assert {item.path for item in items.values()} >= {"packages/pip/litellm-1.0-py3-none-any.whl"}
    done = locked.run("--json", "verify", "dist")
    assert done.code == 0, done.out


def test_the_same_locks_make_the_same_sboms_elsewhere(locked: World, tmp_path: Path) -> None:
    assert locked.run("build", "all", SOURCE_DATE_EPOCH="1000000000").code == 0
    before, mask = held(locked.dist), os.umask(0o077)
    try:
        other = str(tmp_path / "other")
        done = locked.run("build", "all", "--out", other, TZ="Asia/Tokyo", SOURCE_DATE_EPOCH="1000000000")
    finally:
        os.umask(mask)
    assert done.code == 0, done.err
    assert held(tmp_path / "other") == before


@pytest.mark.parametrize("harm", ["removed", "edited", "forgotten", "folder of before"])
def test_an_archive_that_is_finished_gets_its_sbom_without_being_packed(locked: World, harm: str) -> None:
    assert locked.run("build", "debian-12-amd64").code == 0
    before, made = held(locked.dist), (locked.dist / ASSET).stat().st_mtime_ns
    if harm in ("removed", "folder of before"):
        (locked.dist / SBOM).unlink()
    elif harm == "edited":
        (locked.dist / SBOM).write_text("{}")
    if harm in ("forgotten", "folder of before"):
        relisted(locked.dist)
        shutil.rmtree(locked.root / "cache" / "dist")
    done = locked.run("--json", "build", "debian-12-amd64")
    assert [one["state"] for one in done.json()["archives"]] == ["unchanged"]
    assert held(locked.dist) == before
    assert (locked.dist / ASSET).stat().st_mtime_ns == made


def test_clean_takes_sboms_along(locked: World) -> None:
    assert locked.run("build", "debian-12-amd64").code == 0
    assert locked.run("clean", "--out", "dist").code == 0
    assert not locked.dist.exists()


def test_an_sbom_of_another_archive_is_found_with_its_line_or_without(locked: World) -> None:
    assert locked.run("build", "debian-12-amd64", "debian-13-amd64").code == 0
    shutil.copy(locked.dist / f"{ASSET.replace('12', '13')}.cdx.json", locked.dist / SBOM)
    assert locked.run("verify", "dist").code == 3
    relisted(locked.dist)
    done = locked.run("verify", "dist")
    assert done.code == 3
    assert f"dist/{SBOM}: is of another archive" in done.out


def test_an_edited_sbom_is_found(locked: World) -> None:
    assert locked.run("build", "debian-12-amd64").code == 0
    path = locked.dist / SBOM
    path.write_bytes(path.read_bytes().replace(b'"orjson"', b'"arjson"'))
    relisted(locked.dist)
    done = locked.run("verify", "dist")
    assert done.code == 3
    assert f"dist/{SBOM}: another name of pkg:pypi/orjson@" in done.out


def test_publish_puts_what_the_folder_holds_on_the_release(ready: Releasing) -> None:
    done = ready.publish()
    assert done.code == 0, done.err
    asset = ready.release(ready.tag).assets[SBOM]
    assert asset.path.read_bytes() == (ready.world.dist / SBOM).read_bytes()
    assert ready.run("verify", f"{REPO}@{ready.tag}").code == 0


def test_a_release_of_before_has_none_and_that_is_told(ready: Releasing) -> None:
    for path in ready.world.dist.glob("*.cdx.json"):
        path.unlink()
    relisted(ready.world.dist)
    ready.hub.add_release("other", held(ready.world.dist))
    done = ready.run("--json", "verify", f"{REPO}@other")
    assert done.code == 0, done.out + done.err
    assert f"{SBOM}: missing; an older aiws-bundle made the release" in json.dumps(done.json())
