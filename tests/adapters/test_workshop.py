from __future__ import annotations

import hashlib
import os
import time
import uuid
from pathlib import Path

import pytest

from bundler.adapters import sandbox, workshop
from bundler.adapters.process import own_module
from bundler.adapters.source_archive import unpack_source
from bundler.adapters.workshop import BuildWheel, Workshop
from bundler.errors import IntegrityError, LockError, WorkError
from tests.sandboxes import needs_sandbox
from tests.sources import source_files, zip_of
from tests.world import make_wheel

pytestmark = [pytest.mark.slow, needs_sandbox]


def source(folder: Path, does: str) -> Path:
    archive = folder / "archive.zip"
    archive.write_bytes(zip_of(source_files(declared=[], does=does)))
    (folder / "unpacked").mkdir()
    return unpack_source(archive, "tiny", folder / "unpacked")


def build(folder: Path, does: str, timeout: float = 60.0) -> str:
    with workshop.opened("tiny", source(folder, does), [], folder, timeout=timeout) as opened:
        return opened.wheel()[0]


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    mine = f"/tmp/{uuid.uuid4()}"
    before = set(tmp_path.iterdir())
    folder = source(tmp_path, f"open({mine!r}, 'w').write('x')\nopen('more', 'w').write('x')")
    kept = set(folder.rglob("*"))
    with workshop.opened("tiny", folder, [], tmp_path) as opened:
        filename, path = opened.wheel()
        assert filename == "litellm-1.0-py3-none-any.whl" and path.read_bytes()[:2] == b"PK"
    assert {path.name for path in set(tmp_path.iterdir()) - before} == {"archive.zip", "unpacked"}
    assert set(folder.rglob("*")) == kept
    assert not Path(mine).exists()


def test_a_build_sees_neither_this_hosts_folders_nor_its_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "hidden")
    secret = tmp_path / "secret"
    secret.write_text("hidden")
    does = f"""
        import os
        assert "A_SECRET" not in os.environ
        assert not os.path.exists({str(secret)!r})
        assert sorted(os.listdir("/build")) == ["env", "home", "out", "source", "tmp"], os.listdir("/build")
        assert os.getcwd() == "/build/source"
    """
    assert build(tmp_path, does)


def test_a_build_that_runs_for_ever_is_ended(tmp_path: Path) -> None:
    with pytest.raises(LockError, match=r"(?s)did not end within 1 s.*still here"):
        build(tmp_path, "import time\nprint('still here', flush=True)\ntime.sleep(600)", timeout=1)


def test_a_build_that_never_stops_writing_fills_no_memory(tmp_path: Path) -> None:
    does = "for _ in range(3000): print('x' * 10000)\nprint('the end')\nraise SystemExit(1)"
    with pytest.raises(LockError, match="the end") as caught:
        build(tmp_path, does)
    assert len(caught.value.message) < 10_000


def test_what_a_build_writes_cannot_command_the_terminal(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="plain") as caught:
        build(tmp_path, "print('\\x1b]0;owned\\x07\\x1b[2Jplain'); raise SystemExit(1)")
    assert caught.value.message.replace("\n", "").isprintable()


def test_an_answer_without_end_is_refused(tmp_path: Path) -> None:
    folder = source(tmp_path, "")
    (folder / "backend.py").write_text(
        "def get_requires_for_build_wheel(*rest):\n    return [str(n) * 100 for n in range(10000)]\n"
    )
    with (
        pytest.raises(LockError, match="cannot be read"),
        workshop.opened("tiny", folder, [], tmp_path) as opened,
    ):
        opened.requirements()


def test_what_is_left_running_ends_with_the_sandbox(tmp_path: Path) -> None:
    does = """
        import subprocess, sys
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(987654)"], start_new_session=True,
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    """
    assert build(tmp_path, does)
    time.sleep(0.2)
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    assert not [words for words in running if b"time.sleep(987654)" in words]


def test_a_wheel_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = source(tmp_path, "")
    lines = ["import os", "", "def build_wheel(folder, *rest):"]
    lines += ["    os.symlink('/etc/passwd', os.path.join(folder, 'x.whl'))", "    return 'x.whl'"]
    (folder / "backend.py").write_text("\n".join(lines))
    with (
        pytest.raises(LockError, match="left no wheel"),
        workshop.opened("tiny", folder, [], tmp_path) as opened,
    ):
        opened.wheel()


def test_wheels_that_do_not_close_are_named(tmp_path: Path) -> None:
    path = make_wheel(tmp_path / "wheels", "maker", "1.0", ["part"])
    wheel = BuildWheel(path, path.name, "maker==1.0", hashlib.sha256(path.read_bytes()).hexdigest())
    with (
        pytest.raises(LockError, match=r"(?s)do not install.*part"),
        workshop.opened("tiny", source(tmp_path, ""), [wheel], tmp_path),
    ):
        pass


def test_a_wheel_that_was_replaced_is_refused_by_pip(tmp_path: Path) -> None:
    path = make_wheel(tmp_path / "wheels", "maker", "1.0")
    with (
        pytest.raises(LockError, match=r"(?s)do not install"),
        workshop.opened("tiny", source(tmp_path, ""), [BuildWheel(path, path.name, "maker==1.0", "f" * 64)], tmp_path),
    ):
        pass


def test_it_ends_when_it_is_told_to(tmp_path: Path) -> None:
    began = time.monotonic()
    with (
        pytest.raises(WorkError, match="it ended"),
        workshop.opened(
            "tiny", source(tmp_path, "import time; time.sleep(60)"), [], tmp_path,
            cancelled=lambda: time.monotonic() > began + 2,
        ) as opened,
    ):  # fmt: skip
        opened.wheel()
    assert time.monotonic() < began + 10


def test_an_attempt_that_the_build_hides_is_seen(tmp_path: Path) -> None:
    does = """
        import socket
        try:
            socket.getaddrinfo("index.example", 443)
        except OSError:
            pass
    """
    with pytest.raises(IntegrityError, match=r"reaches for the network: index\.example"):
        build(tmp_path, does)


def test_without_a_sandbox_nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh", *own_module("bundler.adapters.jail")]
    monkeypatch.setattr(sandbox, "own_module", lambda _: command)
    with pytest.raises(WorkError, match="no private namespaces can be made") as caught:
        build(tmp_path, "")
    assert "max_user_namespaces" in caught.value.message + caught.value.hint


def test_requirements_that_are_no_list_are_refused(tmp_path: Path) -> None:
    folder = source(tmp_path, "")
    facts = folder / "facts.json"
    facts.write_text(facts.read_text().replace('"dynamic": []', '"dynamic": [1]'))
    with (
        pytest.raises(LockError, match="no list of texts"),
        workshop.opened("tiny", folder, [], tmp_path) as opened,
    ):
        assert isinstance(opened, Workshop)
        opened.requirements()
