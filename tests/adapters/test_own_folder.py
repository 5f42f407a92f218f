"""Folders that others may write to are refused, and no link in one of ours is followed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundler.adapters.archive import Written
from bundler.adapters.dist import Dist
from bundler.adapters.http import Body
from bundler.adapters.own_folder import check_private, make_folder, open_new, open_own, own_lock, private_folder
from bundler.adapters.store import Blob, Store
from bundler.errors import WorkError
from bundler.kinds import inputs_of
from bundler.progress import Silent
from bundler.sidecars import sums
from tests.world import World

CONTENT = b"the content"
SHA = hashlib.sha256(CONTENT).hexdigest()
BLOB = Blob("a.whl", SHA, len(CONTENT))
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")


@pytest.fixture(params=[0o000, 0o002, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """A file that nothing may touch."""
    path = tmp_path / "victim"
    path.write_bytes(b"precious")
    yield path
    assert path.read_bytes() == b"precious"
    assert not path.is_symlink()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class Source:
    """Serves CONTENT."""

    @contextmanager
    def stream(self, address: str, start: int = 0) -> Iterator[Body]:
        yield Body(start, len(CONTENT), iter([CONTENT[start:]]))


def fetch(root: Path) -> Path:
    with Silent().task("", 0) as task:
        return Store(root).fetch(BLOB, iter(["http://x.test/a.whl"]), Source(), task)


def join(root: Path) -> Path:
    part = root.parent / "part"
    part.write_bytes(CONTENT)
    return Store(root).join(BLOB, [part])


def test_folders_are_made_for_us_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    folder = private_folder(tmp_path / "above" / "cache", "sha256", "ab")
    assert [mode(path) for path in (folder, folder.parent, folder.parent.parent)] == [0o700] * 3
    assert mode(tmp_path / "above") == 0o755 & ~umask
    make_folder(tmp_path / "out")
    assert mode(tmp_path / "out") == 0o755 & ~umask
    with open_own(folder / "file") as file:
        assert mode(folder / "file") == 0o644 & ~umask
        assert not os.get_inheritable(file.fileno())


@pytest.mark.parametrize("bits", [0o020, 0o002, 0o022])
@pytest.mark.parametrize("place", ["", "sha256", "partial", f"sha256/{SHA[:2]}"])
@pytest.mark.parametrize("use", [fetch, join])
def test_a_store_that_others_may_write_to_is_refused(
    tmp_path: Path, bits: int, place: str, use: Callable[[Path], Path]
) -> None:
    root = tmp_path / "cache"
    folder = private_folder(root, *filter(None, place.split("/")))
    folder.chmod(0o700 | bits)
    with pytest.raises(WorkError, match="can be written by others") as caught:
        use(root)
    assert "chmod go-w" in caught.value.hint and "--cache-dir" in caught.value.hint
    folder.chmod(0o755)
    assert use(root).read_bytes() == CONTENT


@root_only
@pytest.mark.parametrize("place", ["", "sha256", "partial"])
def test_a_store_of_another_user_is_refused_by_root_too(tmp_path: Path, place: str) -> None:
    root = tmp_path / "cache"
    folder = private_folder(root, *filter(None, [place]))
    os.chown(folder, 12345, 12345)
    with pytest.raises(WorkError, match="belongs to another user") as caught:
        fetch(root)
    assert "--cache-dir" in caught.value.hint


@pytest.mark.parametrize("place", ["sha256", "partial", f"sha256/{SHA[:2]}"])
def test_a_link_in_place_of_a_folder_is_refused(tmp_path: Path, place: str) -> None:
    root, elsewhere = private_folder(tmp_path / "cache"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / SHA).write_bytes(b"precious")
    (root / place).parent.mkdir(exist_ok=True)
    (root / place).symlink_to(elsewhere)
    for use in (fetch, join, lambda root: Store(root).prune([])):
        with pytest.raises(WorkError, match="is not a folder"):
            use(root)
    assert [path.name for path in elsewhere.iterdir()] == [SHA]
    assert (elsewhere / SHA).read_bytes() == b"precious"


def test_the_cache_itself_may_be_a_link_of_ours(tmp_path: Path) -> None:
    (tmp_path / "big").mkdir(mode=0o700)
    (tmp_path / "cache").symlink_to(tmp_path / "big")
    assert fetch(tmp_path / "cache").read_bytes() == CONTENT
    (tmp_path / "big").chmod(0o777)
    with pytest.raises(WorkError, match="can be written by others"):
        check_private(tmp_path / "cache", link=True)


def plant_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def plant_hard_link(path: Path, victim: Path) -> None:
    os.link(victim, path)


def plant_fifo(path: Path, victim: Path) -> None:
    os.mkfifo(path)


PLANTS = [plant_link, plant_hard_link, plant_fifo]


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("name", [SHA, f"{SHA}.lock"])
@pytest.mark.parametrize("use", [fetch, join])
def test_what_stands_in_a_files_place_is_removed_and_never_followed(
    tmp_path: Path, victim: Path, plant: Callable[[Path, Path], None], name: str, use: Callable[[Path], Path]
) -> None:
    root = tmp_path / "cache"
    plant(private_folder(root, "partial") / name, victim)
    kept = use(root)
    assert kept.read_bytes() == CONTENT
    assert stat.S_ISREG(kept.lstat().st_mode)


@pytest.mark.parametrize("plant", [plant_link, plant_fifo])
def test_a_link_among_complete_files_is_not_taken_for_one(tmp_path: Path, plant: Callable[[Path, Path], None]) -> None:
    root = tmp_path / "cache"
    good = tmp_path / "good"
    good.write_bytes(CONTENT)
    path = private_folder(root, "sha256", SHA[:2]) / SHA
    plant(path, good)
    assert not Store(root).has(BLOB)
    assert fetch(root) == path
    assert stat.S_ISREG(path.lstat().st_mode)


def test_a_folder_in_a_files_place_is_told(tmp_path: Path) -> None:
    (private_folder(tmp_path / "cache", "partial") / SHA).mkdir()
    with pytest.raises(WorkError, match="is a folder where a file belongs"):
        fetch(tmp_path / "cache")


def test_a_lock_that_is_there_is_kept(tmp_path: Path) -> None:
    """Removing one that somebody holds would make two owners."""
    path = private_folder(tmp_path / "cache") / "x.lock"
    with own_lock(path):
        before = path.stat().st_ino
        own_lock(path)
        assert path.stat().st_ino == before


def test_names_in_a_folder_of_others_cannot_be_guessed(tmp_path: Path) -> None:
    made = [open_new(tmp_path, ".aiws-bundle-") for _ in range(3)]
    for _, file in made:
        file.close()
    assert len({path for path, _ in made}) == 3
    assert all(len(path.name) > 24 for path, _ in made)


def put(tmp_path: Path, name: str = "a.tar.gz") -> Path:
    dist = Dist(tmp_path / "out", private_folder(tmp_path / "cache") / "dist", inputs_of)
    with dist.opened(Silent()):
        with dist.replacing(name) as file:
            file.write(CONTENT)
        dist.place(name, Written(len(CONTENT), SHA), "i", {})
    return tmp_path / "out"


def state_name(tmp_path: Path) -> str:
    return hashlib.sha256(os.fsencode((tmp_path / "out").resolve())).hexdigest()[:32]


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("suffix", [".tmp", ".lock", ".json"])
def test_nothing_planted_in_the_remembered_state_is_followed(
    tmp_path: Path, victim: Path, plant: Callable[[Path, Path], None], suffix: str
) -> None:
    state = private_folder(tmp_path / "cache", "dist") / f"{state_name(tmp_path)}{suffix}"
    plant(state, victim)
    out = put(tmp_path)
    assert (out / "a.tar.gz").read_bytes() == CONTENT


@pytest.mark.parametrize("bits", [0o777, 0o770])
def test_remembered_state_that_others_may_write_is_refused(tmp_path: Path, bits: int) -> None:
    private_folder(tmp_path / "cache", "dist").chmod(bits)
    with pytest.raises(WorkError, match="can be written by others"):
        put(tmp_path)


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("name", ["a.tar.gz", sums.NAME, ".aiws-bundle-a.tar.gz.tmp", ".aiws-bundle-SHA256SUMS.tmp"])
def test_nothing_planted_in_the_output_folder_is_followed(
    tmp_path: Path, victim: Path, plant: Callable[[Path, Path], None], name: str
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o1777)
    plant(tmp_path / "out" / name, victim)
    out = put(tmp_path)
    assert sorted(path.name for path in out.iterdir()) == ["SHA256SUMS", "a.tar.gz"]
    assert all(stat.S_ISREG(path.lstat().st_mode) for path in out.iterdir())
    assert (out / sums.NAME).read_text() == f"{SHA}  a.tar.gz\n"


def test_a_link_to_the_right_bytes_is_no_finished_archive(tmp_path: Path) -> None:
    out = put(tmp_path)
    (out / "a.tar.gz").rename(tmp_path / "moved")
    (out / "a.tar.gz").symlink_to(tmp_path / "moved")
    dist = Dist(out, tmp_path / "cache" / "dist", inputs_of)
    with dist.opened(Silent()):
        assert dist.current("a.tar.gz", "i") is None


def test_an_archives_name_that_is_a_folder_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "out" / "a.tar.gz").mkdir(parents=True)
    with pytest.raises(OSError, match="Is a directory"):
        put(tmp_path)


@root_only
def test_what_others_left_in_a_shared_output_folder_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "out" / ".aiws-bundle-folder.tmp" / "x").mkdir(parents=True)
    assert (put(tmp_path) / "a.tar.gz").is_file()


@pytest.mark.slow
def test_the_command_line_refuses_a_cache_of_others(locked: World) -> None:
    cache = locked.root / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    for words in (["build", "all"], ["build", "all", "--offline"], ["cache", "info"], ["cache", "prune", "--all"]):
        done = locked.run(*words)
        assert done.code == 1
        assert "can be written by others" in done.err and "chmod go-w" in done.err
        assert "bug" not in done.err
    cache.chmod(0o700)
    assert locked.run("build", "debian-12-amd64").code == 0
    assert locked.run("build", "debian-12-amd64").code == 0
    assert locked.run("cache", "prune", "--all").code == 0
