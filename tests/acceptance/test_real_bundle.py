"""The promise itself, on the real index: what `build` leaves installs with no index, and LiteLLM answers."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.interpreters import interpreter

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
ASSET = "litellm-runtime-debian-12-amd64.tar.gz"


def run(argv: list[str], env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> str:
    done = subprocess.run(argv, env=env, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def dist(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    argv = [sys.executable, "-m", "bundler", "--cache-dir", str(cache), "build", "debian-12-amd64", "--out", str(out)]
    run(argv)
    return out


def test_the_fresh_bundle_verifies(dist: Path) -> None:
    run([sys.executable, "-m", "bundler", "verify", str(dist)])
    run(["sha256sum", "-c", "SHA256SUMS"], cwd=dist)


def test_pip_installs_it_with_no_index_as_the_consumers_do(dist: Path, tmp_path: Path) -> None:
    python = interpreter("3.11")
    with tarfile.open(dist / ASSET) as tar:
        tar.extractall(tmp_path, filter="data")
    top = tmp_path / "litellm-runtime"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "PYTHON"))}
    env = {
        **kept,
        "PIP_FIND_LINKS": str(top / "packages" / "pip"),
        "PIP_PREFER_BINARY": "true",
        "PIP_NO_INDEX": "true",
        "PIP_CONFIG_FILE": os.devnull,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    source = f'source {top}/metadata/runtime.env && printf %s "$LITELLM_PACKAGE_SPEC"'
    spec = run(["bash", "-c", source])
    assert spec == "litellm[proxy]==1.89.0"
    venv = tmp_path / "venv"
    run([python, "-m", "venv", str(venv)], env)
    pip = [str(venv / "bin" / "python"), "-m", "pip"]
    run([*pip, "install", "--upgrade", "pip"], env)
    run([*pip, "install", "--retries", "5", "--resume-retries", "5", spec, "prisma", "psycopg2-binary"], env)
    assert "1.89.0" in run([str(venv / "bin" / "litellm"), "--version"], env)
    assert "No broken requirements" in run([*pip, "check"], env)


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_other_interpreters_make_the_same_bytes(version: str, dist: Path, cache: Path, tmp_path: Path) -> None:
    python = interpreter(version)
    venv, out = tmp_path / "venv", tmp_path / "dist"
    run([python, "-m", "venv", str(venv)])
    run([str(venv / "bin" / "pip"), "install", "-q", str(ROOT)])
    argv = [str(venv / "bin" / "aiws-bundle"), "--cache-dir", str(cache), "build", "debian-12-amd64"]
    run([*argv, "--offline", "--out", str(out)], {**os.environ, "TZ": "Pacific/Auckland"})
    digests = {hashlib.sha256((folder / ASSET).read_bytes()).hexdigest() for folder in (out, dist)}
    assert len(digests) == 1
