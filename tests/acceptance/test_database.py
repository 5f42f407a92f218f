"""LiteLLM's database client on a host without network: the real npm CLI of Prisma and the real Node.js.

The engines are stand-ins, served by a local server: what only the real ones can show is in README, "What was not
exercised".
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundler.kinds.manifests import Manifests
from bundler.payloads.prisma.choice import ENGINES, Database
from tests.acceptance.roots import debian_root
from tests.interpreters import interpreter
from tests.model.samples import wheelhouse_of
from tests.server import Reply, Server, serving

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
TARGET = "debian-12-amd64"
ASSET = f"litellm-runtime-{TARGET}.tar.gz"
PLATFORM = "debian-openssl-3.0.x"
CLI = "packages/prisma/cli/node_modules/prisma/build/index.js"


def aiws(*words: str, cwd: Path, mirror: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "bundler", *words]
    env = {**os.environ, "AIWS_MIRRORS": f"https://binaries.prisma.sh/={mirror}/"}
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    for program in ("npm", "mmdebstrap"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Serves executable stand-ins for the engines, as their own server would: each beside its checksum."""
    texts = {path.name: path.read_text() for path in (ROOT / "manifests").glob("*.yaml")}
    chosen = wheelhouse_of(Manifests.parse(texts)).sections["database"]
    assert isinstance(chosen, Database)
    assert chosen is not None
    with serving() as made:
        for engine in ENGINES:
            program = f"#!/bin/sh\necho {engine} {chosen.engines.commit}\n".encode()
            content = gzip.compress(program, mtime=0)
            path = chosen.engines.address_of(PLATFORM, engine).removeprefix("https://binaries.prisma.sh")
            made.script(path, Reply(content))
            made.script(f"{path}.sha256", Reply(f"{hashlib.sha256(content).hexdigest()}  {engine}.gz\n".encode()))
        yield made


def checkout(folder: Path) -> Path:
    """A folder with the project's own manifests and locks."""
    shutil.copytree(ROOT / "manifests", folder / "manifests")
    return folder


@pytest.fixture(scope="module")
def built(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with an archive that supports a database."""
    folder = checkout(tmp_path_factory.mktemp("checkout"))
    locked = aiws("lock", TARGET, cwd=folder, mirror=server.address)
    assert "without database support" not in locked.stdout
    aiws("build", TARGET, cwd=folder, mirror=server.address)
    return folder


def facts_of(archive: Path) -> dict[str, Any]:
    with tarfile.open(archive) as tar:
        member = tar.extractfile("litellm-runtime/manifest.json")
        assert member is not None
        found: dict[str, Any] = json.load(member)
        return found


def test_the_client_is_generated_where_there_is_no_network(built: Path, server: Server) -> None:
    archive = built / "dist" / ASSET
    assert facts_of(archive)["database"]["supported"] is True
    aiws("verify", "dist", cwd=built, mirror=server.address)
    root = str(debian_root("12", "amd64"))
    done = aiws("--json", "rehearse", str(archive), "--root", root, cwd=built, mirror=server.address)
    report = json.loads(done.stdout)
    steps = {step["name"]: step for step in report["steps"]}
    generated = steps["database: generate the client"]
    print(f"{generated['detail']}: {generated['seconds']} s; archive {archive.stat().st_size / 1e6:.1f} MB")
    assert report["ok"], report
    assert generated["detail"].startswith("Node.js v")
    assert [attempt for step in report["steps"] for attempt in step["attempts"]] == []


def test_install_sh_leaves_nothing_when_the_client_cannot_be_generated(built: Path, tmp_path: Path) -> None:
    """Its CLI fails, in an archive whose own list knows of it: nothing of the caller's environment reaches Node.js."""
    with tarfile.open(built / "dist" / ASSET) as tar:
        tar.extractall(tmp_path, filter="data")
    top = tmp_path / "litellm-runtime"
    cli, listed = top / CLI, top / "metadata" / "files.sha256"
    before = hashlib.sha256(cli.read_bytes()).hexdigest()
    cli.write_text('console.error("no client today")\nprocess.exit(1)\n')
    text = listed.read_text()
    assert f"{before}  {CLI}\n" in text
    listed.write_text(text.replace(before, hashlib.sha256(cli.read_bytes()).hexdigest()))
    path = f"{Path(interpreter('3.11')).parent}:/usr/bin:/bin"
    argv = ["sh", str(top / "install.sh"), "--prefix", str(tmp_path / "opt")]
    env = {"PATH": path, "HOME": str(tmp_path)}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "generating the database client" in done.stdout
    assert "no client today" in done.stderr
    assert "the database client cannot be generated" in done.stderr
    assert "what it had made" in done.stderr
    assert not (tmp_path / "opt").exists()


def test_what_npm_packs_is_what_npm_installs(built: Path, server: Server, tmp_path: Path) -> None:
    """The CLI in the archive, file by file, is what npm itself makes of the same packages."""
    with tarfile.open(built / "dist" / ASSET) as tar:
        prefix = "litellm-runtime/packages/prisma/cli/node_modules/"
        ours = {
            m.name.removeprefix(prefix): tar.extractfile(m) for m in tar if m.isfile() and m.name.startswith(prefix)
        }
        digests = {name: hashlib.sha256(file.read()).hexdigest() for name, file in ours.items() if file}
    (tmp_path / "package.json").write_text('{"private": true, "dependencies": {"prisma": "5.17.0"}}')
    npm = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-bin-links"]
    subprocess.run(npm, cwd=tmp_path, check=True, capture_output=True)
    folder = tmp_path / "node_modules"
    theirs = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".package-lock.json"
    }
    assert digests == theirs


def test_an_engine_that_was_replaced_fails_lock_and_build(built: Path, server: Server, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    lock = (built / "manifests" / "locks" / f"pylock.litellm-{TARGET}.toml").read_text()
    commit = facts_of(built / "dist" / ASSET)["database"]["engines"]
    folder = mirror / "all_commits" / commit / PLATFORM
    folder.mkdir(parents=True)
    for engine in ENGINES:
        (folder / f"{engine}.gz").write_bytes(gzip.compress(b"something else"))
        (folder / f"{engine}.gz.sha256").write_text(f"{'0' * 64}  {engine}.gz\n")
    fresh = checkout(tmp_path / "fresh")
    words = ("--cache-dir", str(tmp_path / "cache"))
    done = aiws(*words, "lock", TARGET, cwd=fresh, mirror=f"file://{mirror}", code=3)
    assert "SHA-256 mismatch" in done.stderr
    (fresh / "manifests" / "locks" / f"pylock.litellm-{TARGET}.toml").write_text(lock)
    done = aiws(*words, "build", TARGET, cwd=fresh, mirror=f"file://{mirror}", code=3)
    assert "query-engine.gz: " in done.stderr or "schema-engine.gz: " in done.stderr
    assert not (fresh / "dist" / ASSET).exists()


def test_a_platform_without_engines_is_named(server: Server, tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    done = aiws("lock", "debian-11-amd64", cwd=folder, mirror=server.address, code=2)
    assert "there are no Prisma engines for the platform debian-openssl-1.1.x" in done.stderr


def test_out_of_reach_the_archive_is_made_without_and_says_so(tmp_path: Path) -> None:
    folder, nowhere = checkout(tmp_path), "http://127.0.0.1:9"
    locked = aiws("lock", TARGET, "--upgrade", cwd=folder, mirror=nowhere)
    assert "without database support (1)" in locked.stdout
    built = aiws("build", TARGET, cwd=folder, mirror=nowhere)
    assert "without database support (1)" in built.stdout
    assert f"  {TARGET}: Prisma's engines" in built.stdout
    database = facts_of(folder / "dist" / ASSET)["database"]
    assert database == {"supported": False, "reason": f"Prisma's engines for {PLATFORM} are not locked"}
    shown = aiws("inspect", f"dist/{ASSET}", cwd=folder, mirror=nowhere).stdout
    assert "database      not supported: " in shown
