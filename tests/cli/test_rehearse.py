"""What `rehearse` prints: the steps, what was left out, and of a failure its cause or all that was written."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.adapters.sandbox import Attempt
from bundler.cli import rehearse
from bundler.commands.rehearse import RehearsalReport
from bundler.kinds.steps import Measures, Rehearsal, Step, StepError, take
from bundler.model.program_log import failure
from bundler.model.verdict import Verdict
from tests.cli.test_components import archive
from tests.model.test_program_log import CHAINED
from tests.world import World

WHOLE = "the very first line\n" + "more of it\n" * 20 + CHAINED
DETAIL = failure("demo --port 4000", "ended with 1", WHOLE)
NOTE = "litellm.yaml has no `rehearsal:`, so litellm is only asked for its version"
FAILED = Step("program: ready, and answers", 2.0, False, DETAIL, (Attempt("10.0.0.1:443/tcp", "demo"),), WHOLE)
REPORT = RehearsalReport(
    Path("demo.tar.gz"),
    Path("root"),
    "a" * 64,
    Verdict("demo.tar.gz"),
    Rehearsal((Step("unpack", 1.0, True), FAILED), Measures({"pip": "26.0"}, 1_000_000), "litellm.yaml", (NOTE,)),
)


def shown(capsys: pytest.CaptureFixture[str], *, verbose: bool = False) -> str:
    rehearse._show(REPORT, verbose=verbose)
    return capsys.readouterr().out


def test_a_failure_tells_its_cause_and_where_the_rest_is(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys)
    assert "FAILED: program: ready, and answers\n  demo --port 4000\n  ended with 1\n" in out
    assert "  the first error: ModuleNotFoundError: No module named 'orjson'\n" in out
    assert "  KeyError: 'config'\n" in out
    assert "the very first line" not in out
    assert "-v shows all that it wrote" in out
    assert "it asked the network for 10.0.0.1:443/tcp" in out


def test_with_v_all_that_it_wrote_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, verbose=True)
    assert "all that it wrote:\n  the very first line\n" in out
    assert out.count("more of it") == 20
    assert "-v shows" not in out


def test_json_has_the_log_of_a_failed_step_and_of_no_other() -> None:
    document = rehearse._json(REPORT)
    assert isinstance(document, dict)
    steps = document["steps"]
    assert isinstance(steps, list)
    assert "log" not in steps[0]
    assert (steps[1]["log"], steps[1]["detail"]) == (WHOLE, DETAIL)


def test_what_was_left_out_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert f"note: {NOTE}\n" in shown(capsys)
    document = rehearse._json(REPORT)
    assert isinstance(document, dict)
    assert (document["notes"], document["manifest"]) == ([NOTE], "litellm.yaml")
    assert REPORT.rehearsal is not None
    silent = rehearse._json(replace(REPORT, rehearsal=replace(REPORT.rehearsal, manifest="")))
    assert isinstance(silent, dict) and silent["manifest"] is None


def test_a_component_for_another_system_is_told_apart_from_a_broken_archive(unlocked: World) -> None:
    """Before, every component was said not to verify."""
    path = unlocked.root / "xworkspace-console-runtime-darwin-arm64.tar.gz"
    path.write_bytes(archive("darwin-arm64"))
    assert unlocked.run("verify", path.name).code == 0
    done = unlocked.run("rehearse", path.name)
    assert done.code == 2
    assert "nothing here runs programs for darwin-arm64" in done.err


def test_one_that_does_not_verify_is_told_with_the_findings(unlocked: World) -> None:
    path = unlocked.root / "xworkspace-console-runtime-linux-amd64.tar.gz"
    path.write_bytes(archive("linux-arm64"))
    done = unlocked.run("rehearse", path.name)
    assert done.code == 3
    assert "does not verify, so it is not rehearsed" in done.out
    assert "names another platform" in done.out or "does not say what is inside" in done.out


def test_the_steps_end_at_the_first_that_fails() -> None:
    class Silent:
        def attempts(self) -> tuple[Attempt, ...]:
            return ()

    def fail() -> str:
        raise StepError("it broke", "all of it")

    heard: list[str] = []
    steps = take(
        [("one", lambda: "fine"), ("two", fail), ("three", lambda: "never")],
        Silent(),  # type: ignore[arg-type]
        lambda step: heard.append(step.name),
    )
    assert [(step.name, step.good, step.detail, step.log) for step in steps] == [
        ("one", True, "fine", ""),
        ("two", False, "it broke", "all of it"),
    ]
    assert heard == ["one", "two"]


def test_on_a_mac_a_component_for_it_gets_no_sandbox_of_namespaces(
    unlocked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    uname = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Darwin", *uname[1:4], "arm64")))
    path = unlocked.root / "xworkspace-console-runtime-darwin-arm64.tar.gz"
    path.write_bytes(archive("darwin-arm64"))
    done = unlocked.run("rehearse", path.name)
    assert (done.code, "only wheelhouses for it are rehearsed" in done.err) == (2, True)
