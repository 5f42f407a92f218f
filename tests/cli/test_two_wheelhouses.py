"""Several wheelhouses in one folder of manifests, and locks that have the names of before that could be."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from bundler.kinds.wheelhouse.lock import Lock
from tests.world import WHEELHOUSE, Ran, World, make_wheel, world

# Whole commands, or waits: with all others in a minute there is no room for them.
pytestmark = pytest.mark.slow

# Its file is edge.yaml.
GATEWAY = """\
kind: wheelhouse
component: gateway
repository: example/gateway
asset: gateway-runtime-{distro}-{version}-{arch}.tar.gz
requirement: aiohttp==3.0
bootstrap: [pip>=25.1]
"""
BOTH = ("--component", "litellm", "--component", "edge")
ONE = "debian-12-amd64"
NEW, OTHER, OLD = f"pylock.litellm-{ONE}.toml", f"pylock.gateway-{ONE}.toml", f"pylock.{ONE}.toml"


def locks_in(made: World) -> Path:
    return made.root / "manifests" / "locks"


def states(done: Ran) -> dict[str, str]:
    """How each component's lock of debian-12-amd64 stands."""
    return {one["component"]: one["state"] for one in done.json()["locks"] if one["target"] == ONE}


@pytest.fixture(scope="session")
def both_locks(tmp_path_factory: pytest.TempPathFactory, locks: Path) -> Path:
    """The locks of both wheelhouses."""
    with world(tmp_path_factory.mktemp("both")) as made:
        shutil.copytree(locks, locks_in(made))
        made.write("edge.yaml", GATEWAY)
        done = made.run("lock", *BOTH)
        assert done.code == 0, done.err
        return locks_in(made)


@pytest.fixture
def two(unlocked: World, both_locks: Path) -> World:
    """A folder with two wheelhouses, which are locked."""
    unlocked.write("edge.yaml", GATEWAY)
    shutil.copytree(both_locks, locks_in(unlocked))
    return unlocked


@pytest.fixture
def old(locked: World) -> World:
    """A folder with one wheelhouse, whose locks have the names of before."""
    for path in list(locks_in(locked).iterdir()):
        path.rename(path.with_name(path.name.replace("litellm-", "")))
    assert (locks_in(locked) / OLD).is_file()
    return locked


def test_neither_overwrites_the_other(two: World) -> None:
    names = {path.name for path in locks_in(two).iterdir()}
    assert len(names) == 8
    assert {NEW, OTHER} <= names
    assert two.run("lock", "--check", *BOTH).code == 0
    assert two.run("check").code == 0
    done = two.run("build", ONE, *BOTH)
    assert done.code == 0, done.err
    one, other = sorted(two.dist.glob("*.tar.gz"))
    assert one.read_bytes() != other.read_bytes()


def test_publish_names_each_archive_that_is_missing_once_with_a_command_that_makes_them(two: World) -> None:
    assert two.run("build", ONE, "--component", "litellm").code == 0
    alone = {"GH_TOKEN": "", "GITHUB_TOKEN": ""}
    refused = two.run("publish", "dist", "--repo", "o/r", "--tag", "runtime-0123456789ab", **alone)
    assert refused.code == 2
    others = "debian-12-arm64 debian-13-amd64 debian-13-arm64"
    for names, component in ((others, "litellm"), (f"{ONE} {others}", "edge")):
        told = f"dist has no archive for {names.replace(' ', ', ')} (run `aiws-bundle "
        command = f"build {names} --component {component}"
        assert refused.err.count(told + command) == 1
        assert two.run(*command.split()).code == 0
    assert "has no archive" not in two.run("publish", "dist", "--repo", "o/r", "--tag", "runtime-0123456789ab").err
    assert two.run("verify", "dist").code == 0
    assert two.run("lock", "--component", "edge", "--upgrade").code == 0
    assert two.run("lock", "--check", *BOTH).code == 0


def test_archives_of_one_name_are_a_problem(two: World) -> None:
    two.write("edge.yaml", GATEWAY.replace("gateway-runtime", "litellm-runtime"))
    done = two.run("check")
    assert done.code == 2
    assert "litellm.yaml:4:8: asset: edge.yaml makes litellm-runtime-debian-12-amd64.tar.gz too" in done.out


# Names of before


def test_locks_with_the_names_of_before_serve_and_are_renamed_by_lock(old: World) -> None:
    before = {path.name: path.read_bytes() for path in locks_in(old).iterdir()}
    old.index.requests.clear()
    assert old.run("check").code == 0
    assert old.run("lock", "--check").code == 0
    assert {path.name for path in locks_in(old).iterdir()} == set(before)
    done = old.run("--json", "lock", ONE)
    assert done.code == 0
    assert states(done) == {"litellm": "renamed"}
    assert not (locks_in(old) / OLD).exists()
    assert (locks_in(old) / NEW).read_bytes() == before[OLD]
    assert old.index.requests == []
    assert "renamed" in old.run("lock").out
    names = {path.name for path in locks_in(old).iterdir()}
    assert len(names) == 4
    assert all(name.startswith("pylock.litellm-") for name in names)


def test_a_lock_with_the_name_of_before_is_built_from(old: World) -> None:
    assert old.run("build", ONE).code == 0
    before = {path.name: path.read_bytes() for path in old.dist.iterdir()}
    assert old.run("lock").code == 0
    assert "unchanged" in old.run("build", ONE).out
    assert {path.name: path.read_bytes() for path in old.dist.iterdir()} == before


@pytest.mark.parametrize("broken", [False, True])
def test_a_lock_with_the_name_of_before_that_does_not_serve_is_replaced(old: World, broken: bool) -> None:
    path = locks_in(old) / OLD
    if broken:
        path.write_text("nonsense")
    else:
        make_wheel(old.index.folder, "aiohttp", "3.5", ["async-timeout; python_full_version < '3.11.3'"])
        old.write("litellm.yaml", WHEELHOUSE.replace("litellm[proxy]==1.0", "litellm[proxy]==1.1"))
    told = old.run("check")
    assert told.code == 2
    assert f"locks/{OLD}" in told.out
    assert old.run("lock", ONE).code == 0
    assert not path.exists()
    lock = Lock.parse((locks_in(old) / NEW).read_text(), NEW)
    assert broken or {wheel.version for wheel in lock.wheels if wheel.project == "aiohttp"} == {"3.0"}, "it was kept"


def test_a_leftover_is_told_by_check_and_removed_by_lock(locked: World) -> None:
    path = locks_in(locked) / OLD
    path.write_bytes((locks_in(locked) / NEW).read_bytes())
    told = locked.run("check")
    assert told.code == 2
    assert f"locks/{OLD}: belongs to no component and target; remove it" in told.out
    assert locked.run("cache", "prune").code == 0
    assert locked.run("lock").code == 0
    assert not path.exists()
    assert locked.run("check").code == 0


def test_an_old_name_says_no_component_so_a_lock_is_the_ones_that_it_was_made_for(two: World) -> None:
    folder = locks_in(two)
    (folder / OTHER).rename(folder / OLD)
    before = (folder / OLD).read_bytes()
    (folder / NEW).unlink()
    assert states(two.run("--json", "lock", "--check", *BOTH)) == {"litellm": "missing", "edge": "current"}
    assert f"locks/{NEW}: is missing" in two.run("check").out
    assert two.run("build", ONE, "--component", "edge").code == 0
    done = two.run("--json", "lock", "--component", "litellm")
    assert states(done) == {"litellm": "locked"}
    assert (folder / OLD).read_bytes() == before, "it is the other one's"
    assert states(two.run("--json", "lock", "--component", "edge")) == {"edge": "renamed"}
    assert not (folder / OLD).exists()
    assert (folder / OTHER).read_bytes() == before
    assert two.run("check").code == 0


def test_the_store_keeps_what_a_lock_with_the_name_of_before_names(two: World) -> None:
    folder = locks_in(two)
    (folder / OTHER).rename(folder / OLD)
    assert two.run("build", ONE, *BOTH).code == 0
    assert two.run("--json", "cache", "prune").json()["files"] == 0


def test_a_lock_with_the_name_of_before_that_serves_neither_is_a_leftover(two: World) -> None:
    folder = locks_in(two)
    (folder / OTHER).rename(folder / OLD)
    two.write("edge.yaml", GATEWAY.replace("pip>=25.1", "pip>=25"))
    told = two.run("check")
    assert f"locks/{OLD}: belongs to no component and target; remove it" in told.out
    assert f"locks/{OTHER}: is missing" in told.out
    assert two.run("lock", *BOTH).code == 0
    assert (folder / OLD).exists()
    assert (folder / OTHER).is_file()
    assert two.run("check").out.startswith(f"locks/{OLD}: belongs to no component")


# Advice


def advised(done: Ran) -> list[list[str]]:
    """The words of each command that is advised."""
    found = re.findall(r"`(aiws-bundle lock[^`]*)`", " ".join((done.out + done.err).split()))
    assert found, done
    return [one.split()[1:] for text in dict.fromkeys(found) for one in text.split(" && ")]


@pytest.mark.parametrize(
    "words",
    [("check",), ("build", ONE, "--component", "litellm"), ("lock", ONE, "--check", "--component", "litellm")],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize(("wheelhouses", "how"), [(1, "missing"), (2, "stale"), (2, "malformed")])
def test_what_is_advised_works_when_it_is_pasted(
    two: World, words: tuple[str, ...], wheelhouses: int, how: str
) -> None:
    if wheelhouses == 1:
        (two.root / "manifests" / "edge.yaml").unlink()
        for path in locks_in(two).glob("pylock.gateway-*"):
            path.unlink()
    path = locks_in(two) / NEW
    if how == "missing":
        path.unlink()
    elif how == "stale":
        path.write_text(re.sub('manifest-sha256 = "[0-9a-f]+"', f'manifest-sha256 = "{"0" * 64}"', path.read_text()))
    else:
        path.write_text("nonsense")
    done = two.run(*words)
    assert done.code == 2
    commands = advised(done)
    assert ("--component" in commands[0]) == (wheelhouses == 2), "only where it is not the only one"
    for command in commands:
        pasted = two.run(*command)
        assert pasted.code == 0, pasted.err
    assert tomllib.loads(path.read_text())["tool"]["aiws-bundle"]["target"] == ONE
    assert two.run("check").code == 0
    assert two.run(*words).code == 0


def test_one_command_is_advised_for_both(two: World) -> None:
    for path in locks_in(two).glob(f"*-{ONE}.toml"):
        path.unlink()
    for words in (("build", ONE, *BOTH), ("lock", "--check", *BOTH)):
        (command,) = advised(two.run(*words))
        assert command.count("--component") == 2
    assert two.run(*command).code == 0
    assert two.run("lock", "--check", *BOTH).code == 0


def test_which_component_is_asked_and_the_answers_are_told(two: World) -> None:
    for command in (["lock"], ["build", ONE]):
        done = two.run(*command)
        assert done.code == 2
        assert "which component?" in done.err
        assert "edge, litellm" in done.err


@pytest.mark.parametrize("name", ["edge", "gateway"])
def test_a_wheelhouse_is_named_by_its_files_stem_or_by_what_its_manifest_calls_it(two: World, name: str) -> None:
    (locks_in(two) / OTHER).unlink()
    assert two.run("lock", ONE, "--component", name).code == 0
    assert (locks_in(two) / OTHER).is_file()
    assert two.run("lock", "--check", "--component", name).code == 0
    assert two.run("build", ONE, "--component", name).code == 0
    assert [path.name for path in two.dist.glob("*.tar.gz")] == [f"gateway-runtime-{ONE}.tar.gz"]
