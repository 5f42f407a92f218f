"""A component's program, started: what counts as starting, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from bundler.adapters.sandbox import Attempt, Finished, Sandbox, Size
from bundler.errors import UsageError
from bundler.kinds.prebuilt import rehearsal as rehearsing
from bundler.kinds.prebuilt.component_manifest import ComponentManifest
from bundler.kinds.steps import Rehearsal
from tests.cli.test_components import archive

FACTS = ComponentManifest("xworkspace-console", "linux", "amd64", "bin/xworkspace-api")
NODE = "Error: Cannot find module './dist'\n    at x (/a.js:1:2)\n\nNode.js v20.20.2\n"
PROGRAM = "/tmp/rehearsal/xworkspace-console/bin/xworkspace-api"


class Answering:
    """A sandbox whose program ends with one code and text for --version and another for --help."""

    def __init__(self, version: tuple[int, str], help: tuple[int, str]) -> None:
        self.answers = {"--version": version, "--help": help}
        self.asked: list[list[str]] = []

    def run(self, argv: list[str], *_: object) -> Finished:
        self.asked.append(argv)
        return Finished(*self.answers[argv[1]], 0.1)

    def look(self, _: str) -> Size:
        return Size(3, 5_000_000, "")

    def attempts(self) -> tuple[Attempt, ...]:
        return ()

    def extract(self, _: str) -> None: ...

    def write(self, *_: str) -> None: ...


def rehearsed(sandbox: Answering) -> Rehearsal:
    return rehearsing._Rehearsing(cast(Sandbox, sandbox), FACTS).rehearse(lambda step: None)


def test_a_program_that_tells_its_version() -> None:
    sandbox = Answering((0, "api 1.2.3 (abc)\nbuilt today\n"), (0, ""))
    done = rehearsed(sandbox)
    assert done.good
    assert [step.detail for step in done.steps] == ["3 files, 5.0 MB on disk", "--version: api 1.2.3 (abc)"]
    assert done.measures.versions == {"platform": "linux-amd64", "xworkspace-console": "api 1.2.3 (abc)"}
    assert sandbox.asked == [[PROGRAM, "--version"]]
    assert done.notes == ("the program was only started: what it does is for its own repository to test",)


@pytest.mark.parametrize(
    ("version", "help", "detail"),
    [
        ((2, "flag provided but not defined: -version"), (0, "Usage of api:\n"), "--help: Usage of api:"),
        ((1, "Error: unknown flag: --version"), (0, ""), "--help: it writes nothing"),
        ((124, "listening on :8080"), (1, ""), "--version: it goes on, and was ended after 20 s"),
        (
            (1, "DATABASE_URL is not set\n"),
            (1, "DATABASE_URL is not set\n"),
            "it knows neither --version nor --help, ends with 1, and says: DATABASE_URL is not set",
        ),
        ((255, ""), (255, ""), "it knows neither --version nor --help, ends with 255, and says: nothing"),
    ],
)
def test_one_that_starts_but_knows_other_words_is_told_as_it_is(
    version: tuple[int, str], help: tuple[int, str], detail: str
) -> None:
    done = rehearsed(Answering(version, help))
    assert done.good
    assert done.steps[-1].detail == detail
    assert done.measures.versions == {"platform": "linux-amd64"}


@pytest.mark.parametrize(
    ("code", "text", "first"),
    [
        (127, "env: 'node': No such file or directory\n", ""),
        (126, "bin/api: Exec format error\n", ""),
        (139, "", ""),
        (1, NODE, "the first error: Error: Cannot find module './dist'"),
        (2, "panic: no config\n\ngoroutine 1 [running]:\n", "the first error: panic: no config"),
    ],
)
def test_one_that_cannot_be_started_or_crashes_fails(code: int, text: str, first: str) -> None:
    step = rehearsed(Answering((code, text), (code, text))).steps[-1]
    assert not step.good
    assert step.detail.startswith(f"{PROGRAM} --version\nended with {code}\n{first}")
    assert step.log == text


def test_a_program_for_another_system_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "xworkspace-console-runtime-darwin-arm64.tar.gz"
    path.write_bytes(archive("darwin-arm64"))
    with pytest.raises(UsageError, match="nothing here runs programs for darwin-arm64"):
        rehearsing.rehearse(path, Path("/"), tmp_path / "mountpoint", lambda step: None)


def test_one_that_does_not_verify_is_not_started(tmp_path: Path) -> None:
    path = tmp_path / "xworkspace-console-runtime-linux-amd64.tar.gz"
    path.write_bytes(archive("linux-arm64"))
    verdict, rehearsal = rehearsing.rehearse(path, Path("/"), tmp_path / "mountpoint", lambda step: None)
    assert rehearsal is None
    assert not verdict.good
