"""Plain deltas, by every shell that a host may have and by the tool: the same bytes, or an error and nothing left."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from bundler.transfer.delta import write_delta
from bundler.transfer.script import NAME, script
from tests.transfer.shells import SHELLS, host, made


@pytest.fixture(params=sorted(SHELLS))
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """A shell, and in its PATH what it may use: no Python."""
    return host(request.param, tmp_path / "tools")


def run(shell: list[str], tmp_path: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run the script in an empty folder."""
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    (tmp_path / NAME).write_bytes(script())
    env = {"PATH": str(tmp_path / "tools"), "TMPDIR": str(tmp_path)}
    command = [*shell, str(tmp_path / NAME), *words]
    return subprocess.run(command, cwd=out, env=env, capture_output=True, timeout=60, check=False)


def refused(shell: list[str], tmp_path: Path, old: Path, delta: Path, fault: bytes, *words: str, code: int = 3) -> None:
    """It ends with 3, says why, and leaves nothing."""
    before = old.read_bytes()
    done = run(shell, tmp_path, str(old), str(delta), *words)
    assert (done.returncode, fault in done.stderr) == (code, True), done
    assert done.stderr.endswith(b"; nothing was changed\n")
    assert list((tmp_path / "out").iterdir()) == []
    assert old.read_bytes() == before


def test_every_shell_makes_the_new_file(shell: list[str], tmp_path: Path) -> None:
    old, new, delta = made(tmp_path)
    (tmp_path / "SUMS").write_text(f"{hashlib.sha256(new.read_bytes()).hexdigest()}  new.bin\n")
    done = run(shell, tmp_path, str(old), str(delta), "--sums", str(tmp_path / "SUMS"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"./new.bin\n", b"")
    assert (tmp_path / "out/new.bin").read_bytes() == new.read_bytes()
    again = run(shell, tmp_path, str(old), str(delta))
    assert again.returncode == 3
    assert b"exists; give --out another folder" in again.stderr


def test_what_is_wrong_is_refused(shell: list[str], tmp_path: Path) -> None:
    old, _, path = made(tmp_path)
    whole = path.read_bytes()
    odd = tmp_path / "odd.delta"
    first = whole[512:544]
    assert first.startswith(b"data ")
    for content, fault in (
        (whole[:-1], b"it is cut short"),
        (whole + b"x", b"something follows its end"),
        (whole + b"\0", b"something follows its end"),
        (whole[:512] + b"copy 0 0".ljust(31) + b"\n" + whole[512:], b"malformed"),
        (whole[:512] + b"data 0".ljust(31) + b"\n" + whole[512:], b"malformed"),
        (whole.replace(b" new.bin" + b"\n" + b" " * 250, b" " + b"n" * 256 + b"\n  "), b"malformed"),
        # By a size that is not so, more could be made than the old file gives.
        (whole.replace(b" 500000\n", b" 999999\n"), b"it is for a file of 999999 bytes"),
        (whole[:512] + b"data 999999999".ljust(31) + b"\n" + whole[544:], b"more than it says"),
        (whole[:512] + b"data -1".ljust(31) + b"\n" + whole[544:], b"malformed"),
        (whole[:512] + b"data 010".ljust(31) + b"\n" + whole[544:], b"malformed"),
        (whole[:512] + b"data 18446744073709551617".ljust(31) + b"\n" + whole[544:], b"malformed"),
        (whole[:512] + b"copy 99999 1".ljust(31) + b"\n" + whole[544:], b"malformed"),
        (whole[:512] + b"$(touch x) `touch y`".ljust(31) + b"\n" + whole[544:], b"malformed"),
        (whole[:512] + b"* *".ljust(31) + b"\n" + whole[544:], b"malformed"),
        (whole[:544], b"it is cut short"),
        (whole.replace(b" new.bin\n", b" ../evil\n"), b"malformed"),
        (whole[:300], b"malformed"),
        (whole[:600] + bytes([whole[600] ^ 1]) + whole[601:], b"SHA-256 differs"),
    ):
        odd.write_bytes(content)
        refused(shell, tmp_path, old, odd, fault)
    other = tmp_path / "other"
    other.write_bytes(old.read_bytes()[:-1] + b"x")
    refused(shell, tmp_path, other, path, b"it is for a file of 500000 bytes")
    (tmp_path / "SUMS").write_text(f"{'0' * 64}  new.bin\n")
    refused(shell, tmp_path, old, path, b"SHA256SUMS does not list new.bin", "--sums", str(tmp_path / "SUMS"))


def test_without_python_a_packed_delta_says_what_to_take(shell: list[str], tmp_path: Path) -> None:
    old, new, _ = made(tmp_path)
    packed = write_delta(old, new, tmp_path)
    assert packed
    refused(shell, tmp_path, old, packed.path, b"take the plain delta (.plain.delta)", code=1)


def replace_dd(folder: Path, before: str) -> None:
    """Have `dd` do something first where it copies from the old file."""
    dd = folder / "tools/dd"
    real = dd.readlink()
    dd.unlink()
    words = f"{real} dd" if real.name == "busybox" else str(real)
    dd.write_text(f'#!/bin/sh\ncase "$*" in *skip=*) {before};; esac\nexec {words} "$@"\n')
    dd.chmod(0o755)


def test_a_broken_off_run_leaves_nothing(shell: list[str], tmp_path: Path) -> None:
    old, _, delta = made(tmp_path)
    # Ends the shell that runs it, while the file is being made.
    replace_dd(tmp_path, "kill -TERM $PPID")
    done = run(shell, tmp_path, str(old), str(delta))
    assert done.returncode == 143
    assert list((tmp_path / "out").iterdir()) == []


def test_what_cannot_be_written_is_told(shell: list[str], tmp_path: Path) -> None:
    old, _, delta = made(tmp_path)
    # As where the disk is full.
    replace_dd(tmp_path, "exec >/dev/full")
    refused(shell, tmp_path, old, delta, b"has no room for 600005 bytes", code=1)


def test_a_python_that_is_too_old_is_told(shell: list[str], tmp_path: Path) -> None:
    old, new, _ = made(tmp_path)
    packed = write_delta(old, new, tmp_path)
    assert packed
    python = tmp_path / "tools/python3"
    python.write_text("#!/bin/sh\necho SyntaxError >&2\nexit 1\n")
    python.chmod(0o755)
    refused(shell, tmp_path, old, packed.path, b"needs Python 3.9 or later", code=1)
