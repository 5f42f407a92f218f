"""`clean`: what the tool made goes, all else stays and is named, whoever put what where."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from filelock import FileLock

from bundler.adapters.dist import Dist
from bundler.adapters.own_folder import in_use
from bundler.adapters.store import Store
from bundler.kinds import inputs_of
from bundler.progress import Silent
from tests.cli.releasing import fill
from tests.world import Ran, World

# Whole commands, or waits: with all others in a minute there is no room for them.
pytestmark = pytest.mark.slow

ARCHIVE = "litellm-runtime-debian-12-amd64.tar.gz"
PACKAGE = "ai-workspace-all-in-one-offline-debian-12-amd64"
INSTALLER, TARGET = "scripts/ai-workspace-offline-install.sh", "metadata/target.env"


@pytest.fixture
def built(locked: World) -> World:
    """A world with a dist/ that a build filled, and a store."""
    assert locked.run("build", "debian-12-amd64").code == 0
    return locked


def states(done: Ran) -> dict[str, tuple[str, str]]:
    """What became of each path, and why."""
    return {one["path"]: (one["state"], one["why"] or "") for one in done.json()["paths"]}


def tree(folder: Path) -> dict[str, bytes]:
    """Every path below a folder, with what files hold."""
    found = sorted(folder.rglob("*"))
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() and not p.is_symlink() else b"" for p in found}


INDEX, HEAD = "packages/apt/Packages.gz", "repos/playbooks/.git/HEAD"


def unpacked(folder: Path) -> Path:
    """A package as the bootstrap leaves it."""
    for name in (INSTALLER, TARGET, INDEX, HEAD):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    lines = [f"{sha256(b'x').hexdigest()}  {name}\n" for name in (INSTALLER, TARGET, INDEX, HEAD)]
    (folder / "metadata" / "files.sha256").write_text("".join(lines))
    (folder / "link").symlink_to("packages")
    (folder / "gone").symlink_to("/nonexistent")
    return folder


def test_a_bare_clean_leaves_nothing_that_the_tool_made(built: World) -> None:
    unpacked(built.root / "work" / PACKAGE)
    before = set(tree(built.root))
    done = built.run("clean")
    assert done.code == 0, done.err
    left = before - set(tree(built.root))
    assert {f"dist/{ARCHIVE}", "dist/SHA256SUMS", "dist", "cache", f"work/{PACKAGE}"} <= left
    assert not [p for p in tree(built.root) if p.startswith(("dist", "cache/"))]
    assert (built.root / "work").is_dir()
    assert f"removed           dist/{ARCHIVE}\n" in done.out
    assert built.run("build", "debian-12-amd64").code == 0


def test_a_dry_run_changes_nothing_and_tells_what_the_run_then_does(built: World) -> None:
    unpacked(built.root / PACKAGE)
    (built.dist / "mine.txt").write_text("mine")
    before = tree(built.root)
    planned = built.run("--json", "clean", "--dry-run")
    assert planned.code == 0
    assert tree(built.root) == before
    done = built.run("--json", "clean")
    assert planned.json()["dry_run"] and not done.json()["dry_run"]
    assert {path: (state.replace("would be ", ""), why) for path, (state, why) in states(planned).items()} == states(
        done
    )
    assert planned.json()["size"] == done.json()["size"] > 0


def test_a_second_clean_finds_nothing(built: World) -> None:
    assert built.run("clean").code == 0
    done = built.run("--json", "clean")
    assert done.code == 0
    assert states(done) == {"dist": ("not there", ""), str(built.root / "cache"): ("not there", "")}


def test_a_file_that_is_not_known_or_has_other_bytes_stays(built: World) -> None:
    (built.dist / "other.tar.gz").write_bytes(b"foreign, and named like ours")
    (built.dist / f"{ARCHIVE}.sig").write_bytes(b"signature")
    changed = built.dist / ARCHIVE
    stat = changed.stat()
    content = changed.read_bytes()[:-1] + b"!"
    changed.write_bytes(content)
    os.utime(changed, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    done = built.run("--json", "clean")
    told = states(done)
    assert told[f"dist/{ARCHIVE}"] == ("kept", "it is not what this tool wrote: its bytes differ")
    assert told["dist/other.tar.gz"] == told[f"dist/{ARCHIVE}.sig"] == ("kept", "nothing tells that this tool made it")
    assert told["dist/SHA256SUMS"][0] == "removed"
    assert told["dist"] == ("kept", "it is not empty")
    assert changed.read_bytes() == content


def test_what_others_put_there_stays_although_a_build_listed_it(built: World) -> None:
    (built.dist / "other.tar.gz").write_bytes(b"x")
    (built.dist / f"{ARCHIVE}.sig").write_bytes(b"x")
    assert built.run("build", "debian-12-amd64").code == 0
    built.run("clean")
    assert {path.name for path in built.dist.iterdir()} == {"other.tar.gz", f"{ARCHIVE}.sig"}


def test_a_folder_of_archives_that_nothing_is_remembered_of_stays(locked: World) -> None:
    fill(locked)
    before = tree(locked.dist)
    assert states(locked.run("--json", "clean"))["dist"] == ("kept", "nothing tells that this tool made it")
    assert tree(locked.dist) == before


def test_a_linked_dist_is_not_followed(built: World) -> None:
    built.dist.rename(built.root / "real")
    built.dist.symlink_to("real")
    before = tree(built.root / "real")
    assert states(built.run("--json", "clean"))["dist"] == ("kept", "it is a link, and none is followed")
    assert tree(built.root / "real") == before


def test_a_file_that_a_link_stands_for_stays_and_so_does_the_link(built: World) -> None:
    (built.dist / ARCHIVE).rename(built.root / "real")
    (built.dist / ARCHIVE).symlink_to("../real")
    state, why = states(built.run("--json", "clean"))[f"dist/{ARCHIVE}"]
    assert (state, "this is none" in why) == ("kept", True)
    assert (built.root / "real").is_file() and (built.dist / ARCHIVE).is_symlink()


def test_of_a_file_with_two_names_only_ours_goes(built: World) -> None:
    os.link(built.dist / ARCHIVE, built.root / "second")
    content = (built.root / "second").read_bytes()
    built.run("clean")
    assert not built.dist.exists()
    assert (built.root / "second").read_bytes() == content


def test_a_record_that_lists_a_path_removes_nothing_there(built: World) -> None:
    victim = built.root / "x"
    victim.write_bytes(b"victim")
    (record,) = (built.root / "cache" / "dist").glob("*.json")
    told = [json.loads(line).get("files", {}) for line in record.read_text().splitlines()]
    sha256 = subprocess.run(["sha256sum", str(victim)], capture_output=True, text=True, check=True).stdout[:64]
    facts = {**next(files[ARCHIVE] for files in told if ARCHIVE in files), "sha256": sha256}
    with record.open("a") as file:
        file.write(json.dumps({"files": {"../x": facts, str(victim): facts, "..": facts, "": facts}}) + "\n")
    assert built.run("clean").code == 0
    assert victim.read_bytes() == b"victim"


@pytest.mark.parametrize("text", ["", "[]", '{"files": 1}', '{"files": {"a": {"made": true}}}', "\x00", "[" * 9999])
def test_a_record_that_cannot_be_read_removes_nothing(built: World, text: str) -> None:
    (record,) = (built.root / "cache" / "dist").glob("*.json")
    record.write_text(text)
    before = tree(built.dist)
    assert built.run("clean").code == 0
    assert tree(built.dist) == before


def test_home_and_the_root_of_the_file_system_stay(built: World) -> None:
    home = built.root / "home"
    home.mkdir()
    assert built.run("build", "debian-12-amd64", "--out", "home").code == 0
    (home / "mine").write_text("mine")
    done = built.run("--json", "clean", "--out", "home", "--out", "/", HOME=str(home))
    told = states(done)
    assert told["/"] == ("kept", "nothing tells that this tool made it")
    assert told[f"home/{ARCHIVE}"][0] == "removed"
    assert [path.name for path in home.iterdir()] == ["mine"]


def test_an_empty_home_or_current_folder_stays(built: World) -> None:
    home = built.root / "home"
    assert built.run("build", "debian-12-amd64", "--out", "home").code == 0
    told = states(built.run("--json", "clean", "--out", "home", HOME=str(home)))
    assert told["home"] == ("kept", "your home folder is it, or in it")
    assert home.is_dir()


def test_a_cache_folder_that_is_home_is_left_alone(locked: World) -> None:
    (locked.root / "tmp").mkdir(mode=0o700)
    (locked.root / "tmp" / "tmpabcdefgh").mkdir()
    before = tree(locked.root)
    words = ("--cache-dir", str(locked.root), "--json", "clean")
    assert states(locked.run(*words, HOME=str(locked.root)))[str(locked.root)][0] == "kept"
    assert tree(locked.root) == before


def test_a_linked_cache_is_not_followed(built: World) -> None:
    cache = built.root / "cache"
    cache.rename(built.root / "real")
    cache.symlink_to("real")
    assert states(built.run("--json", "clean"))[str(cache)] == ("kept", "it is a link, and none is followed")
    assert list(Store(built.root / "real").entries())


def test_in_the_cache_only_what_is_ours_by_its_layout_goes(built: World) -> None:
    cache = built.root / "cache"
    strays = (
        "notes.txt",
        "sha256/ab/notes",
        f"sha256/ab/{'c' * 64}",
        "sha256/abc/x",
        "partial/x",
        "tmp/mine/x",
        "npm/x",
    )
    ours = (
        f"sha256/ab/ab{'c' * 62}",
        f"partial/{'d' * 64}",
        f"partial/{'d' * 64}.lock",
        "tmp/tmpab_de0gh/a/b",
        f"npm/{'f' * 124}",
    )
    for name in (*strays, *ours):
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).touch()
    (cache / "sha256" / "ab" / f"ab{'e' * 62}").symlink_to("/etc/passwd")
    (cache / "tmp" / "tmpab_de0gh" / "link").symlink_to(built.root / "manifests")
    assert built.run("clean").code == 0
    left = {str(path.relative_to(cache)) for path in cache.rglob("*") if not path.is_dir()}
    assert left == {*strays, f"sha256/ab/ab{'e' * 62}"}
    assert (built.root / "manifests" / "targets.yaml").is_file()


def test_what_is_remembered_of_another_folder_that_is_there_stays(built: World) -> None:
    assert built.run("build", "debian-12-amd64", "--out", "other").code == 0
    done = built.run("clean")
    assert "give that folder with --out" in done.out
    assert (built.root / "other" / ARCHIVE).is_file()
    built.run("clean", "--out", "other")
    assert not (built.root / "other").exists() and not (built.root / "cache").exists()


def test_what_is_remembered_of_a_folder_that_is_gone_goes(built: World) -> None:
    assert built.run("build", "debian-12-amd64", "--out", "other").code == 0
    for path in (built.root / "other").iterdir():
        path.unlink()
    (built.root / "other").rmdir()
    built.run("clean")
    assert not (built.root / "cache").exists()


@contextmanager
def filling(world: World) -> Iterator[None]:
    with Dist(world.dist, world.root / "cache" / "dist", inputs_of).opened(Silent()):
        yield


@contextmanager
def working(world: World) -> Iterator[None]:
    with in_use(world.root / "cache", "tmp"):
        yield


@contextmanager
def rehearsing(world: World) -> Iterator[None]:
    with in_use(world.root / "cache", "rehearsal"):
        yield


def test_a_folder_that_is_being_filled_stays(built: World) -> None:
    before = tree(built.dist)
    with filling(built):
        done = built.run("--json", "clean")
    assert states(done)["dist"] == ("kept", "another aiws-bundle is filling it")
    assert tree(built.dist) == before
    assert list((built.root / "cache" / "dist").glob("*.json"))


@pytest.mark.parametrize("at_work", [working, rehearsing])
def test_a_cache_that_is_in_use_stays(built: World, at_work: object) -> None:
    before = set(Store(built.root / "cache").entries())
    assert callable(at_work)
    with at_work(built):
        done = built.run("--json", "clean")
    assert states(done)[str(built.root / "cache")] == ("kept", "a run of this tool is at work with it")
    assert set(Store(built.root / "cache").entries()) == before


def test_a_download_that_somebody_is_at_stays(built: World) -> None:
    partial = built.root / "cache" / "partial" / ("d" * 64)
    partial.touch()
    with FileLock(partial.with_suffix(".lock")):
        built.run("clean")
        assert partial.is_file()
    built.run("clean")
    assert not partial.exists()


def test_who_waited_while_the_cache_was_swept_gets_a_folder_that_is_there(tmp_path: Path) -> None:
    with in_use(tmp_path / "cache", "tmp") as first:
        descriptor = os.open(first, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    script = (
        "import sys; from pathlib import Path; from bundler.adapters.own_folder import in_use\n"
        "with in_use(Path(sys.argv[1]), 'tmp') as f: print(f.is_dir(), flush=True)\n"
    )
    argv = [sys.executable, "-c", script, str(tmp_path / "cache")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        first.rmdir()
        os.close(descriptor)
        assert child.communicate()[0] == "True\n"


def test_packages_are_found_below_and_given(built: World) -> None:
    near, deep = unpacked(built.root / "a" / PACKAGE), unpacked(built.root / "a/b/c" / f"{PACKAGE}-2")
    deeper = unpacked(built.root / "a/b/c/d/e" / PACKAGE)
    told = states(built.run("--json", "clean"))
    assert told[f"a/{PACKAGE}"][0] == told[f"a/b/c/{PACKAGE}-2"][0] == "removed"
    assert not near.exists() and not deep.exists() and deeper.exists()
    assert states(built.run("--json", "clean", str(deeper)))[str(deeper)][0] == "removed"
    assert states(built.run("--json", "clean", "nowhere"))["nowhere"] == ("not there", "")


@pytest.mark.parametrize("missing", [INSTALLER, TARGET])
def test_what_is_only_called_like_a_package_stays(built: World, missing: str) -> None:
    folder = unpacked(built.root / PACKAGE)
    (folder / missing).unlink()
    (folder / missing).symlink_to("/etc/passwd")
    (built.root / f"{PACKAGE}.tar.gz").write_bytes(b"downloaded")
    before = tree(folder)
    assert "it is no unpacked package" in states(built.run("--json", "clean"))[PACKAGE][1]
    assert tree(folder) == before
    assert (built.root / f"{PACKAGE}.tar.gz").is_file()


def test_a_link_to_a_package_is_not_followed(built: World, tmp_path: Path) -> None:
    folder = unpacked(tmp_path / "elsewhere" / "x")
    (built.root / PACKAGE).symlink_to(folder)
    (built.root / "way").symlink_to(folder.parent)
    assert states(built.run("--json", "clean", "manifests", "way"))
    assert states(built.run("--json", "clean"))[PACKAGE] == ("kept", "it is a link, and none is followed")
    assert (folder / TARGET).is_file()


def test_what_a_package_s_links_lead_to_stays(built: World, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "mine").write_text("mine")
    folder = unpacked(built.root / PACKAGE)
    (folder / "metadata" / "out").symlink_to(tmp_path / "outside")
    built.run("clean")
    assert not folder.exists()
    assert (tmp_path / "outside" / "mine").is_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
def test_what_is_mounted_in_a_package_stays_though_it_is_of_the_same_file_system(built: World, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "HEAD").write_text("x")
    folder = unpacked(built.root / PACKAGE)
    mounted = (folder / HEAD).parent
    if subprocess.run(["mount", "--bind", tmp_path / "outside", mounted], check=False).returncode:
        pytest.skip("cannot mount")
    try:
        assert states(built.run("--json", "clean"))[PACKAGE] == ("kept", "a file system is mounted in it")
    finally:
        subprocess.run(["umount", mounted], check=True)
    assert (tmp_path / "outside" / "HEAD").is_file()


def test_names_that_are_not_utf_8_are_removed_and_told(built: World) -> None:
    folder = os.fsencode(unpacked(built.root / PACKAGE))
    Path(os.fsdecode(folder + b"/\xff\xfe")).write_text("x")
    unpacked(built.root / os.fsdecode(b"\xff") / PACKAGE)
    Path(os.fsdecode(os.fsencode(built.dist) + b"/\xff\x1b[31m")).write_text("x")
    planned = built.run("clean", "--dry-run")
    assert "\x1b" not in planned.out
    done = built.run("--json", "clean")
    assert done.code == 0
    assert states(done)[f"\udcff/{PACKAGE}"][0] == "removed"
    assert [os.fsencode(path.name) for path in built.dist.iterdir()] == [b"\xff\x1b[31m"]


def test_a_removal_that_was_interrupted_is_finished(built: World) -> None:
    """At every point: whatever of a package is left, the next run knows it."""
    folder = unpacked(built.root / PACKAGE)
    unlink, steps = os.unlink, len([path for path in folder.rglob("*") if not path.is_dir()])
    for step in range(steps + 1):
        count = 0

        def stopping(path: str, *, dir_fd: int | None = None, limit: int = step) -> None:
            nonlocal count
            if count == limit:
                raise KeyboardInterrupt
            count += 1
            unlink(path, dir_fd=dir_fd)

        unpacked_again = folder if folder.exists() else unpacked(folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("os.unlink", stopping)
            built.run("clean", str(folder))
        assert built.run("clean").code == 0
        assert not unpacked_again.exists(), step


def test_a_file_that_cannot_be_removed_fails_and_the_rest_goes_on(built: World) -> None:
    unlink = os.unlink

    def refusing(path: str, *, dir_fd: int | None = None) -> None:
        if path == ARCHIVE:
            raise PermissionError(errno.EACCES, "Permission denied")
        unlink(path, dir_fd=dir_fd)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.unlink", refusing)
        done = built.run("--json", "clean")
    assert done.code == 1
    assert states(done)[f"dist/{ARCHIVE}"] == ("failed", "Permission denied")
    assert states(done)["dist"] == ("kept", "it is not empty")
    assert not list((built.root / "cache").glob("sha256/*"))
    assert built.run("clean").code == 0
    assert not built.dist.exists(), "what is remembered of it was kept"


def test_other_users_folders_stay(built: World, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked(built.root / PACKAGE)
    before = tree(built.dist)
    mine = os.geteuid()
    monkeypatch.setattr("os.geteuid", lambda: mine + 1)
    done = built.run("--json", "clean")
    assert f"uid {mine}" in states(done)["dist"][1] or states(done)["dist"][0] == "failed"
    assert tree(built.dist) == before
    assert (built.root / PACKAGE / TARGET).is_file()


def test_a_cache_that_others_may_write_to_is_refused(built: World) -> None:
    (built.root / "cache").chmod(0o777)
    done = built.run("--json", "clean")
    assert done.code == 1
    assert "can be written by others" in states(done)[str(built.root / "cache")][1]
    assert (built.dist / ARCHIVE).is_file() and list((built.root / "cache").glob("sha256/*/*"))


def test_what_a_killed_build_left_in_dist_goes(built: World) -> None:
    (built.dist / f".aiws-bundle-{'a' * 16}.tmp").write_bytes(b"half")
    (built.dist / ".aiws-bundle-mine").write_bytes(b"mine")
    built.run("clean")
    assert [path.name for path in built.dist.iterdir()] == [".aiws-bundle-mine"]


@pytest.mark.parametrize("name", ["mine.yml", "repos/playbooks/mine.yml", HEAD, INDEX])
def test_a_package_with_somebodys_own_files_or_changes_is_kept(built: World, name: str) -> None:
    package = unpacked(built.root / PACKAGE)
    (package / name).write_text("mine")
    assert states(built.run("--json", "clean"))[PACKAGE][0] == "kept"
    assert (package / name).read_text() == "mine"
    assert len(tree(package)) == len(tree(unpacked(built.root / "other"))) + (name.endswith("mine.yml"))


def test_what_git_wrote_when_it_was_asked_keeps_no_package(built: World) -> None:
    package = unpacked(built.root / PACKAGE)
    (package / "repos/playbooks/.git/index").write_text("anew")
    built.run("clean")
    assert not package.exists()


def test_a_package_without_a_list_is_kept(built: World) -> None:
    package = unpacked(built.root / PACKAGE)
    (package / "metadata" / "files.sha256").unlink()
    state, why = states(built.run("--json", "clean"))[PACKAGE]
    assert state == "kept" and "files.sha256" in why
