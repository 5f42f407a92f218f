"""The profile as text, programs that are run, and what is read of the log: all but macOS itself."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.adapters import seatbelt
from bundler.adapters.sandbox import Attempt
from bundler.adapters.seatbelt import LATE, Running, denials, profile, refused
from bundler.errors import WorkError

TAG = "aiws-0123456789abcdef"
STAMP = "2026-11-30 07:00:01.500000+0100"
AT = datetime(2026, 11, 30, 6, 0, 1, 500000, UTC).timestamp()


def event(message: str, **other: object) -> str:
    """A line as `log show --style ndjson` writes it."""
    record = {
        "timestamp": STAMP,
        "eventMessage": message,
        "messageType": "Error",
        "eventType": "logEvent",
        "processID": 0,
        "processImagePath": "/kernel",
        "senderImagePath": "/System/Library/Extensions/Sandbox.kext/Contents/MacOS/Sandbox",
    }
    return json.dumps({**record, **other})


def denied(what: str, tag: str = TAG) -> str:
    return event(f"Sandbox: {what}\n{tag}")


def test_a_profile_leaves_loopback_and_one_folder() -> None:
    assert profile(Path('/private/var/a "b\\c'), TAG) == (
        "(version 1)\n"
        "(allow default)\n"
        f'(deny network* (with message "{TAG}"))\n'
        '(allow network-bind (local ip "localhost:*"))\n'
        '(allow network-inbound (local ip "localhost:*"))\n'
        '(allow network-outbound (remote ip "localhost:*"))\n'
        f'(deny file-write* (with message "{TAG}"))\n'
        '(allow file-write* (subpath "/private/var/a \\"b\\\\c") (literal "/dev/null") (literal "/dev/zero") '
        '(literal "/dev/tty") (literal "/dev/dtracehelper"))\n'
    )


@pytest.mark.parametrize(
    ("said", "attempt"),
    [
        ("curl(13590) deny(1) network-outbound remote:*:443", Attempt("*:443", "curl")),
        ("python3.13(9) deny(1) network-outbound 192.0.2.1:443", Attempt("192.0.2.1:443", "python3.13")),
        ("curl(1) deny(1) network-outbound /private/var/run/mDNSResponder", Attempt("a name", "curl")),
        ("A Helper (x)(10) deny(1) network-bind *:80", Attempt("*:80", "A Helper (x)")),
        ("java(7) deny(1) network-outbound", Attempt("network-outbound", "java")),
    ],
)
def test_what_was_refused_is_read_with_its_time(said: str, attempt: Attempt) -> None:
    assert denials(denied(said), TAG) == ((AT, attempt),)
    assert denials(event(f"3 duplicate reports for Sandbox: {said}\n{TAG}\n"), TAG) == ((AT, attempt),)


REFUSAL = "Sandbox: curl(1) deny(1) network-outbound 192.0.2.1:443"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Filtering the log data using ...",
        '{"count":3,"finished":1}',
        "[" * 100_000,
        "7",
        event(REFUSAL),
        event(f"{REFUSAL}\naiws-another"),
        event(f"{REFUSAL}\n{TAG}\naiws-another"),
        event(f"{REFUSAL} {TAG}"),
        event(f"x {REFUSAL}\n{TAG}"),
        event(f"{REFUSAL}\n{TAG}", processID=4711),
        event(f"{REFUSAL}\n{TAG}", timestamp="yesterday"),
        event(f"{REFUSAL}\n{TAG}", timestamp=7),
        event(f"{REFUSAL}\n{TAG}", eventMessage=[TAG]),
        event(f"{REFUSAL}\n{TAG}", padding="x" * 70_000),
        denied("sh(1) deny(1) file-write-create /etc/x"),
        denied("sh(1) deny(1) mach-lookup com.apple.FontServer"),
        denied(f"{'x' * 65}(1) deny(1) network-outbound 192.0.2.1:443"),
    ],
    ids=range(18),
)
def test_anything_else_is_passed_over(line: str) -> None:
    good = denied("curl(1) deny(1) network-outbound 192.0.2.1:443")
    assert [one for _, one in denials(f"{line}\n{good}", TAG)] == [Attempt("192.0.2.1:443", "curl")]


def test_a_target_is_cut() -> None:
    ((_, attempt),) = denials(denied(f"x(1) deny(1) network-outbound {'y' * 5000}"), TAG)
    assert attempt.what == "y" * 200


@given(st.lists(st.text(max_size=40)), st.text(max_size=80))
def test_no_text_breaks_the_reading(lines: list[str], message: str) -> None:
    for _, attempt in denials("\n".join([*lines, event(f"{message}\n{TAG}"), denied(message)]), TAG):
        assert len(attempt.what) <= 200


ENV = {"PATH": "/usr/bin:/bin"}


def test_the_end_of_what_a_program_writes_is_kept() -> None:
    code, output = Running(("/bin/sh", "-c", "seq 100000; exit 3"), ENV, "/", kept=7).end(30.0)
    assert (code, output) == (3, "100000\n")


def test_a_program_that_is_late_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    began = time.monotonic()
    running = Running(("/bin/sh", "-c", f"(sleep 3; touch {tmp_path}/x) & echo on; sleep 60"), ENV, "/")
    assert running.end(0.5) == (LATE, "on\n")
    assert time.monotonic() - began < 2.5  # nothing holds its output open any more


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkError, match="cannot be started: No such file or directory"):
        Running((f"{tmp_path}/sandbox-exec",), ENV, "/")


def log_stub(folder: Path, body: str) -> str:
    path = folder / "log"
    path.write_text(f"#!{sys.executable}\nimport json, os, sys\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_the_log_is_asked_for_what_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = denied("curl(1) deny(1) network-outbound 192.0.2.1:443")
    body = (
        f"open({str(tmp_path / 'asked')!r}, 'w').write(json.dumps([sys.argv[1:], dict(os.environ)]))\nprint({line!r})"
    )
    monkeypatch.setattr(seatbelt, "LOG", log_stub(tmp_path, body))
    assert refused(TAG, AT) == ((AT, Attempt("192.0.2.1:443", "curl")),)
    words, env = json.loads((tmp_path / "asked").read_text())
    assert words[:5] == ["show", "--style", "ndjson", "--start", "2026-11-30 06:00:01+0000"]
    assert words[5:] == [
        "--predicate",
        f'processID == 0 AND sender == "Sandbox" AND eventMessage CONTAINS "{TAG}"',
    ]
    assert env["TZ"] == "UTC"


def test_a_log_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "log: Could not open local log store: Operation not permitted"
    monkeypatch.setattr(seatbelt, "LOG", log_stub(tmp_path, f"print({text!r}, file=sys.stderr)\nsys.exit(64)"))
    with pytest.raises(WorkError, match="the system's log cannot be read: log: Could not open local log store"):
        refused(TAG, AT)
