"""Archives for macOS: code that a Mac would not load keeps an archive from its place, and `verify` finds it."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping

import pytest

from tests.mach_o import fat, library, place, thin, version
from tests.world import World, make_wheel

TARGETS = """\
distros:
  macos:
    "11": {macos: "11.0", python: 3.13.5}
arches: [arm64]
"""
# The key of its pin in python.yaml.
PIN = "darwin-arm64"
TAG = "cp313-cp313-macosx_11_0_arm64"
INTEL = thin(version((10, 13)), cpu="amd64", sign=None)


@pytest.fixture
def mac(unlocked: World) -> World:
    unlocked.write("targets.yaml", TARGETS)
    return unlocked


def built(world: World, files: Mapping[str, bytes], more: Mapping[str, bytes] | None = None) -> tuple[int, str]:
    """Put code into the wheel of a dependency's dependency, and build."""
    make_wheel(world.index.folder, "orjson", "3.1", ["lib"], tag=TAG, more=files)
    make_wheel(world.index.folder, "lib", "1.0", tag="py3-none-macosx_10_13_universal2", more=more or {})
    done = world.run("lock", "all")
    assert done.code == 0, done.err
    done = world.run("build", "all")
    return done.code, done.err


def test_good_code_is_built_and_verified(mac: World) -> None:
    user = thin(version((11, 0)), library("@rpath/liblib.dylib"), place("@loader_path/../lib"))
    code, err = built(mac, {"orjson/a.so": user}, {"lib/liblib.dylib": fat(INTEL, thin(kind=6))})
    assert code == 0, err
    verified = mac.run("verify", str(mac.dist))
    assert verified.code == 0, verified.out + verified.err


def changed(content: bytes) -> bytes:
    return content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (INTEL, "it has no code for arm64"),
        (thin(version((12, 0))), "it is for macOS 12.0 and later, not for macOS 11"),
        (thin(sign=None), "it is not signed: arm64 runs no such code"),
        (changed(thin()), "its signature is wrong: page 1, at byte 4096 of the code, is not what it hashes"),
        (thin(version((11, 0)), library("/opt/x.dylib")), "it asks for /opt/x.dylib, which is neither in the archive"),
    ],
)
def test_an_archive_of_unfit_code_is_not_made(mac: World, content: bytes, fault: str) -> None:
    code, err = built(mac, {}, {"lib/b.so": content})
    assert code == 1
    assert f"unfit: lib-1.0-py3-none-macosx_10_13_universal2.whl: lib/b.so: {fault}" in err
    assert "; needed by litellm[proxy]==1.0 -> orjson>=3 -> lib" in err
    assert not list(mac.dist.glob("*.tar.gz"))


def test_verify_finds_what_a_build_without_a_look_let_through(mac: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundler.platforms.macos.JUDGES_CODE", False)
    code, err = built(mac, {"orjson/a.so": changed(thin())})
    assert code == 0, err
    verified = mac.run("verify", str(mac.dist))
    assert verified.code == 1
    assert f"unfit: orjson-3.1-{TAG}.whl: orjson/a.so: its signature is wrong: page 1" in verified.out
    assert "; needed by litellm[proxy]==1.0 -> orjson>=3" in verified.out


def carrying(world: World, program: bytes, shared: bytes) -> None:
    """Have the target carry a portable CPython of a few files."""
    files = {
        "bin/python3.13": program,
        "lib/libpython3.13.dylib": shared,
        "lib/python3.13/site-packages/pip/__init__.py": b"",
    }
    path = world.root / "cpython.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"python/{name}")
            info.size, info.mode = len(content), 0o755
            tar.addfile(info, io.BytesIO(content))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    world.write("targets.yaml", TARGETS.replace("3.13.5", "portable"))
    pin = f"{{address: 'https://x.test/{path.name}', sha256: {digest}}}"
    world.write("python.yaml", f'version: 3.13.5\ntag: "1"\npins: {{{PIN}: {pin}}}\n')
    make_wheel(world.index.folder, "orjson", "3.1", tag=TAG)
    assert world.run("lock", "all").code == 0


PROGRAM = thin(version((11, 0)), library("@executable_path/../lib/libpython3.13.dylib"), kind=2)


def test_a_portable_python_is_judged_as_a_tree_of_its_own(mac: World, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = ("--mirror", f"https://x.test/=file://{mac.root}/")
    carrying(mac, PROGRAM, thin(kind=6))
    done = mac.run("build", "all", *mirror)
    assert done.code == 0, done.err
    assert mac.run("verify", str(mac.dist)).code == 0

    carrying(mac, PROGRAM, changed(thin(kind=6)))
    place = "packages/python/cpython-3.13.5/lib/libpython3.13.dylib"
    done = mac.run("build", "all", *mirror)
    assert done.code == 1
    assert f"unfit: {place}: its signature is wrong: page 1" in done.err
    monkeypatch.setattr("bundler.kinds.wheelhouse.pack.faults_of", lambda *_: iter(()))
    assert mac.run("build", "all", *mirror).code == 0
    verified = mac.run("verify", str(mac.dist))
    assert (verified.code, f"unfit: {place}: its signature is wrong" in verified.out) == (1, True)


def test_what_is_told_of_code_beside_wheels_is_bounded(mac: World, monkeypatch: pytest.MonkeyPatch) -> None:
    carrying(mac, PROGRAM, thin(kind=6))
    done = mac.run("build", "all", "--mirror", f"https://x.test/=file://{mac.root}/")
    assert done.code == 0, done.err
    monkeypatch.setattr("bundler.code.values._FOR_A_FILE", 9 << 20)
    verified = mac.run("verify", str(mac.dist))
    assert (verified.code, "asks for very many libraries" in verified.out) == (3, True)
