"""An archive for macOS, made on Linux: locked, built, judged and told as any other."""

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
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundler.sidecars import provenance
from tests.cli.signing import MAKER, text_of
from tests.cli.test_database import COMMIT, Supplied, supplying
from tests.mac_python import mac_python
from tests.mach_o import PROGRAM, thin
from tests.server import Reply
from tests.world import World, make_wheel, world

NAME = "litellm-runtime-darwin-arm64.tar.gz"
TARGETS = """\
distros:
  debian:
    "12": {glibc: "2.36", openssl: 3.0.x, python: 3.11.2, arches: [amd64]}
  macos:
    "11": {macos: "11.0", python: portable, arches: [arm64]}
arches: [amd64, arm64]
"""
OVERRIDE = "overrides: [{targets: [macos], asset: 'litellm-runtime-{os}-{arch}.tar.gz'}]\n"
FITS = "cp313-cp313-macosx_11_0_arm64"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with a built archive for macOS."""
    with world(tmp_path_factory.mktemp("macos")) as own:
        prepare(own)
        for words in (("lock",), ("build", "apple-silicon", *mirror(own))):
            done = own.run(*words)
            assert done.code == 0, done.err
        yield own


def prepare(own: World) -> None:
    wheels = own.root / "wheels"
    for tag in (FITS, "cp313-cp313-macosx_12_0_arm64", "cp313-cp313-macosx_10_13_x86_64"):
        make_wheel(wheels, "orjson", "3.1", tag=tag, payload=tag.encode())
    make_wheel(
        wheels, "aiohttp", "3.1", ["only-linux; sys_platform == 'linux'", "only-mac; platform_machine == 'arm64'"]
    )
    make_wheel(wheels, "only-linux", "1.0")
    make_wheel(wheels, "only-mac", "1.0")
    own.write("targets.yaml", TARGETS)
    own.write("litellm.yaml", (own.root / "manifests" / "litellm.yaml").read_text() + OVERRIDE)
    digest = hashlib.sha256(mac_python(own.root / "mac.tar.gz").read_bytes()).hexdigest()
    pin = f"{{address: 'https://x.test/mac.tar.gz', sha256: {digest}}}"
    own.write("python.yaml", f'version: 3.13.5\ntag: "1"\npins: {{darwin-arm64: {pin}}}\n')


def mirror(own: World) -> tuple[str, str]:
    return "--mirror", f"https://x.test/=file://{own.root}/"


def test_its_wheels_are_chosen_for_macos(made: World) -> None:
    lock = (made.root / "manifests/locks/pylock.litellm-macos-11-arm64.toml").read_text()
    assert f"orjson-3.1-{FITS}.whl" in lock and "macosx_12" not in lock
    assert '"only-mac"' in lock and '"only-linux"' not in lock
    assert 'macos = "11.0"' in lock and "glibc" not in lock
    other = (made.root / "manifests/locks/pylock.litellm-debian-12-amd64.toml").read_text()
    assert 'glibc = "2.36"' in other and "macos" not in other and '"only-linux"' in other
    assert made.run("lock", "--check").code == 0
    assert made.run("check").code == 0


def test_it_is_named_and_describes_itself_as_its_consumers_want(made: World) -> None:
    with tarfile.open(made.dist / NAME) as archive:
        names = archive.getnames()
        manifest = json.load(archive.extractfile("litellm-runtime/manifest.json") or pytest.fail("no manifest"))
    assert {"litellm-runtime/metadata/host.env", "litellm-runtime/metadata/runtime.env"} <= set(names)
    assert "litellm-runtime/packages/python/cpython-3.13.5/bin/python3.13" in names
    assert "litellm-runtime/packages/python/cpython-3.13.5/lib/libpython3.13.dylib" in names
    said = {key: manifest[key] for key in ("component", "os", "distro", "version", "arch")}
    assert said == {"component": "litellm", "os": "darwin", "distro": "darwin", "version": "11", "arch": "arm64"}
    assert manifest["python"]["macos"] == "11.0" and "glibc" not in manifest["python"]


def test_it_is_proven_and_looked_at(made: World) -> None:
    done = made.run("verify", f"dist/{NAME}")
    assert done.code == 0 and "close on macos 11 arm64 (portable Python 3.13.5)" in done.out
    told = made.run("inspect", f"dist/{NAME}", "--json").json()
    assert (told["distro"], told["macos"], told.get("glibc")) == ("macos", "11.0", None)
    assert "macos 11 arm64, macOS 11" in made.run("inspect", f"dist/{NAME}").out
    assert "macos 11 arm64" in made.run("summary", "dist").out
    assert made.run("diff", f"dist/{NAME}", f"dist/{NAME}").code == 0
    bom = json.loads((made.dist / f"{NAME}.cdx.json").read_text())
    assert any(part["name"] == "cpython" for part in bom["components"])


def test_a_workflow_is_told_of_its_runner_and_of_no_container(made: World) -> None:
    (row,) = made.run("targets", "darwin", "--github-matrix").json()["include"]
    assert (row["target"], row["asset"]) == ("macos-11-arm64", NAME)
    assert (row["runner"], row["container"]) == ("macos-15", "")
    (row,) = made.run("targets", "macos", "--json").json()["targets"]
    assert (row["macos"], row.get("glibc")) == ("11.0", None)
    assert "macOS 11" in made.run("targets", "macos").out


def test_nothing_rehearses_it_here(made: World) -> None:
    done = made.run("rehearse", f"dist/{NAME}")
    assert done.code == 2
    assert "nothing here runs programs for darwin-arm64" in done.err
    assert "on a Mac with Apple silicon" in done.err


def test_its_name_says_what_it_is_for(made: World, tmp_path: Path) -> None:
    other = tmp_path / "litellm-runtime-macos-11-arm64.tar.gz"
    shutil.copyfile(made.dist / NAME, other)
    assert made.run("verify", str(other)).code == 0
    wrong = other.rename(tmp_path / "litellm-runtime-linux-arm64.tar.gz")
    done = made.run("verify", str(wrong))
    assert done.code == 3 and "expected litellm-…-darwin-arm64.tar.gz" in done.out


def test_its_provenance_names_the_python_for_macos(made: World) -> None:
    assert made.run("sign", "dist", AIWS_SIGNING_KEY=text_of(MAKER)).code == 0
    content = (made.dist / provenance.name(NAME)).read_bytes()
    said = provenance.parse(content, NAME)[1].materials
    assert (said.target, said.portable) == ("macos-11-arm64", "darwin-arm64")
    assert [item.uri for item in said.items if item.kind == "python"] == ["https://x.test/mac.tar.gz"]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_what_is_sourced_has_pip_take_its_wheels(made: World, tmp_path: Path, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    folder = tmp_path / "a folder 100% #1?"
    folder.mkdir()
    with tarfile.open(made.dist / NAME) as archive:
        archive.extractall(folder, filter="tar")
    told = ("PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_PREFER_BINARY", "LITELLM_PACKAGE_SPEC", "LITELLM_PYTHON_EXECUTABLE")
    script = f"set -eu; . '{folder}/litellm-runtime/metadata/host.env'; set | grep ^aiws_ || env"
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    (tmp_path / "elsewhere").mkdir()

    def run(words: str) -> str:
        argv = [shell, "-c", words]
        return subprocess.run(
            argv, cwd=tmp_path / "elsewhere", env=env, capture_output=True, text=True, check=True
        ).stdout

    values = dict(line.partition("=")[::2] for line in run(script).splitlines())
    top = folder / "litellm-runtime"
    assert {name: values.get(name) for name in told} == {
        "PIP_FIND_LINKS": f"{top.as_uri()}/packages/pip",
        "PIP_NO_INDEX": "1",
        "PIP_PREFER_BINARY": "1",
        "LITELLM_PACKAGE_SPEC": "litellm[proxy]==1.0",
        "LITELLM_PYTHON_EXECUTABLE": f"{top}/packages/python/cpython-3.13.5/bin/python3.13",
    }
    run(f"{script} >/dev/null; '{sys.executable}' -m pip download -q --no-deps -d got litellm==1.0")
    assert [path.name for path in (tmp_path / "elsewhere/got").iterdir()] == ["litellm-1.0-py3-none-any.whl"]
    shutil.rmtree(top / "packages/python")
    assert "LITELLM_PYTHON_EXECUTABLE" not in run(script)


@contextmanager
def supplied_for_macos(unlocked: World) -> Iterator[Supplied]:
    """A world that asks for a database, and has the wheels and the target for macOS."""
    with supplying(unlocked) as supplied:
        manifest = (unlocked.root / "manifests" / "litellm.yaml").read_text()
        prepare(unlocked)
        unlocked.write("litellm.yaml", manifest + OVERRIDE)
        yield supplied


@pytest.mark.slow
def test_database_support_is_made_of_engines_for_macos(unlocked: World, impatient: None) -> None:
    with supplied_for_macos(unlocked) as supplied:
        for engine in ("query-engine", "schema-engine"):
            content, path = gzip.compress(thin(kind=PROGRAM), mtime=0), f"/{COMMIT}/darwin-arm64/{engine}.gz"
            supplied.server.script(path, Reply(content))
            supplied.server.script(f"{path}.sha256", Reply(hashlib.sha256(content).hexdigest().encode()))
        done = supplied.run("lock", "macos")
        assert done.code == 0 and "without database" not in done.out, done.err
        mirrors = f"https://engines.test/={supplied.server.address}/ https://x.test/=file://{unlocked.root}/"
        done = supplied.run("build", "macos", AIWS_MIRRORS=mirrors)
        assert done.code == 0, done.err
        assert supplied.run("verify", f"dist/{NAME}").code == 0
        told = supplied.run("inspect", f"dist/{NAME}", "--json").json()["database"]
        made = "prisma-0.15.0+aiws.1-py3-none-macosx_11_0_arm64.whl"
        assert (told["supported"], told["platform"], told["wheel"]) == (True, "darwin-arm64", made)


@pytest.mark.slow
def test_engines_for_linux_are_none_for_macos(unlocked: World, impatient: None) -> None:
    with supplied_for_macos(unlocked) as supplied:
        supplied.publish("darwin-arm64")
        done = supplied.run("lock", "macos")
    assert done.code != 0
    assert "is no program for darwin-arm64, but one for linux-arm64" in done.out + done.err
