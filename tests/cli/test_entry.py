"""The program's beginning and end: odd surroundings, and Ctrl-C at any moment."""

from __future__ import annotations

import json
import pwd
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bundler.cli.ending import SIGNALS
from tests.json_documents import hold
from tests.world import World, make_wheel

# Whole commands, or other programs: each takes a good part of a second.
pytestmark = pytest.mark.slow

PROGRAM = [str(Path(sys.executable).with_name("aiws-bundle"))]
NO_LUCK = ("Traceback", "this is a bug", "Exception ignored")


def shell(world: World, command: str, **env: str) -> tuple[int, str]:
    """Run `$TOOL …` by a shell; returns its exit code and what it wrote to both outputs."""
    more = {"TOOL": f"{sys.executable} -m bundler", **env}
    done = subprocess.run(
        ["bash", "-c", command], cwd=world.root, env=world.env(**more), capture_output=True, text=True, check=False
    )
    written = done.stdout + done.stderr
    assert not any(word in written for word in NO_LUCK), written
    return done.returncode, written


@pytest.mark.parametrize("words", ["targets", "--json targets", "--help", "--version", "--json nonsense"])
@pytest.mark.parametrize("where", [">&-", ">/dev/full"])
def test_output_that_cannot_be_written_is_an_error(unlocked: World, words: str, where: str) -> None:
    code, written = shell(unlocked, f"$TOOL {words} {where}")
    assert code == (2 if "nonsense" in words else 1)
    assert written


@pytest.mark.parametrize("where", ["2>&-", "<&- 2>&-", "2>/dev/full"])
def test_results_do_not_depend_on_where_messages_go(unlocked: World, where: str) -> None:
    code, written = shell(unlocked, f"$TOOL --json targets {where}")
    assert code == 0
    assert json.loads(written)
    assert shell(unlocked, f"$TOOL nonsense {where}") == (2, "")


def test_no_file_takes_the_place_of_a_closed_stream(unlocked: World) -> None:
    code, _ = shell(unlocked, "$TOOL targets <&- >&- 2>&-")
    assert code == 1


def test_a_reader_that_goes_away_is_no_bug(unlocked: World) -> None:
    assert shell(unlocked, "$TOOL targets | true") == (0, "")


@pytest.mark.parametrize("value", ["²", "١", "1_0", "9" * 5000, "-1", "0x1", "1.0", "\udcff"])
def test_a_time_that_is_no_number_is_wrong_usage(locked: World, value: str) -> None:
    done = locked.run("build", "debian-12-amd64", SOURCE_DATE_EPOCH=value)
    assert done.code == 2
    assert "SOURCE_DATE_EPOCH" in done.err


def test_a_user_without_a_home_is_told_what_to_set(unlocked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for words in (["cache", "path"], ["check"]):
        done = unlocked.run(*words, AIWS_CACHE_DIR="")
        assert done.code == 2
        assert "home folder" in done.err


def test_no_threads_left_is_told(unlocked: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"")

    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    done = unlocked.run("verify", str(tmp_path / "x.tar.gz"))
    assert done.code == 1
    assert "no thread can be started" in done.err


def interrupted(world: World, words: list[str], after: float, number: signal.Signals) -> tuple[int, str, str]:
    process = subprocess.Popen(
        [*PROGRAM, *words], cwd=world.root, env=world.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    time.sleep(after)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


@pytest.mark.parametrize("words", [["--json", "check"], ["verify", "dist"], ["build", "all"]], ids=lambda w: w[-1])
def test_a_signal_at_any_moment_ends_without_a_traceback(locked: World, words: list[str]) -> None:
    if "verify" in words:
        make_wheel(locked.index.folder, "prisma", "0.15.0", payload=random.Random(9).randbytes(8 << 20))
        assert locked.run("lock", "--upgrade").code == 0
        assert locked.run("build", "debian-12-amd64").code == 0
    start = time.monotonic()
    subprocess.run([*PROGRAM, *words], cwd=locked.root, env=locked.env(), capture_output=True, check=False)
    whole = time.monotonic() - start
    generator = random.Random(9)
    codes = []
    for turn in range(21):
        number = SIGNALS[turn % 3]
        code, out, err = interrupted(locked, words, generator.uniform(0.0, whole * 1.1), number)
        if code == -number or ("Traceback" in err and "bundler" not in err):
            continue  # before the first line of ours: Python itself was beginning
        assert not any(word in err for word in NO_LUCK), err
        assert code in (0, 1, 2, 3, 128 + number)
        if code == 128 + number and "--json" in words:
            assert json.loads(out)["error"]["exit_code"] == code
            hold(words, out)
        codes.append(code)
    assert len(codes) > 5
    assert {129, 130, 143} & set(codes)


def test_help_loads_nothing_large() -> None:
    """What takes a tenth of a second to load is loaded by what needs it."""
    argv = [sys.executable, "-X", "importtime", "-m", "bundler", "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "bundler.cli" in loaded
    assert loaded.isdisjoint({"pydantic", "httpx", "packaging", "yaml", "rich"})


def test_a_build_loads_what_it_takes_and_little_else() -> None:
    """Modules are counted, since time cannot be on a machine that does other work: each costs about a millisecond."""
    ask = "import sys, bundler.commands.build, bundler.make; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "bundler.adapters.store" in loaded
    assert loaded.isdisjoint({
        "bundler.adapters.git",
        "bundler.adapters.http",
        "bundler.kinds.offline.inventory",
        "bundler.model.advisory",
        "bundler.model.dsse",
        "bundler.model.intoto",
        "bundler.payloads.npm.description",
        "bundler.model.snapshot",
        "cryptography",
        "cyclonedx",
        "httpx",
        "jsonschema",
    })  # fmt: skip
    assert len([name for name in loaded if name.startswith("bundler.")]) <= 195
