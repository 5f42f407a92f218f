"""`apply-delta.sh` in odd surroundings, with the oldest Python and without: whole, or an error and nothing left."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from bundler.transfer.delta import write_delta
from bundler.transfer.script import NAME, script
from tests.transfer.shells import SHELLS, host, made, oldest_python
from tests.transfer.wheels import noise

_CHANGED = b"; nothing was changed\n"


@dataclass(frozen=True)
class Host:
    """A folder with the script, an old file, a delta and `out`; a plain delta is applied without Python."""

    root: Path
    shell: list[str]
    plain: bool
    old: Path
    new: bytes
    delta: Path

    @property
    def out(self) -> Path:
        return self.root / "out"

    def run(
        self,
        *words: bytes | str | Path,
        env: Mapping[str, str] | None = None,
        before: Callable[[], object] | None = None,
        streams: str = "",
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the script in the folder `out`; it ends in time whatever it is given."""
        command = [os.fsencode(word) for word in (*self.shell, self.root / NAME, *words)]
        if streams:
            command = [b"/bin/sh", b"-c", b'"$@" ' + streams.encode(), b"sh", *command]
        return subprocess.run(
            command,
            cwd=self.out,
            env={"PATH": str(self.root / "tools"), "TMPDIR": str(self.root), **(env or {})},
            capture_output=True,
            timeout=30,
            preexec_fn=before,
            check=False,
        )

    def refused(self, code: int, fault: bytes, done: subprocess.CompletedProcess[bytes]) -> None:
        """It ended so, said why, and left nothing."""
        assert (done.returncode, fault in done.stderr, done.stdout) == (code, True, b""), done
        assert b"Traceback" not in done.stderr
        assert code == 2 or done.stderr.endswith(_CHANGED)
        assert not [path for path in self.out.rglob("*") if path.name.startswith(".") or path.name == "new.bin"]


# With one shell all of it is among the fast tests.
_ALL = [pytest.param(name, marks=[pytest.mark.slow] if name != "dash" else []) for name in SHELLS]


@pytest.fixture(params=_ALL)
def shell(request: pytest.FixtureRequest) -> str:
    """The name of a shell."""
    return str(request.param)


@pytest.fixture(params=[True, False], ids=["plain", "packed"])
def site(request: pytest.FixtureRequest, shell: str, tmp_path: Path) -> Host:
    """A host with one shell, and with Python only where the delta takes it."""
    root = tmp_path / "host"
    root.mkdir()
    words = host(shell, root / "tools")
    if not request.param:
        (root / "tools/python3").symlink_to(oldest_python())
    old, new, delta = made(root, plain=request.param)
    (root / "out").mkdir()
    (root / NAME).write_bytes(script())
    content = new.read_bytes()
    new.unlink()
    return Host(root, words, request.param, old, content, delta)


_NAMES = {
    b"line\nline\n": ("C", 0o077),
    b"$(touch x) `touch x` * ' \"": ("POSIX", 0),
    b"\xff\xe9 \xfe": ("C.UTF-8", 0o022),
    "ä€".encode(): ("de_DE.ISO-8859-1", 0o007),
}


def test_any_path_locale_and_umask_will_do(site: Host) -> None:
    root = os.fsencode(site.root)
    for name, (locale, mask) in _NAMES.items():
        folder = root + b"/" + name
        os.mkdir(folder)  # noqa: PTH102 - no text
        old, delta, out = (folder + b"/" + word + name for word in (b"old", b"delta", b"out"))
        shutil.copy(os.fsencode(site.old), old)
        shutil.copy(os.fsencode(site.delta), delta)
        os.mkdir(out)  # noqa: PTH102
        done = site.run(old, delta, b"--out", out, env={"LC_ALL": locale}, before=partial(os.umask, mask))
        assert done.returncode == 0, done
        assert done.stdout == out + b"/new.bin\n"
        made_file = Path(os.fsdecode(out)) / "new.bin"
        assert made_file.read_bytes() == site.new
        assert made_file.stat().st_mode & 0o7777 == 0o644
        missing = site.run(old, delta, b"--out", folder + b"/no" + name, env={"LC_ALL": locale})
        site.refused(1, b"folder " + folder if site.plain else b"no such folder", missing)
    assert list(site.out.iterdir()) == []


def test_words_are_read_alike_with_python_and_without(site: Host) -> None:
    here = site.out
    shutil.copy(site.old, here / "-old")
    shutil.copy(site.delta, here / "-n.delta")
    (here / "-o").mkdir()
    assert site.run("--out=-o", "--", "-old", "-n.delta").returncode == 0
    (here / "-o/new.bin").unlink()
    old, delta = site.old, site.delta
    for words, fault in (
        (("-old", "-n.delta"), b"error:"),
        ((old, delta, "--frob"), b"error:"),
        ((old, delta, delta), b"one delta"),
        ((old, delta, "--out", ""), b"error:"),
        ((old, delta, "--out="), b"error:"),
        ((old, delta, "--out"), b"error:"),
        ((old, delta, "--sums"), b"error:"),
        ((delta,), b"give an old archive"),
        ((), b"give an old archive"),
    ):
        site.refused(2, fault, site.run(*words))
    for done in (site.run(old, delta, "--help"), site.run("-h")):
        assert (done.returncode, done.stdout.startswith(b"usage: apply-delta.sh OLD DELTA")) == (0, True), done
    assert sorted(path.name for path in here.iterdir()) == ["-n.delta", "-o", "-old"]


def test_what_is_no_file_is_told_and_not_waited_for(site: Host) -> None:
    suffix = ".plain.delta" if site.plain else ".delta"
    pipe, absent = site.root / f"pipe{suffix}", site.root / f"absent{suffix}"
    os.mkfifo(pipe)
    for words in ((pipe, site.delta), (site.old, pipe), (site.old, site.delta, "--sums", pipe)):
        site.refused(3, b"is no regular file", site.run(*words))
    for words in ((absent, site.delta), (site.old, absent), (site.old, site.delta, "--sums", absent)):
        done = site.run(*words)
        site.refused(1, str(absent).encode(), done)
        assert b"there is no" in done.stderr or b"No such file" in done.stderr
    site.refused(3, b"is no regular file", site.run(site.root, site.delta))
    site.refused(1, b"folder", site.run(site.old, site.delta, "--out", site.old))


def test_a_list_has_lines_of_one_form(site: Host) -> None:
    line = f"{hashlib.sha256(site.new).hexdigest()}  new.bin"
    for text, code in ((f"{line}\n", 0), (f"{line}\r\n", 3), (f"x\v{line}\n", 3), (f"{line}x\n", 3), ("", 3)):
        (site.root / "SUMS").write_bytes(text.encode())
        done = site.run(site.old, site.delta, "--sums", site.root / "SUMS")
        assert done.returncode == code, (text, done)
        (site.out / "new.bin").unlink(missing_ok=True)
    assert list(site.out.iterdir()) == []


def test_nothing_is_written_over_and_a_link_to_the_old_file_will_do(site: Host) -> None:
    taken = site.out / "new.bin"
    shutil.copy(site.old, taken)
    done = site.run("new.bin", site.delta)
    assert (done.returncode, b"new.bin exists" in done.stderr) == (3, True)
    assert taken.read_bytes() == site.old.read_bytes()
    taken.unlink()
    taken.symlink_to("nowhere")
    assert site.run(site.old, site.delta).returncode == 3
    assert not (site.out / "nowhere").exists()
    taken.unlink()
    (site.root / "link").symlink_to(site.old)
    assert site.run(site.root / "link", site.delta).returncode == 0
    assert [path.name for path in site.out.iterdir()] == ["new.bin"]


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full"])
def test_what_is_made_does_not_depend_on_where_messages_go(streams: str, site: Host) -> None:
    done = site.run(site.old, site.delta, streams=streams)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (site.out / "new.bin").read_bytes() == site.new
    assert site.run(site.old, site.delta, streams=streams).returncode == 3
    assert [path.name for path in site.out.iterdir()] == ["new.bin"]


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A file system in memory on a folder, if that may be had."""
    words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("options", ["size=200k", "ro"])
def test_a_disk_that_is_full_or_not_to_be_written_is_told(options: str, site: Host) -> None:
    with mounted(site.out, options):
        site.refused(1, str(site.out).encode(), site.run(site.old, site.delta, "--out", site.out))


def test_a_file_that_may_not_be_so_large_is_told(site: Host) -> None:
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (200_000, 200_000))
    site.refused(1, str(site.out).encode(), site.run(site.old, site.delta, "--out", site.out, before=limit))


def test_a_plain_delta_that_is_damaged_where_it_begins_asks_for_no_python(site: Host) -> None:
    damaged = site.root / "damaged.plain.delta"
    damaged.write_bytes(b"x" + site.delta.read_bytes()[1:])
    site.refused(3, b"malformed", site.run(site.old, damaged))


def test_a_signal_as_it_starts_ends_it_and_prints_nothing(site: Host) -> None:
    """At moments between the shell's first line and the program's: none of them prints a traceback."""
    chance = random.Random(26)
    codes = set()
    for _ in range(12):
        words = [*site.shell, str(site.root / NAME), str(site.old), str(site.delta), "--out", str(site.out)]
        env = {"PATH": str(site.root / "tools")}
        process = subprocess.Popen(
            words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0, text=True
        )
        time.sleep(chance.uniform(0.005, 0.08))
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert err == ""
        assert not [path for path in site.out.iterdir() if path.name.startswith(".")]
        (site.out / "new.bin").unlink(missing_ok=True)
        codes.add(process.returncode)
    assert codes <= {0, 1, 130, -signal.SIGINT}


def test_what_is_ignored_stays_so(shell: str, tmp_path: Path) -> None:
    """Below nohup, a terminal that closes ends nothing."""
    if shell == "zsh":
        pytest.skip("it lets scripts trap what was ignored when it began, which POSIX forbids")
    words = host(shell, tmp_path / "tools")
    (tmp_path / "tools/python3").symlink_to(oldest_python())
    (tmp_path / NAME).write_bytes(script())
    common = noise("a", 50_000) * 100
    (tmp_path / "old").write_bytes(common)
    (tmp_path / "new").write_bytes(common + b"new")
    delta = write_delta(tmp_path / "old", tmp_path / "new", tmp_path)
    assert delta
    (tmp_path / "out").mkdir()
    process = subprocess.Popen(
        [*words, str(tmp_path / NAME), str(tmp_path / "old"), str(delta.path), "--out", str(tmp_path / "out")],
        env={"PATH": str(tmp_path / "tools")},
        stdout=subprocess.DEVNULL,
        preexec_fn=partial(signal.signal, signal.SIGHUP, signal.SIG_IGN),
    )
    while process.poll() is None:
        process.send_signal(signal.SIGHUP)
        time.sleep(0.01)
    assert process.returncode == 0
    assert (tmp_path / "out/new").exists()
