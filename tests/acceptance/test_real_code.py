"""Real wheels for macOS on arm64, from the index: all are good, and a byte that is changed in one is found."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from bundler.model.closure import Wheel, prove
from bundler.model.interpreter import Interpreter
from bundler.model.metadata import read_wheel
from tests.wheels import whole, zipped

pytestmark = pytest.mark.slow

MAC = Interpreter("3.13.5", "darwin-arm64", 11)
# Of one file each, of many with libraries beside them, and of several processors.
PROJECTS = ("pydantic-core", "cryptography", "orjson", "tiktoken", "uvloop", "psycopg2-binary", "numpy", "pynacl")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    folder = tmp_path_factory.mktemp("wheels")
    argv = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", str(folder)]
    subprocess.run([*argv, "--platform=macosx_11_0_arm64", "--python-version=3.13", *PROJECTS], check=True, timeout=600)
    return sorted(folder.iterdir())


def alone(wheel: Wheel) -> Wheel:
    """A wheel as if it needed no other."""
    return Wheel(wheel.filename, code=wheel.code)


def read(content: bytes, name: str) -> Wheel:
    return alone(read_wheel(io.BytesIO(content), name, digests=False, code=True))


def test_real_wheels_are_good(wheels: Sequence[Path]) -> None:
    found = [read(path.read_bytes(), path.name) for path in wheels]
    assert len(found) == len(PROJECTS)
    assert sum(len(wheel.code) for wheel in found) > 30
    assert prove(PROJECTS, found, MAC) == ()


def test_the_oldest_system_is_what_is_judged(wheels: Sequence[Path]) -> None:
    found = [read(path.read_bytes(), path.name) for path in wheels]
    older = Interpreter("3.13.5", "darwin-arm64", 10)
    told = [finding for finding in prove(PROJECTS, found, older) if finding.startswith("unfit: ")]
    assert len(told) == len(PROJECTS)
    assert all("it is for macOS 11.0 and later, not for macOS 10" in finding for finding in told)


@pytest.mark.parametrize("project", ["orjson", "psycopg2_binary", "tiktoken"])
def test_a_byte_that_is_changed_is_found(wheels: Sequence[Path], project: str) -> None:
    path = next(path for path in wheels if path.name.startswith(f"{project}-"))
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if not name.endswith(("/", "/RECORD"))}
    info = next(name.partition("/")[0] for name in files if name.endswith("/METADATA"))
    place = sorted(name for name in files if name.endswith(".so"))[0]
    code = bytearray(files[place])
    code[-len(code) // 3] ^= 1  # of a universal file, in the slice that stands last: arm64's
    (finding,) = prove([project], [read(zipped(whole(files | {place: bytes(code)}, info)), path.name)], MAC)
    assert f"unfit: {path.name}: {place}: its signature is wrong: page " in finding
