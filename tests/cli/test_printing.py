"""Every text in every command's report, made hostile: nothing is obeyed, and no line of it passes for one of ours."""

from __future__ import annotations

import dataclasses
import io
import json
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from bundler import cli
from bundler.cli import build, check, inspect, lock, outdated, publish, rehearse, verified
from bundler.cli.output import complain, component_json
from bundler.commands.build import BuildReport
from bundler.commands.check import CheckReport
from bundler.commands.lock import LockReport
from bundler.commands.outdated import OutdatedReport
from bundler.commands.publish import PublishReport
from bundler.commands.rehearse import RehearsalReport
from bundler.errors import BundleError, IntegrityError, ManifestError, PreflightError, Problem, ProofError, from_os
from bundler.kinds.kind import Inspection
from bundler.kinds.prebuilt.asset_lock import AssetLock
from bundler.model.outcome import Outcome, PinnedRelease
from bundler.payloads.payload import Choice, Facts
from bundler.payloads.prisma.choice import Database
from bundler.payloads.prisma.facts import DatabaseFacts
from bundler.progress import Lines
from bundler.release.folder import VerifyReport
from bundler.release.record import DeliveryRecord, document, markdown
from bundler.release.verify import ReleaseReport
from bundler.terminal import Json, say_document, say_json
from tests.screens import GRAPHICS, screen
from tests.test_terminal import HOSTILE, obeyed
from tests.world import World

FORGED = "\nok      forged\n  - forged\n::set-output name=a::b\n  ##[add-mask]x\naiws-bundle: forged\n| forged |"
TEXT = f"::stop-commands::x{''.join(HOSTILE)}{FORGED}"
NAME = TEXT.replace("\0", "").replace("/", "")


# What stands for the values of payloads.
PROTOCOLS: dict[Any, type] = {Facts: DatabaseFacts, Choice: Database}


class Poison:
    """Makes values of any type whose every text is hostile; `some` says what stands where there may be nothing."""

    def __init__(self, some: bool) -> None:
        self.some = some

    def of(self, kind: Any) -> Any:
        origin, args = typing.get_origin(kind), typing.get_args(kind)
        if origin is typing.Annotated:
            return self.of(args[0])
        if origin in (typing.Union, types.UnionType):
            full = [arg for arg in args if arg is not type(None)]
            return None if len(full) < len(args) and not self.some else self.of(full[0])
        if origin is typing.Literal:
            return args[0] if self.some else args[-1]
        if origin is not None:
            return self._many(origin, args)
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            hints = typing.get_type_hints(kind)
            values = {field.name: self.of(hints[field.name]) for field in dataclasses.fields(kind) if field.init}
            if "published" in values and kind in (AssetLock, PinnedRelease):  # checked when the lock is read
                values["published"] = "2026-11-20T00:00:00Z"
            return kind(**values)
        if kind in PROTOCOLS:
            return self.of(PROTOCOLS[kind])
        plain = {str: TEXT, bool: self.some, int: 7, float: 1.5, bytes: b"x", Path: Path(NAME), object: TEXT}
        plain[Version] = Version("1.0")
        if kind in plain:
            return plain[kind]
        assert issubclass(kind, BundleError), kind
        return IntegrityError(TEXT, TEXT)

    def _many(self, origin: Any, args: Any) -> Any:
        if issubclass(origin, Mapping):
            return {self.of(args[0]): self.of(args[1])}
        if issubclass(origin, tuple) and args[-1] is not Ellipsis:
            return tuple(map(self.of, args))
        return (tuple if issubclass(origin, (tuple, Sequence)) else frozenset)([self.of(args[0])] * 2)


def harmless(out: str, err: str = "") -> None:
    for text in (out, err):
        assert obeyed(text) == []
        assert not [
            line for line in text.split("\n") if line.startswith(("ok      forged", "| forged", "aiws-bundle: f"))
        ]
    assert "  - forged" not in out.split("\n")


def _inspect(poison: Poison) -> Inspection:
    lines, packages, files = ((TEXT, TEXT),), ((TEXT, TEXT, 7),), {TEXT: 7}
    return Inspection(Path(NAME), lines, packages, files, {"component": TEXT, "python": {"version": TEXT}})


REPORTS: dict[str, tuple[Callable[[Any], object], Callable[[Any], Json], Callable[[Poison], Any]]] = {
    "build": (build._show, build._json, lambda p: p.of(BuildReport)),
    "check": (check._show, check._json, lambda p: p.of(CheckReport)),
    "lock": (
        lambda r: lock._show(r.outcomes),
        lambda r: [lock._json(o) for o in r.outcomes],
        lambda p: p.of(LockReport),
    ),
    "outdated": (
        lambda r: outdated._show(r.standings),
        lambda r: [outdated._json(one) for one in r.standings],
        lambda p: p.of(OutdatedReport),
    ),
    "components": (lambda r: lock._show_components([r]), component_json, lambda p: p.of(Outcome)),
    "publish": (publish._show, publish._json, lambda p: p.of(PublishReport)),
    "rehearse": (rehearse._show, rehearse._json, lambda p: p.of(RehearsalReport)),
    "rehearse -v": (lambda r: rehearse._show(r, verbose=True), rehearse._json, lambda p: p.of(RehearsalReport)),
    "verify": (verified.show, lambda r: verified.json_of(r, [], ok=True), lambda p: p.of(VerifyReport)),
    "verify release": (verified.show_release, verified._release, lambda p: p.of(ReleaseReport)),
    "inspect": (inspect._show, inspect._json, _inspect),
    "report": (lambda r: say_document(markdown(r)), document, lambda p: p.of(DeliveryRecord)),
}


@pytest.mark.parametrize("some", [True, False])
@pytest.mark.parametrize("name", REPORTS)
def test_no_text_of_a_report_is_obeyed(
    name: str, some: bool, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show, to_json, make = REPORTS[name]
    report, status = make(Poison(some)), tmp_path.stat()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", lambda self, **_: status)  # `inspect` tells the file's size
        show(report)
        shown = capsys.readouterr()
        say_json(to_json(report))
        out = capsys.readouterr().out
    harmless(*shown)
    harmless(out)
    json.loads(out)


@pytest.mark.parametrize("columns", [20, 80])
@pytest.mark.parametrize("name", REPORTS)
def test_no_text_of_a_report_is_obeyed_on_a_terminal(
    name: str, columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Colours are ours alone, and a line that is wrapped begins with nothing that a runner behind a terminal obeys."""
    show, _, make = REPORTS[name]
    report, status = make(Poison(True)), tmp_path.stat()
    with monkeypatch.context() as patch, screen(columns) as shown, redirect_stderr(io.StringIO()) as errors:
        patch.setattr(Path, "stat", lambda self, **_: status)
        show(report)
    harmless(GRAPHICS.sub("", shown.text), errors.getvalue())


def test_no_error_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    problem = Problem(NAME, 1, 2, TEXT)
    for error in (
        IntegrityError(TEXT, TEXT), ManifestError([problem, problem], TEXT), ProofError(TEXT, [TEXT, TEXT], TEXT),
        PreflightError(TEXT, [IntegrityError(TEXT, TEXT)] * 2), from_os(OSError(2, TEXT, NAME)),
    ):  # fmt: skip
        complain(error)
        harmless(*capsys.readouterr())
    cli._bug(ValueError(TEXT), ["-v"])
    harmless(*capsys.readouterr())
    lines = Lines()
    lines.say(TEXT)
    with lines.task(TEXT, 1):
        pass
    harmless(*capsys.readouterr())


@pytest.mark.parametrize(
    "words",
    [
        [TEXT], [f"--{TEXT}"], ["build", TEXT], ["build", "all", "--mirror", TEXT],
        ["build", "all", "--component", TEXT], ["--manifests", NAME, "check"], ["verify", NAME],
        ["verify", f"--{TEXT}"],
        ["inspect", NAME], ["rehearse", NAME],
        ["report", NAME], ["report", ".", "--verification", NAME], ["report", ".", "--repo", TEXT],
        ["publish", ".", "--repo", TEXT, "--tag", "v1"], ["publish", ".", "--repo", "a/b", "--tag", TEXT],
        ["lock", TEXT], ["lock", "--set", TEXT], ["lock", "--exclude-newer", TEXT], ["targets", TEXT], ["cache", TEXT],
        ["build", "all", "--jobs", TEXT], ["--cache-dir", NAME, "cache", "path"],
        ["--cache-dir", NAME, "cache", "info"],
    ],
    ids=lambda words: " ".join(word if word.isprintable() else "X" for word in words),
)  # fmt: skip
def test_no_word_of_the_command_line_is_obeyed(unlocked: World, words: list[str]) -> None:
    for argv in (words, ["--json", *words]):
        done = unlocked.run(*argv)
        harmless(done.out, done.err)
        if argv is not words:
            assert isinstance(done.json(), dict)


@pytest.mark.parametrize("words", [[], ["cache"]])
def test_a_group_without_a_command_shows_its_help(unlocked: World, words: list[str]) -> None:
    done = unlocked.run(*words)
    assert done.code == 2
    assert "\nCommands:\n" in done.err and "Error" not in done.err


def test_no_name_in_a_checkout_is_obeyed(unlocked: World) -> None:
    name = NAME[:60]
    unlocked.write(f"{name}.yaml", f"kind: wheelhouse\n{json.dumps(TEXT)}: 1\ncomponent: {json.dumps(TEXT)}\n")
    unlocked.write("locks/pylock.litellm-debian-12-amd64.toml", f"{json.dumps(TEXT)} = 1\n")
    unlocked.write(f"locks/assets.{name}.toml", f"{json.dumps(TEXT)} = 1\n")
    for words in (["check"], ["lock", "--check"], ["targets"], ["targets", "--github-matrix"], ["build", "all"]):
        for argv in (words, ["--json", *words]):
            done = unlocked.run(*argv)
            harmless(done.out, done.err)
            assert "Traceback" not in done.err


def test_the_matrix_is_one_line_that_no_runner_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    say_json({"include": [{"target": TEXT, "asset": TEXT}]}, indent=None)
    out = capsys.readouterr().out
    harmless(out)
    assert out.count("\n") == 1
