"""install_share.py, which does install.py's many small tasks in a process a processor."""

from __future__ import annotations

import importlib.util
import json
import marshal
import os
import py_compile
import signal
import subprocess
import sys
import types
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundler.kinds.wheelhouse.members import install_share
from bundler.kinds.wheelhouse.members.install_share import Row
from bundler.kinds.wheelhouse.members.install_version import digest_of

PROGRAM = install_share.__file__


def listed(folder: Path, rows: list[Row]) -> Path:
    (folder / "tasks").write_text(json.dumps(rows))
    return folder / "tasks"


@contextmanager
def begun(folder: Path, rows: list[Row]) -> Iterator[subprocess.Popen[str]]:
    words: list[str | Path] = [sys.executable, "-I", "-B", PROGRAM, listed(folder, rows), folder]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        yield process


def copies(folder: Path, count: int) -> list[Row]:
    (folder / "from").mkdir()
    rows: list[Row] = []
    for index in range(count):
        content = str(index).encode()
        (folder / "from" / str(index)).write_bytes(content)
        places = (str(folder / "from" / str(index)), str(folder / "to" / str(index % 7) / str(index)))
        rows.append(("copy", *places, digest_of(content), str(len(content))))
    return rows


def test_every_task_is_done_once_however_many_there_are(tmp_path: Path) -> None:
    rows = copies(tmp_path, 9 * install_share._FEW + 1)
    with begun(tmp_path, rows) as process:
        assert process.communicate()[0] == ""
    assert process.returncode == 0
    for _, source, target, *_ in rows:
        assert Path(target).read_bytes() == Path(source).read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"from", "to", "tasks", "tasks.made"}


def test_their_numbers_fit_into_a_pipe_at_once() -> None:
    most = 1_000_000
    few = install_share._FEW + most // install_share._MOST_TIMES
    assert -(-most // few) * install_share._NUMBER <= 16384, "what macOS gives a pipe"


def test_what_one_finds_wrong_ends_all(tmp_path: Path) -> None:
    rows = copies(tmp_path, 4000)
    (tmp_path / "from" / "0").write_text("X")
    with begun(tmp_path, rows) as process:
        assert process.communicate()[0] == f"not as it was installed: {tmp_path}/from/0\n"
    assert process.returncode == 1
    assert sum(1 for _ in (tmp_path / "to").rglob("*")) < 4000
    assert not (tmp_path / "tasks.made").exists()


@pytest.mark.parametrize("name", ["absent", "demo/other.txt"])
def test_a_member_that_is_not_there_or_of_another_size_is_told(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as wheel:
        wheel.writestr("demo/other.txt", "text")
    row = ("unpack", str(tmp_path / "a.whl"), str(tmp_path / "site" / name), digest_of(b"text"), "5")
    assert install_share.main(listed(tmp_path, [row]), str(tmp_path / "site")) == 1
    assert "a.whl" in capfd.readouterr().out
    assert not (tmp_path / "site").exists()


def test_a_damaged_wheel_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("demo/file.txt", bytes(100_000))
    content = bytearray((tmp_path / "a.whl").read_bytes())
    content[60:64] = b"\xff" * 4
    (tmp_path / "a.whl").write_bytes(content)
    row = ("unpack", str(tmp_path / "a.whl"), str(tmp_path / "demo" / "file.txt"), digest_of(bytes(100_000)), "100000")
    assert install_share.main(listed(tmp_path, [row]), str(tmp_path)) == 1
    assert capfd.readouterr().out.startswith(f"{tmp_path}/a.whl: ")


def test_a_full_disk_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install_share, "_new", lambda _: Path("/dev/full").open("wb"))  # noqa: SIM115 - it is closed
    assert install_share.main(listed(tmp_path, copies(tmp_path, 1)), str(tmp_path)) == 1
    assert "No space left on device" in capfd.readouterr().out


def test_what_is_compiled_is_what_py_compile_makes(tmp_path: Path) -> None:
    texts = {"a.py": "def one():\n    return 1\n", "b.py": "'\\d'\n", "bad.py": "no Python\n", "nul.py": "a = 1\0\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    row = [("compile", str(tmp_path / name), "", "", "") for name in texts]
    with begun(tmp_path, row) as process:
        assert process.communicate()[0] == ""
    made = json.loads((tmp_path / "tasks.made").read_bytes())
    assert made.keys() == {str(tmp_path / "a.py"), str(tmp_path / "b.py")}
    for source, digest in made.items():
        found = Path(importlib.util.cache_from_source(source)).read_bytes()
        expected = tmp_path / "expected"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            py_compile.compile(source, str(expected), Path(source).name, doraise=True)
        assert (found[:16], digest) == (expected.read_bytes()[:16], digest_of(found))
        # Which of its objects refer to another depends on what else the process holds.
        code, same = marshal.loads(found[16:]), marshal.loads(expected.read_bytes()[16:])
        assert isinstance(code, types.CodeType)
        assert (code, code.co_filename) == (same, Path(source).name)


def waiting(folder: Path) -> list[Row]:
    """A task that waits for whoever writes into a pipe, and one after it."""
    os.mkfifo(folder / "slow.py")
    return [("compile", str(folder / "slow.py"), "", "", ""), *copies(folder, 1)]


def test_a_process_that_is_ended_ends_those_that_it_started(tmp_path: Path) -> None:
    with begun(tmp_path, waiting(tmp_path)) as process, (tmp_path / "slow.py").open("wb"):
        process.terminate()
        assert process.wait(timeout=20) == 128 + signal.SIGTERM
        assert process.stdout
        assert process.stdout.read() == "", "nobody has it any more"
    assert not (tmp_path / "to").exists()


def test_where_the_first_process_was_killed_the_others_begin_nothing_more(tmp_path: Path) -> None:
    with begun(tmp_path, waiting(tmp_path)) as process:
        with (tmp_path / "slow.py").open("wb"):
            process.kill()
            process.wait()
        assert process.stdout
        assert process.stdout.read() == ""
    assert not (tmp_path / "to").exists()


def test_where_the_system_tells_no_processors_to_use_all_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has no sched_getaffinity(2)."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert install_share._processors() == 3
