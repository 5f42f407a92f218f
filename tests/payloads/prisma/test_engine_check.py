"""Prisma's engines are programs for the target's platform, and of the commit that is asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bundler.errors import LockError
from bundler.payloads.prisma.choice import EngineName
from bundler.payloads.prisma.engine_check import check_engines
from bundler.progress import Silent
from bundler.session import Session
from bundler.words import Arch
from tests.model.samples import DEBIAN_12
from tests.payloads.prisma.test_pins import COMMIT
from tests.programs import elf

OURS: Arch = "amd64" if os.uname().machine == "x86_64" else "arm64"


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(None, tmp_path / "cache", {}, Silent())


def check(folder: Path, content: bytes, session: Session) -> None:
    engines: dict[EngineName, Path] = {"query-engine": folder / "query-engine"}
    engines["query-engine"].write_bytes(content)
    check_engines(engines, DEBIAN_12, COMMIT, session)


def test_an_engine_of_the_commit_is_taken(tmp_path: Path, session: Session) -> None:
    check(tmp_path, elf(f"query-engine {COMMIT}\n"), session)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (elf(f"query-engine {COMMIT}\n", "arm64"), "one for linux-arm64"),
        (b"#!/bin/sh\n", "none at all"),
        (b"", "none at all"),
        (elf("x")[:19], "none at all"),
    ],
)
def test_what_is_no_program_for_the_target_is_refused(
    content: bytes, what: str, tmp_path: Path, session: Session
) -> None:
    with pytest.raises(LockError, match=f"Prisma's query-engine is no program for linux-amd64, but {what}") as caught:
        check(tmp_path, content, session)
    assert "engines.address" in caught.value.hint


@pytest.mark.skipif(OURS != "amd64", reason="the programs are for amd64")
@pytest.mark.parametrize("said", ["query-engine " + "4" * 40, "", "\x1b[2Jnothing"])
@pytest.mark.slow
def test_an_engine_of_another_commit_is_refused(said: str, tmp_path: Path, session: Session) -> None:
    with pytest.raises(LockError, match=f"is not of commit {COMMIT[:12]}: asked for its version, it says") as caught:
        check(tmp_path, elf(said), session)
    assert "\x1b" not in caught.value.message
