"""A wheelhouse whose own wheel is built from a real project's source archive, against the real index."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.interpreters import interpreter
from tests.sandboxes import needs_sandbox
from tests.sources import ADDRESS, COMMIT
from tests.world import PYTHON, TARGETS

pytestmark = [pytest.mark.slow, needs_sandbox]

ROOT = Path(__file__).parent.parent.parent
# Built with setuptools and setuptools-scm, which looks for a version in the folder, its name and its git history.
PROJECT, VERSION = "iniconfig", "2.3.0"
ASSET = "litellm-runtime-debian-12-amd64.tar.gz"
WHEELHOUSE = f"""\
kind: wheelhouse
component: litellm
repository: example/litellm
asset: litellm-runtime-{{distro}}-{{version}}-{{arch}}.tar.gz
requirement: {PROJECT}=={VERSION}
bootstrap: [pip>=25.1, setuptools, wheel]
startup-files: [setuptools]
source:
  address: {ADDRESS}
  commit: {COMMIT}
"""


def run(argv: list[str], env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> str:
    done = subprocess.run(argv, env=env, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder of manifests that pin a real source archive, locked, and the mirror on loopback that has it."""
    folder = tmp_path_factory.mktemp("checkout")
    argv = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", PROJECT, f"{PROJECT}=={VERSION}"]
    run([*argv, "-d", str(folder / "sdist")])
    (sdist,) = (folder / "sdist").iterdir()
    sdist.rename(folder / "sdist" / f"{COMMIT}.zip")  # its bytes say what it is, whatever it is called
    digest = hashlib.sha256((folder / "sdist" / f"{COMMIT}.zip").read_bytes()).hexdigest()
    manifests = folder / "manifests"
    manifests.mkdir()
    (manifests / "targets.yaml").write_text(TARGETS.replace("[amd64, arm64]", "[amd64]"))
    (manifests / "python.yaml").write_text(PYTHON)
    (manifests / "litellm.yaml").write_text(f"{WHEELHOUSE}  sha256: {digest}\n")
    serve = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder / "sdist"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    mirror = f"{ADDRESS.rpartition('/')[0]}/=http://127.0.0.1:{server.server_port}/"
    try:
        bundle(sys.executable, folder, mirror, folder / "cache", "lock")
        yield folder, mirror
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def bundle(python: str, folder: Path, mirror: str, cache: Path, *words: str) -> str:
    env = {**os.environ, "AIWS_MIRRORS": mirror, "AIWS_CACHE_DIR": str(cache), "NO_PROXY": "127.0.0.1"}
    return run([python, "-m", "bundler", "--manifests", str(folder / "manifests"), *words], env)


def test_the_same_bytes_anywhere(checkout: tuple[Path, str], tmp_path: Path) -> None:
    """Two folders, two stores, two Pythons: one wheel."""
    folder, mirror = checkout
    outs = [tmp_path / "one", tmp_path / "another place"]
    for out in outs:
        bundle(sys.executable, folder, mirror, out / "cache", "build", "debian-12-amd64", "--out", str(out / "dist"))
    venv = tmp_path / "venv"
    run([interpreter("3.13"), "-m", "venv", str(venv)])
    python = str(venv / "bin" / "python")
    run([python, "-m", "pip", "install", "-q", str(ROOT)])
    out = tmp_path / "python 3.13"
    bundle(python, folder, mirror, out / "cache", "build", "debian-12-amd64", "--out", str(out / "dist"))
    assert len({(one / "dist" / "SHA256SUMS").read_text() for one in (*outs, out)}) == 1


def test_the_archive_verifies_and_installs_with_no_index(checkout: tuple[Path, str], tmp_path: Path) -> None:
    folder, mirror = checkout
    bundle(sys.executable, folder, mirror, folder / "cache", "build", "debian-12-amd64", "--out", str(tmp_path))
    bundle(sys.executable, folder, mirror, folder / "cache", "verify", str(tmp_path))
    with tarfile.open(tmp_path / ASSET) as tar:
        tar.extractall(tmp_path, filter="data")
    top, venv = tmp_path / "litellm-runtime", tmp_path / "venv"
    run([interpreter("3.11"), "-m", "venv", str(venv)])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    env = {
        **kept,
        "PIP_NO_INDEX": "true",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": str(top / "packages" / "pip"),
    }
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "-q"]
    run([*pip, "--upgrade", "pip"], env)
    run([*pip, "--require-hashes", "--requirement", str(top / "metadata" / "requirements.txt")], env)
    code = f"import importlib.metadata; assert importlib.metadata.version('{PROJECT}') == '{VERSION}'"
    run([str(venv / "bin" / "python"), "-c", code])
