"""LiteLLM's database client on a host without network: the real npm CLI of Prisma and the real Node.js.

The engines are stand-ins, served by a local server: what only the real ones can show is in docs/limits.md.
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
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundler.kinds.manifests import Manifests
from bundler.payloads.prisma.choice import ENGINES, Database
from tests import json_documents
from tests.acceptance.roots import debian_machine
from tests.acceptance.test_rehearse import check_role, machines_boot, role_of, tree
from tests.interpreters import interpreter
from tests.model.samples import wheelhouse_of
from tests.programs import elf
from tests.server import Reply, Server, serving

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
TARGET = "debian-12-amd64"
ASSET = f"litellm-runtime-{TARGET}.tar.gz"
PLATFORM = "debian-openssl-3.0.x"
WHEEL = "packages/pip/prisma-0.15.0+aiws.1-py3-none-linux_x86_64.whl"


def aiws(*words: str, cwd: Path, mirror: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "bundler", *words]
    env = {**os.environ, "AIWS_MIRRORS": f"https://binaries.prisma.sh/={mirror}/"}
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
    json_documents.hold(words, done.stdout)
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
            content = gzip.compress(elf(f"{engine} {chosen.engines.commit}\n"), mtime=0)
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
    root = debian_machine("12")
    before = tree(root)
    done = aiws("--json", "rehearse", str(archive), "--root", str(root), cwd=built, mirror=server.address)
    assert tree(root) == before, "the root was written to"
    report = json.loads(done.stdout)
    steps = {step["name"]: step for step in report["steps"]}
    assert report["ok"], report
    assert "program: ready, and answers" in steps
    for whose in ("consumers", "install.sh"):
        generated = steps[f"{whose}: database: generate the client"]
        print(f"{whose}: {generated['seconds']} s; archive {archive.stat().st_size / 1e6:.1f} MB")
        assert generated["detail"].startswith("Node.js v")
    assert {step["name"] for step in report["steps"] if step["attempts"]} <= {"role: the service: ready, and answers"}
    role = role_of(report)
    if machines_boot():
        check_role(role, "database: generate the client", "no such option: --resume-retries")
    else:
        assert [(step["name"], step["skipped"]) for step in role] == [("boot the root", True)]


def wheel_of(archive: Path, folder: Path) -> Path:
    """The wheel with all that a database needs, taken out of an archive."""
    with tarfile.open(archive) as tar:
        tar.extract(f"litellm-runtime/{WHEEL}", folder, filter="data")
    return folder / "litellm-runtime" / WHEEL


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_what_npm_packs_is_what_npm_installs(built: Path, tmp_path: Path) -> None:
    """The CLI in the wheel, file by file, is what npm itself makes of the same packages."""
    prefix = "prisma/_offline/cli/node_modules/"
    with zipfile.ZipFile(wheel_of(built / "dist" / ASSET, tmp_path / "archive")) as wheel:
        names = [name for name in wheel.namelist() if name.startswith(prefix)]
        digests = {name.removeprefix(prefix): sha256(wheel.read(name)) for name in names}
    (tmp_path / "package.json").write_text('{"private": true, "dependencies": {"prisma": "5.17.0"}}')
    npm = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-bin-links"]
    subprocess.run(npm, cwd=tmp_path, check=True, capture_output=True)
    folder = tmp_path / "node_modules"
    theirs = {
        str(path.relative_to(folder)): sha256(path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".package-lock.json"
    }
    assert digests == theirs


def test_the_patch_is_all_that_differs_from_upstream(built: Path, tmp_path: Path) -> None:
    """The wheel's modules are upstream's with the patch on them, as git applies it; pip and the RECORD agree."""
    pip = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--dest",
        str(tmp_path / "theirs"),
        "prisma==0.15.0",
    ]
    subprocess.run(pip, check=True, timeout=120)
    upstream, ours = tmp_path / "upstream", tmp_path / "ours"
    with zipfile.ZipFile(tmp_path / "theirs" / "prisma-0.15.0-py3-none-any.whl") as wheel:
        wheel.extractall(upstream)
    with zipfile.ZipFile(wheel_of(built / "dist" / ASSET, tmp_path / "archive")) as wheel:
        wheel.extractall(ours)
    patch = ROOT / "bundler" / "payloads" / "prisma" / "prisma-client-py.patch"
    subprocess.run(["git", "apply", str(patch)], cwd=upstream, check=True, timeout=60)
    shutil.rmtree(ours / "prisma" / "_offline")
    assert read_below(ours / "prisma") == read_below(upstream / "prisma")


def read_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def venv(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel and what it asks for, from the archive alone."""
    folder = tmp_path_factory.mktemp("venv")
    with tarfile.open(built / "dist" / ASSET) as tar:
        tar.extractall(folder, filter="data")
    wheels = folder / "litellm-runtime" / "packages" / "pip"
    subprocess.run([interpreter("3.11"), "-m", "venv", str(folder / "venv")], check=True, timeout=120)
    pip = [
        str(folder / "venv" / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "-q",
        "--no-index",
        "--find-links",
        str(wheels),
    ]
    subprocess.run([*pip, "prisma"], check=True, timeout=120)
    return folder


SCHEMA = """\
datasource db {
  provider = "postgresql"
  url      = env("DATABASE_URL")
}
generator client {
  provider = "prisma-client-py"
}
model Thing {
  id String @id
}
"""


def prisma(venv: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the CLI with nothing in the environment, an empty home and no network."""
    home, work = venv / "home", venv / "work"
    home.mkdir(exist_ok=True)
    work.mkdir(exist_ok=True)
    (work / "schema.prisma").write_text(SCHEMA)
    alone = ["unshare", "--net", "--map-root-user"] if shutil.which("unshare") else []
    made = {"HOME": str(home), "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", **env}
    argv = [*alone, str(venv / "venv" / "bin" / "prisma"), *words]
    done = subprocess.run(argv, cwd=work, env=made, capture_output=True, text=True, check=False, timeout=120)
    assert not list(home.iterdir()), "nothing is left in the home folder"
    return done


def test_with_nothing_in_the_environment_the_client_is_generated(venv: Path) -> None:
    done = prisma(venv, "generate", "--schema", "schema.prisma")
    assert done.returncode == 0, done.stdout + done.stderr
    packages = next((venv / "venv" / "lib").glob("python3*/site-packages"))
    baked = f"{packages}/prisma/_offline/engines/query-engine"
    assert baked in (packages / "prisma" / "client.py").read_text()
    code = "from prisma import Prisma; Prisma(); from prisma.engine.utils import ensure; print(ensure({}))"
    asked = subprocess.run(
        [str(venv / "venv" / "bin" / "python"), "-c", code],
        env={},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert asked.stdout.strip() == baked, asked.stderr


@pytest.mark.parametrize("words", [("migrate", "deploy"), ("db", "push", "--skip-generate")])
def test_migrations_reach_the_schema_engine_of_the_wheel(words: tuple[str, ...], venv: Path) -> None:
    """The stand-in is started and says its version, which is no answer; nothing is fetched in its place."""
    done = prisma(venv, *words, "--schema", "schema.prisma", DEBUG="prisma:*")
    said = done.stdout + done.stderr
    assert "Could not parse Schema engine response: schema-engine" in said
    assert "_offline/engines/schema-engine" in said
    assert "binaries.prisma.sh" not in said


def test_a_variable_that_is_set_wins(venv: Path) -> None:
    done = prisma(venv, "migrate", "deploy", "--schema", "schema.prisma", PRISMA_SCHEMA_ENGINE_BINARY="/nowhere/mine")
    assert "/nowhere/mine" in done.stdout + done.stderr


def test_an_engine_that_was_replaced_fails_lock_and_build(built: Path, server: Server, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    lock = (built / "manifests" / "locks" / f"pylock.litellm-{TARGET}.toml").read_text()
    commit = facts_of(built / "dist" / ASSET)["database"]["engines"]
    folder = mirror / "all_commits" / commit / PLATFORM
    folder.mkdir(parents=True)
    for engine in ENGINES:
        (folder / f"{engine}.gz").write_bytes(gzip.compress(elf("something else")))
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
