"""probe.py, which archives carry: what it waits for, and what it finds of installed files."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bundler.kinds.wheelhouse.members import probe
from tests.server import Reply, serving

PROBE = Path(probe.__file__)


def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-I", "-B", str(PROBE), *words]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Packages with their RECORD."""
    (tmp_path / "demo-1.0.dist-info").mkdir()
    content = b"print('demo')\n"
    (tmp_path / "demo.py").write_bytes(content)
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    record = f"demo.py,sha256={digest},{len(content)}\ndemo-1.0.dist-info/RECORD,,\n"
    (tmp_path / "demo-1.0.dist-info" / "RECORD").write_text(record)
    return tmp_path


def test_files_as_they_were_installed(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert probe._files(str(site)) == ""
    assert capsys.readouterr().out == "1 as they were installed\n"


def test_a_file_that_changed_or_went_is_named(site: Path) -> None:
    (site / "demo.py").write_text("print('evil')\n")
    assert probe._files(str(site)) == "demo.py: is not as it was installed"
    (site / "demo.py").unlink()
    assert probe._files(str(site)) == "demo.py: No such file or directory"
    assert probe._files(str(site / "demo-1.0.dist-info")) == "no packages"


def test_what_the_program_changed_as_it_started_is_known_and_told(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing else: neither what changed before, nor what changed again."""
    record = site / "demo-1.0.dist-info" / "RECORD"
    for name in ("moved", "odd"):
        (site / name).write_text("as installed")
        record.write_text(f"{record.read_text()}{name},sha256={probe._digest(str(site / name))},12\n")
    (site / "odd").write_text("changed before")
    time.sleep(0.02)  # longer than a tick of the clock that file systems go by
    since = site / "since"
    since.touch()
    assert probe._changed(str(site), str(since)) == ""
    assert capsys.readouterr().out == ""
    (site / "demo.py").write_text("by itself")
    (site / "moved").rename(site / "there")
    assert probe._changed(str(site), str(since)) == ""
    said = capsys.readouterr().out
    assert said == f"{probe._digest(str(site / 'demo.py'))}  demo.py\n-  moved\n"
    changed = site / "changed"
    changed.write_text(said)
    assert probe._files(str(site), str(changed)) == "odd: is not as it was installed"
    (site / "odd").write_text("as installed")
    assert probe._files(str(site), str(changed)) == ""
    assert capsys.readouterr().out == "1 as they were installed, 2 as the program's first start left them\n"
    (site / "demo.py").write_text("by another")
    (site / "moved").write_text("by another")
    assert probe._files(str(site), str(changed)) == "\n".join(
        f"{name}: is not as it was installed" for name in ("demo.py", "moved")
    )


def test_it_is_ready_when_it_answers_with_200() -> None:
    with serving() as server:
        server.script("/ready", Reply(b"", status=503), Reply(b"", status=503), Reply(b""))
        assert probe._ready(f"{server.address}/ready", "20") == ""


def test_it_gives_up_in_time_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert probe._ready("http://127.0.0.1:9/ready", "0").startswith("not ready after 0 s: http://127.0.0.1:9/ready: ")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    monkeypatch.setenv("MAINPID", str(ended.pid))
    assert probe._ready("http://127.0.0.1:9/ready", "20") == "the program has ended"


@pytest.mark.slow
def test_it_runs_alone_and_ends_with_1_if_something_is_wrong(site: Path) -> None:
    assert run("files", str(site)).returncode == 0
    assert run("alive", "http://127.0.0.1:9/", "1").returncode == 1
    assert 0 < int(run("port").stdout) < 65536
