"""Compiled code of components for macOS that other repositories release: judged whole, not by its head alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.kinds.prebuilt.examine import judge
from tests.cli.test_components import archive
from tests.mach_o import PROGRAM, library, thin, version


def findings(folder: Path, code: bytes, more: dict[str, bytes] | None = None) -> tuple[str, ...]:
    path = folder / "xworkspace-console-runtime-darwin-arm64.tar.gz"
    path.write_bytes(archive("darwin-arm64", code=code, more=more))
    return judge(path, path.name).integrity


def test_a_good_program_and_its_library(tmp_path: Path) -> None:
    program = thin(version((26, 0)), library("@loader_path/../lib/x.dylib"), kind=PROGRAM)
    assert findings(tmp_path, program, {"lib/x.dylib": thin()}) == ()
    assert findings(tmp_path, b"#!/bin/sh\n") == ()


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (thin(kind=PROGRAM, sign=None), "it is not signed: arm64 runs no such code"),
        (thin(kind=PROGRAM).replace(b"\x85", b"\x84", 1), "its signature is wrong: page 0"),
        (thin(version((11, 0)), library("@loader_path/x.dylib"), kind=PROGRAM), "it asks for @loader_path/x.dylib"),
    ],
)
def test_what_is_found(tmp_path: Path, code: bytes, fault: str) -> None:
    (finding,) = findings(tmp_path, code)
    assert finding.startswith(f"bin/xworkspace-api: {fault}")


def test_what_is_told_of_code_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundler.code.values._FOR_A_FILE", 9 << 20)
    program = thin(kind=PROGRAM)
    assert findings(tmp_path, program) == ()
    (finding,) = findings(tmp_path, program, {"bin/more": program})
    assert "asks for very many libraries" in finding
