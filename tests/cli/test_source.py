"""A wheelhouse whose own wheel is built from a pinned source archive."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandboxes import needs_sandbox
from tests.server import listening
from tests.sources import COMMIT, Fork, source_files, tar_of, zip_of
from tests.world import WHEELHOUSE, Ran, World, make_wheel, world

pytestmark = [pytest.mark.slow, needs_sandbox]


# Fails if the environment that it runs in holds anything but the locked build requirements.
ENVIRONMENT = """
    import importlib.metadata
    found = sorted(d.name for d in importlib.metadata.distributions())
    assert found == ["added", "maker", "part"], found
"""


@pytest.fixture
def fork(unlocked: World) -> Fork:
    return Fork(unlocked)


@pytest.fixture(scope="module")
def locked_fork(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fork]:
    """A fork that is locked and built; tests leave its locks as they are."""
    with world(tmp_path_factory.mktemp("fork")) as made:
        forked = Fork(made)
        make_wheel(made.index.folder, "added", "3.0")
        forked.serve(zip_of(source_files(dynamic=["added>2"], does=ENVIRONMENT)))
        locked = made.run("lock", **forked.env())
        assert locked.code == 0, locked.err
        built = made.run("build", "all", **forked.env())
        assert built.code == 0, built.err
        yield forked


def content(archive: Path, member: str) -> bytes:
    with tarfile.open(archive) as tar:
        file = tar.extractfile(f"litellm-runtime/{member}")
        assert file
        return file.read()


def state(fork: Fork) -> dict[str, bytes]:
    """Everything in the locks and in dist."""
    folders = (fork.build_lock.parent, fork.world.dist)
    return {str(path): path.read_bytes() for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())}


def archive_of(fork: Fork) -> Path:
    return fork.world.dist / "litellm-runtime-debian-12-amd64.tar.gz"


def test_the_archive_carries_the_wheel_that_the_source_makes(locked_fork: Fork, tmp_path: Path) -> None:
    archive = archive_of(locked_fork)
    wheel = tmp_path / "litellm-1.0-py3-none-any.whl"
    wheel.write_bytes(content(archive, f"packages/pip/{wheel.name}"))
    argv = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(tmp_path / "site")]
    subprocess.run([*argv, str(wheel)], check=True)
    assert (tmp_path / "site" / "litellm.py").read_text() == "VALUE = 'from the fork'\n"
    assert json.loads(content(archive, "manifest.json"))["commit"] == COMMIT
    assert b"LITELLM_PACKAGE_SPEC=litellm[proxy]==1.0\n" in content(archive, "metadata/runtime.env")
    assert locked_fork.world.run("verify", "dist").code == 0


def test_the_lock_pins_what_is_built_and_marks_it(locked_fork: Fork) -> None:
    text = (locked_fork.build_lock.parent / "pylock.litellm-debian-12-amd64.toml").read_text()
    assert f'commit = "{COMMIT}"' in text
    assert "://" not in text + locked_fork.build_lock.read_text()
    assert locked_fork.world.run("check").code == 0
    assert locked_fork.world.run("lock", "--check").code == 0


def test_build_requirements_are_locked_with_all_they_lead_to_and_what_the_backend_adds(locked_fork: Fork) -> None:
    text = locked_fork.build_lock.read_text()
    for wheel in ("maker-1.0", "part-2.0", "added-3.0"):
        file = locked_fork.world.index.folder / f"{wheel}-py3-none-any.whl"
        assert hashlib.sha256(file.read_bytes()).hexdigest() in text


@pytest.fixture
def edited(locked_fork: Fork) -> Iterator[Fork]:
    """The locked fork, whose locks and manifest are put back after the test."""
    folders = (locked_fork.build_lock.parent, locked_fork.build_lock.parent.parent)
    kept = {path: path.read_bytes() for folder in folders for path in folder.iterdir() if path.is_file()}
    yield locked_fork
    for path, before in kept.items():
        path.write_bytes(before)


def cold(fork: Fork, tmp_path: Path, *words: str) -> Ran:
    """Run with an empty store."""
    return fork.world.run(*words, AIWS_CACHE_DIR=str(tmp_path / "cold"), **fork.env())


def test_check_tells_what_is_missing_or_stale_and_which_command_helps(edited: Fork) -> None:
    good = edited.build_lock.read_text()
    edited.build_lock.unlink()
    for command in (("check",), ("lock", "--check")):
        done = edited.world.run(*command)
        assert done.code == 2
        assert "pylock.build-litellm.toml" in done.out and "missing" in done.out and "aiws-bundle lock" in done.out
    assert edited.world.run("build", "all", "--force").code == 2
    edited.build_lock.write_text(good.replace(COMMIT, "0" * 40))
    done = edited.world.run("check")
    assert done.code == 2 and "stale: the source changed" in done.out
    edited.build_lock.write_text(good)
    edited.world.write("litellm.yaml", WHEELHOUSE)
    assert "pylock.build-litellm.toml: belongs to no component and target" in edited.world.run("check").out


def test_another_archive_makes_the_locks_stale(edited: Fork) -> None:
    manifest = edited.world.root / "manifests" / "litellm.yaml"
    manifest.write_text(re.sub("sha256: [0-9a-f]{64}", f"sha256: {'f' * 64}", manifest.read_text()))
    done = edited.world.run("lock", "--check")
    assert done.code == 2 and "source was commit" in done.out


def test_a_lock_whose_wheel_is_not_the_build_locks_is_stale(edited: Fork) -> None:
    wheel = re.findall('sha256 = "(.{64})"', edited.build_lock.read_text())[-1]
    edited.build_lock.write_text(edited.build_lock.read_text().replace(wheel, "f" * 64))
    done = edited.world.run("check")
    assert done.code == 2 and "its wheel is not the one of pylock.build-litellm.toml" in done.out


def test_a_build_requirement_without_its_hash_is_refused(edited: Fork, tmp_path: Path) -> None:
    text = edited.build_lock.read_text()
    edited.build_lock.write_text(re.sub('sha256 = ".{64}"\n', "", text, count=1))
    for command in (("check",), ("build", "all", "--out", str(tmp_path / "out"))):
        done = cold(edited, tmp_path, *command)
        assert done.code == 2, done.err
        assert "hashes" in done.out + done.err
    assert not list((tmp_path / "out").glob("*.gz"))


def test_a_build_requirement_with_another_hash_is_refused(edited: Fork, tmp_path: Path) -> None:
    text = edited.build_lock.read_text()
    edited.build_lock.write_text(re.sub('sha256 = ".{64}"', f'sha256 = "{"f" * 64}"', text, count=1))
    done = cold(edited, tmp_path, "build", "all", "--out", str(tmp_path / "out"))
    assert done.code == 4, done.err
    assert f"the lock wants {'f' * 64}" in done.err


def test_a_build_that_gives_another_wheel_than_is_locked_is_an_integrity_error(edited: Fork, tmp_path: Path) -> None:
    wheel = re.findall('sha256 = "(.{64})"', edited.build_lock.read_text())[-1]
    for path in edited.build_lock.parent.iterdir():
        path.write_text(path.read_text().replace(wheel, "f" * 64))
    done = cold(edited, tmp_path, "build", "all", "--out", str(tmp_path / "out"))
    assert done.code == 3, done.err
    assert "another wheel than is locked" in done.err and wheel in done.err
    assert not list((tmp_path / "out").glob("*.gz"))


def test_a_warm_store_builds_nothing(locked_fork: Fork) -> None:
    done = locked_fork.world.run("build", "all", "--force", "--offline")
    assert done.code == 0, done.err
    assert "from its source" not in done.err


def test_elsewhere_it_is_the_same_wheel_built_once_for_all_targets(locked_fork: Fork, tmp_path: Path) -> None:
    other = {"AIWS_CACHE_DIR": str(tmp_path / "another place" / "cache"), "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    old = os.umask(0o077)
    try:
        done = locked_fork.world.run("build", "all", "--out", str(tmp_path / "dist"), **{**locked_fork.env(), **other})
    finally:
        os.umask(old)
    assert done.code == 0, done.err
    assert done.err.count("from its source") == 1
    sums = (tmp_path / "dist" / "SHA256SUMS").read_text()
    assert sums == (locked_fork.world.dist / "SHA256SUMS").read_text()


def test_a_tar_with_no_pyproject_builds_with_setuptools_unless_it_says_otherwise(fork: Fork) -> None:
    """PEP 517: the index lacks setuptools here, which the error names."""
    files = {"setup.py": "from setuptools import setup\nsetup(name='litellm', version='1.0')\n"}
    fork.serve(tar_of(files))
    done = fork.world.run("lock", "debian-12-amd64", **fork.env())
    assert done.code == 2
    assert "setuptools" in done.err


def test_overrides_may_take_the_index_and_must_where_the_version_differs(fork: Fork) -> None:
    override = 'overrides:\n  - targets: [debian-13]\n    requirement: "litellm[proxy]==1.1"\n'
    fork.serve(zip_of(source_files(declared=[])), more=override)
    assert "source: index" in fork.world.run("check").out
    fork.serve(zip_of(source_files(declared=[])), more=f"{override}    source: index\n")
    done = fork.world.run("lock", **fork.env())
    assert done.code == 0, done.err
    locks = fork.build_lock.parent
    assert COMMIT in (locks / "pylock.litellm-debian-12-amd64.toml").read_text()
    assert COMMIT not in (locks / "pylock.litellm-debian-13-amd64.toml").read_text()


def test_saying_index_changes_no_lock(locked: World) -> None:
    locked.write("litellm.yaml", f"{WHEELHOUSE}source: index\n")
    assert locked.run("check").code == 0
    assert locked.run("lock", "--check").code == 0


ESCAPE = """
    import pathlib
    for folder in ("/", "/usr", "/root", "/etc", "/proc/sys/kernel"):
        try:
            (pathlib.Path(folder) / "escaped").write_text("here")
        except (FileNotFoundError, PermissionError):
            pass
"""
NETWORK = """
    import urllib.request
    try:
        urllib.request.urlopen("http://index.example/simple/", timeout=5)
    except OSError:
        pass
"""
PIP = """
    import subprocess, sys
    subprocess.run([sys.executable, "-c", "import socket; socket.create_connection(('192.0.2.7', 443), 1)"])
"""


@pytest.mark.parametrize(
    ("does", "code", "words"),
    [
        (NETWORK, 3, ["reaches for the network", "index.example"]),
        (PIP, 3, ["reaches for the network", "192.0.2.7:443/tcp"]),
        (ESCAPE, 3, ["writes outside its folder", "Read-only file system"]),
        ("print('the last words'); raise SystemExit(3)", 2, ["its build failed", "the last words"]),
        ("facts['name'] = 'other'", 2, ["the source makes other 1.0", "litellm==1.0"]),
        ("facts['tag'] = 'cp311-cp311-linux_x86_64'", 2, ["cp311-cp311-linux_x86_64", "all targets"]),
        ("import uuid; open('modules/x.py', 'w').write(str(uuid.uuid4()))", 2, ["two different wheels"]),
        ("import os; os.symlink('/etc/passwd', wheel_directory + '/x'); os._exit(0)", 2, ["its build failed"]),
    ],
    ids=["index", "address", "writes outside", "fails", "name", "platform", "random", "dies"],
)
def test_a_build_that_misbehaves_locks_nothing(fork: Fork, does: str, code: int, words: list[str]) -> None:
    fork.serve(zip_of(source_files(declared=[], does=does)))
    before = state(fork)
    done = fork.world.run("lock", **fork.env())
    assert done.code == code, done.err
    for word in words:
        assert word in done.err
    assert done.err.count("building litellm") == 1, "one target's failure is every target's"
    assert state(fork) == before
    folders = ("/", "/usr", "/root", "/etc", "/proc/sys/kernel")
    assert not [folder for folder in folders if (Path(folder) / "escaped").exists()]


def test_an_archive_with_another_digest_is_refused(fork: Fork) -> None:
    fork.serve(zip_of(source_files()), sha256="f" * 64)
    done = fork.world.run("lock", "debian-12-amd64", **fork.env())
    assert done.code == 3
    assert "SHA-256 mismatch" in done.err
    assert not fork.build_lock.exists()


def test_an_archive_of_another_commit_is_refused(fork: Fork) -> None:
    out = io.BytesIO(zip_of(source_files()))
    with zipfile.ZipFile(out, "a") as archive:
        archive.comment = b"e" * 40
    fork.serve(out.getvalue())
    done = fork.world.run("lock", "debian-12-amd64", **fork.env())
    assert done.code == 2
    assert f"is of commit {'e' * 40}" in done.err


def test_an_archive_that_climbs_out_is_refused(fork: Fork) -> None:
    out = io.BytesIO(zip_of(source_files()))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("litellm/../../escaped", "here")
    fork.serve(out.getvalue())
    done = fork.world.run("lock", "debian-12-amd64", **fork.env())
    assert done.code == 3
    assert "refused member" in done.err


def test_an_address_that_cannot_be_reached_names_the_mirror_that_would_help(fork: Fork) -> None:
    fork.serve(zip_of(source_files()))
    nowhere = {"AIWS_MIRRORS": "https://source.example/=file:///nowhere/"}
    done = fork.world.run("lock", "debian-12-amd64", **nowhere)
    assert done.code == 4
    assert "--mirror https://source.example/litellm/archive/=file:///FOLDER/" in done.err


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (["nowhere-to-be-had"], "nowhere-to-be-had"),
        (["maker @ https://example.org/maker.whl"], "not a name and versions"),
        (["maker===/../../../tmp"], "not a name and versions"),
        (["maker===${AIWS_SECRET}"], "not a name and versions"),
        (["maker>=1; os_name != '${AIWS_SECRET}'"], "not a name and versions"),
        (["maker>=\x0c1"], "not a name and versions"),
        (["maker==="], "build requirement"),
    ],
)
def test_build_requirements_that_no_index_serves_are_named(fork: Fork, declared: list[str], words: str) -> None:
    fork.serve(zip_of(source_files(declared=declared)))
    done = fork.world.run("lock", "debian-12-amd64", AIWS_SECRET="s3cret", **fork.env())
    assert done.code == 2, done.err
    assert words in done.err
    assert "s3cret" not in done.err


def test_a_backend_path_that_is_none(fork: Fork) -> None:
    files = source_files()
    files["pyproject.toml"] = files["pyproject.toml"].replace('["."]', '["/tmp"]')
    fork.serve(zip_of(files))
    done = fork.world.run("lock", "debian-12-amd64", **fork.env())
    assert done.code == 2
    assert "not a Python project that can be built" in done.err


def test_a_lock_that_fails_for_one_target_leaves_the_build_lock_as_it_was(locked_fork: Fork) -> None:
    wheels = locked_fork.world.index.folder
    make_wheel(wheels, "maker", "9.0", module="VALUE = 'new'")
    gone = next(wheels.glob("aiohttp-*.whl"))
    kept = gone.read_bytes()
    before = state(locked_fork)
    gone.unlink()
    try:
        done = locked_fork.world.run("lock", "--upgrade", **locked_fork.env())
        assert done.code == 2, done.err
        assert state(locked_fork) == before
        assert locked_fork.world.run("check").code == 0
    finally:
        gone.write_bytes(kept)
        next(wheels.glob("maker-9.0-*.whl")).unlink()


def test_a_set_version_that_the_source_does_not_make_is_refused(locked_fork: Fork) -> None:
    before = state(locked_fork)
    done = locked_fork.world.run("lock", "--set", "litellm=1.1", **locked_fork.env())
    assert done.code == 2
    assert "the source makes litellm 1.0" in done.err
    assert state(locked_fork) == before


def test_prune_keeps_what_the_build_lock_names(locked_fork: Fork) -> None:
    assert locked_fork.world.run("cache", "prune").code == 0
    done = locked_fork.world.run("build", "all", "--force", "--offline")
    assert done.code == 0, done.err


def test_a_tar_from_a_server_serves_as_well(fork: Fork) -> None:
    """Through a mirror on loopback, as any other pinned address."""
    fork.serve(tar_of(source_files(declared=[])))
    handler = type("Handler", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    serve = functools.partial(handler, directory=str(fork.folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
    with listening(server):
        mirror = f"https://source.example/litellm/archive/=http://127.0.0.1:{server.server_port}/"
        done = fork.world.run("lock", "debian-12-amd64", AIWS_MIRRORS=mirror)
        assert done.code == 0, done.err
