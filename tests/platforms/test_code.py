"""What keeps a Mac from loading files, and that Linux finds nothing."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pytest

from bundler.code.values import Code, Tree
from bundler.platforms import HEAD, is_code, named, read_code
from tests.mach_o import SYSTEM, Directory, fat, library, old_version, place, signed, thin, version


def tree(files: Mapping[str, bytes]) -> Tree:
    found: dict[str, Code] = {}
    for path, content in files.items():
        stream = io.BytesIO(content)

        def read(at: int, size: int, stream: io.BytesIO = stream) -> bytes:
            stream.seek(at)
            return stream.read(size)

        if code := read_code(content[:HEAD], read, len(content)):
            found[path] = code
    return Tree(found, {})


def faults(content: bytes, name: str = "darwin-arm64", floor: int | None = 11) -> list[str]:
    platform, arch = named(name)
    return [fault for _, fault in platform.code_faults(tree({"a.so": content}), arch, floor)]


def changed(content: bytes) -> bytes:
    return content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]


INTEL = thin(old_version((10, 13)), library(SYSTEM), cpu="amd64", sign=None)


@pytest.mark.parametrize(
    "content",
    [
        thin(),
        thin(sign=lambda code: signed(code, Directory(1), Directory(2))),
        fat(INTEL, thin()),
        fat(INTEL, thin(), wide=True),
        thin(version((11, 0), 1), place("@loader_path"), library("@rpath/a.so")),
        thin(version((10, 9))),
        b"x = 1\n" * 100,
        b"\x7fELF\x02\x01\x01" + bytes(100),
    ],
)
def test_good_files(content: bytes) -> None:
    assert faults(content) == []


NEW = "it is for macOS 12.3 and later, not for macOS 11"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (INTEL, ["it has no code for arm64"]),
        (thin(cpu="arm64e"), ["it has no code for arm64"]),
        (thin(magic=0xFEEDFACE), ["it has no code for arm64"]),
        (thin(version((12, 3))), [NEW]),
        (thin(old_version((12, 0))), ["it is for macOS 12.0 and later, not for macOS 11"]),
        (fat(INTEL, thin(version((12, 3)))), [NEW]),
        (thin(version((14, 0), 2)), ["it does not say that it is for macOS"]),
        (thin(library(SYSTEM)), ["it does not say that it is for macOS"]),
        (thin(sign=None), ["it is not signed: arm64 runs no such code"]),
        (fat(INTEL, thin(sign=None)), ["it is not signed: arm64 runs no such code"]),
        (
            changed(thin()),
            ["its signature is wrong: page 1, at byte 4096 of the code, is not what it hashes"],
        ),
        (
            thin(version((11, 0)), library("/opt/homebrew/opt/libomp/lib/libomp.dylib")),
            ["it asks for /opt/homebrew/opt/libomp/lib/libomp.dylib, which is neither in the archive nor macOS's own"],
        ),
        (
            thin()[:100],
            ["it is not a Mach-O file that can be read: its load commands take 96 bytes, more than there is room"],
        ),
        (thin(version((12, 3)), sign=None), [NEW, "it is not signed: arm64 runs no such code"]),
    ],
)
def test_what_is_found(content: bytes, expected: list[str]) -> None:
    found = faults(content)
    assert len(found) == len(expected)
    assert all(fault.startswith(begins) for fault, begins in zip(found, expected, strict=True))


def test_a_mac_of_intels_runs_what_is_not_signed_but_nothing_that_was_changed() -> None:
    assert faults(INTEL, "darwin-amd64") == []
    assert faults(thin(library(SYSTEM), cpu="amd64", sign=None), "darwin-amd64") == []
    assert faults(fat(INTEL, thin(sign=None)), "darwin-amd64") == []
    assert "page 1" in faults(changed(thin(cpu="amd64")), "darwin-amd64")[0]


def test_a_newer_floor_takes_newer_code_and_without_one_nothing_is_too_new() -> None:
    content = thin(version((12, 3)))
    assert faults(content, floor=12) == ["it is for macOS 12.3 and later, not for macOS 12"]
    assert faults(content, floor=13) == faults(content, floor=None) == []


def test_on_linux_nothing_is_found() -> None:
    assert faults(changed(thin()), "linux-arm64", 17) == []
    assert not is_code(b"\x7fELF\x02\x01\x01" + bytes(60))
    platform, _ = named("linux-amd64")
    assert (platform.JUDGES_CODE, platform.read_code(lambda at, size: b"", 0)) == (False, None)
