"""`diff`: of archives, folders, locks and git revisions. Of releases: test_diff_release.py."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.kinds import held_in
from bundler.kinds.wheelhouse.lock import Lock
from bundler.model.bundle import LOCK, WHEELS_FROM_LOCK, text_file
from bundler.model.locked_wheel import LockedWheel
from bundler.sidecars import sbom
from bundler.sidecars.sbom import Sbom
from tests.archives import Entries, content_of, repack
from tests.world import World

# Whole commands, each of which takes a good part of a second.
pytestmark = pytest.mark.slow

ASSET = "litellm-runtime-debian-12-amd64.tar.gz"
OTHER = "litellm-runtime-debian-13-amd64.tar.gz"
NEW = LockedWheel("big", "2.0", "big-2.0-py3-none-any.whl", 3_000_000, "b" * 64)


def relocked(lock: Lock) -> Lock:
    """Another lock: aiohttp is newer, `big` came, async-timeout went."""
    kept = [wheel for wheel in lock.wheels if wheel.project != "async-timeout"]
    wheels = [_newer(wheel) if wheel.project == "aiohttp" else wheel for wheel in kept]
    return replace(lock, wheels=tuple(sorted([*wheels, NEW], key=lambda wheel: wheel.project)))


def _newer(wheel: LockedWheel) -> LockedWheel:
    return replace(wheel, version="3.1", filename="aiohttp-3.1-py3-none-any.whl", sha256="c" * 64)


def changed(text: str) -> str:
    lock = Lock.parse(text, "lock")
    return relocked(lock).render(WHEELS_FROM_LOCK if WHEELS_FROM_LOCK in text else "")


def _relock(entries: Entries) -> None:
    entries[LOCK] = text_file(LOCK, changed(content_of(entries[LOCK]).decode()).encode())


@pytest.fixture(scope="session")
def archives(dist_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """Two archives by name, and `changed`: the first with another lock in it."""
    folder = tmp_path_factory.mktemp("changed") / "dist"
    folder.mkdir()
    one, other = (dist_of(f"debian-{number}-amd64") for number in (12, 13))
    shutil.copy(one / ASSET, folder)
    repack(folder / ASSET, _relock)
    first, second = (one / ASSET).read_bytes(), (other / OTHER).read_bytes()
    return {ASSET: first, OTHER: second, "changed": (folder / ASSET).read_bytes()}


@pytest.fixture
def two(locked: World, archives: Mapping[str, bytes]) -> World:
    """A world with two folders of archives, of which the first differs."""
    for name, content in (("old", archives[ASSET]), ("new", archives["changed"])):
        (locked.root / name).mkdir()
        (locked.root / name / ASSET).write_bytes(content)
        (locked.root / name / OTHER).write_bytes(archives[OTHER])
    return locked


def test_two_folders_are_compared_in_one_screen(two: World) -> None:
    done = two.run("diff", "old", "new")
    assert done.code == 0, done.err
    first, heading, row, alike, *rest = done.out.splitlines()
    assert first == "old -> new"
    assert heading.split() == ["packages", "MB", "of", "packages", "MB", "of", "archive"]
    assert row.split()[0] == "debian-12-amd64"
    assert "+3.0" in row
    assert alike == "1 do not differ"
    assert rest[:5] == [
        "",
        "Where the megabytes went:",
        "MB each  package              archives",
        "   +3.0  + big 2.0            1",
        " -0.001  - async-timeout 5.0  1",
    ]
    assert rest[5:] == ["", "debian-12-amd64:", "  + big 2.0", "  - async-timeout 5.0", "  aiohttp 3.0 -> 3.1"]


def test_what_does_not_differ_is_said_and_only_asked_for_told_by_the_exit_code(two: World) -> None:
    same = two.run("diff", "old", "old", "--exit-code")
    assert (same.code, same.out) == (0, "old and old: nothing differs (2 compared)\n")
    assert two.run("diff", "old", "new").code == 0
    assert two.run("diff", "old", "new", "--exit-code").code == 1


def test_archives_are_compared_whatever_their_host(two: World) -> None:
    done = two.run("diff", f"old/{ASSET}", f"new/{OTHER}")
    assert done.code == 0, done.err
    assert "debian-12-amd64 -> debian-13-amd64:" in done.out
    assert "  Python 3.11.2 -> 3.13.5\n" in done.out
    assert "  orjson 3.1: another file of the same version\n" in done.out
    assert "  - async-timeout 5.0\n" in done.out


def test_read_whole_the_same_is_found_and_what_is_broken_is_refused(two: World) -> None:
    done = two.run("diff", "--deep", f"old/{ASSET}", f"old/{OTHER}")
    assert done.code == 0, done.err
    assert "  Python 3.11.2 -> 3.13.5\n" in done.out
    broken = two.run("diff", "--deep", "old", "new")
    assert broken.code == 3
    assert f"{ASSET}: " in broken.err


def test_advisories_that_are_opened_or_closed_are_told(two: World) -> None:
    def record(name: str, project: str, event: str) -> str:
        events = [{"introduced": "0"}, {"fixed": "3.1"}] if event == "closed" else [{"introduced": "2.0"}]
        affected = {
            "package": {"ecosystem": "PyPI", "name": project},
            "ranges": [{"type": "ECOSYSTEM", "events": events}],
        }
        return json.dumps({"id": name, "modified": "2026-01-01T00:00:00Z", "affected": [affected]})

    lines = [
        record("GHSA-1", "aiohttp", "closed"),
        record("GHSA-2", "big", "opened"),
        record("GHSA-3", "orjson", "opened"),
    ]
    (two.root / "osv.jsonl").write_text("\n".join(lines) + "\n")
    done = two.run("diff", "old", "new", "--advisories", "osv.jsonl")
    assert done.code == 0, done.err
    assert "  big 2.0: GHSA-2 is opened\n  aiohttp 3.0: GHSA-1 is closed\n" in done.out
    assert "GHSA-3" not in done.out, "it is of both"
    assert "GHSA" not in two.run("diff", "old", "new").out


def test_json_is_one_document(two: World) -> None:
    document = two.run("--json", "diff", "old", "new").json()
    assert (document["old"], document["new"], document["differs"]) == ("old", "new", True)
    assert [one["name"] for one in document["archives"]] == ["debian-12-amd64", "debian-13-amd64"]
    first = document["archives"][0]
    assert first["after"]["size"] - first["before"]["size"] == sum(one["total"] for one in first["gains"])
    assert first["before"]["file"] == (two.root / "old" / ASSET).stat().st_size
    (group,) = document["changes"]
    assert group["targets"] == ["debian-12-amd64"]
    assert group["changes"][0] == {
        "event": "added", "kind": "wheel", "name": "big", "before": None, "after": "2.0", "version": None,
    }  # fmt: skip
    assert document["gains"][0]["name"] == "big"


def test_markdown_is_a_section(two: World) -> None:
    page = two.run("diff", "--markdown", "old", "new").out
    assert page.startswith("### From `old` to `new`\n\n     ")
    assert "\n#### What changed\n\n    debian-12-amd64:\n      + big 2.0\n" in page


def test_without_new_an_archive_is_compared_with_the_locks(two: World) -> None:
    done = two.run("diff", "new")
    assert done.code == 0, done.err
    assert done.out.startswith("new -> the locks at hand\n")
    assert "only in the new set: debian-12-arm64, debian-13-arm64" in done.out
    assert "  aiohttp 3.1 -> 3.0 (older)\n" in done.out


# What stands beside archives


def put_beside(folder: Path, names: Mapping[str, bytes]) -> None:
    """Write files, and the SHA256SUMS of the folder."""
    for name, content in names.items():
        (folder / name).write_bytes(content)
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "SHA256SUMS"}
    lines = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    (folder / "SHA256SUMS").write_text("".join(lines))


def told(folder: Path, name: str, version: str) -> bytes:
    """An SBOM of an archive that says of aiohttp that it is of another version."""
    held = held_in(folder / name, name)
    items = [
        replace(one, version=version, purl=one.purl.replace("@3.0", f"@{version}")) if one.name == "aiohttp" else one
        for one in held.items
    ]
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    return sbom.compose(Sbom(name, digest, "1", replace(held, items=tuple(sorted(items)))))


def test_the_sbom_beside_an_archive_is_taken_if_it_is_the_one_that_is_listed(two: World) -> None:
    new, beside = two.root / "new", sbom.name(ASSET)
    (new / ASSET).write_bytes((two.root / "old" / ASSET).read_bytes())
    put_beside(new, {beside: told(new, ASSET, "9.9")})
    assert "  aiohttp 3.0 -> 9.9\n" in two.run("diff", "old", "new").out
    assert "  aiohttp 3.0 -> 9.9\n" in two.run("diff", f"old/{ASSET}", f"new/{ASSET}").out
    (new / beside).write_bytes(told(new, ASSET, "9.8"))
    assert "nothing differs" in two.run("diff", "old", "new").out, "another one than is listed"
    (new / "SHA256SUMS").write_text("not a list\n")
    assert "nothing differs" in two.run("diff", "old", "new").out, "none is listed"


def test_an_sbom_tells_of_an_archive_that_is_not_there(two: World) -> None:
    new = two.root / "new"
    (new / ASSET).write_bytes((two.root / "old" / ASSET).read_bytes())
    put_beside(new, {sbom.name(name): told(new, name, "9.9") for name in (ASSET, OTHER)})
    for name in (ASSET, OTHER):
        (new / name).unlink()
    done = two.run("diff", "old", "new")
    assert done.code == 0, done.err
    assert "all 2:\n  aiohttp 3.0 -> 9.9\n" in done.out


def test_an_sbom_of_another_archive_is_refused(two: World) -> None:
    new = two.root / "new"
    (new / ASSET).write_bytes((two.root / "old" / ASSET).read_bytes())
    put_beside(new, {sbom.name(ASSET): told(new, OTHER, "9.9")})
    done = two.run("diff", "old", "new")
    assert done.code == 3
    assert f"{ASSET}.cdx.json: is of another archive" in done.err


def test_of_an_archive_in_parts_the_first_is_read(two: World) -> None:
    path = two.root / "new" / ASSET
    content = path.read_bytes()
    path.with_name(f"{ASSET}.part-000").write_bytes(content[:-100])
    path.with_name(f"{ASSET}.part-001").write_bytes(content[-100:])
    path.unlink()
    done = two.run("--json", "diff", "old", "new")
    assert done.code == 0, done.err
    document = done.json()
    assert document["archives"][0]["after"]["file"] == len(content)
    assert document["gains"][0]["name"] == "big"


# Words that mean nothing, or too much


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing",), "nothing is not there"),
        (("",), "an empty word names nothing"),
        (("empty",), "empty holds neither archives nor manifests"),
        (("old", "both"), "both holds archives and manifests"),
        (("empty/none", "old"), "empty/none is not there"),
        (("targets.yaml", "old"), "targets.yaml is not there"),
    ],
)
def test_a_word_that_means_nothing_is_refused_with_what_could_stand_there(
    two: World, words: tuple[str, ...], message: str
) -> None:
    (two.root / "empty").mkdir()
    (two.root / "both" / "manifests").mkdir(parents=True)
    (two.root / "both" / "manifests" / "targets.yaml").touch()
    shutil.copy(two.root / "old" / ASSET, two.root / "both")
    done = two.run("diff", *words)
    assert done.code == 2
    assert message in done.err
    assert "hint: give" in done.err or "both/manifests means the locks" in done.err


def test_a_file_that_is_no_archive_is_refused(two: World) -> None:
    (two.root / "text").write_text("x")
    assert two.run("diff", "text", "old").code == 3
    (two.root / "new" / ASSET).write_bytes((two.root / "old" / ASSET).read_bytes()[:100])
    assert two.run("diff", "old", "new").code == 3


def test_what_has_nothing_in_common_is_not_compared(two: World) -> None:
    shutil.copy(two.root / "old" / ASSET, two.root / "new" / "copy.tar.gz")
    twice = two.run("diff", "old", "new")
    assert twice.code == 2
    assert "two archives are for the same, litellm debian 12 amd64" in twice.err
    for name in ("copy.tar.gz", ASSET):
        (two.root / "new" / name).unlink()
    (two.root / "old" / OTHER).unlink()
    shutil.copy(two.root / "new" / OTHER, two.root / "new" / f"x{OTHER}")
    held = held_in(two.root / "new" / OTHER, OTHER)
    content = (two.root / "new" / f"x{OTHER}").read_bytes()
    said = Sbom(f"x{OTHER}", hashlib.sha256(content).hexdigest(), "1", replace(held, host="debian 14 amd64"))
    put_beside(two.root / "new", {sbom.name(f"x{OTHER}"): sbom.compose(said)})
    done = two.run("diff", "old", "new")
    assert done.code == 2
    assert "no target is on both sides, debian-12-amd64 and debian-13-amd64, debian-14-amd64" in done.err


# Git


@pytest.fixture
def committed(locked: World) -> World:
    """A repository with two commits: the locks as they were made, and one of them changed."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    git(locked.root, "init", "--quiet", "--initial-branch=main")
    git(locked.root, "add", "manifests")
    git(locked.root, "commit", "--quiet", "-m", "one")
    path = locked.root / "manifests" / "locks" / "pylock.litellm-debian-12-amd64.toml"
    path.write_text(changed(path.read_text()))
    git(locked.root, "commit", "--quiet", "-am", "two")
    return locked


def git(folder: Path, *words: str) -> None:
    names = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    own = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", **names}
    done = subprocess.run(["git", "-C", str(folder), *words], env=own, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words", [("HEAD~1",), ("HEAD~1:manifests", "manifests"), ("HEAD~1", "main"), ("HEAD~1", ".")], ids=" ".join
)
def test_locks_of_a_revision_are_compared(committed: World, words: tuple[str, ...]) -> None:
    done = committed.run("diff", *words)
    assert done.code == 0, done.err
    assert "3 do not differ\n" in done.out
    assert done.out.endswith("debian-12-amd64:\n  + big 2.0\n  - async-timeout 5.0\n  aiohttp 3.0 -> 3.1\n")


def test_a_revision_without_manifests_or_that_is_none_is_refused(committed: World) -> None:
    for word, message in (
        ("HEAD~1:nothing", "HEAD~1:nothing holds no manifests in nothing"),
        ("HEAD~9", "HEAD~9 is not there, and no revision of a git repository here"),
        ("--", "is not there"),
    ):
        done = committed.run("diff", *(("--", "--") if word == "--" else (word,)))
        assert done.code == 2
        assert message in done.err


def test_what_is_there_as_a_path_is_that_path(committed: World) -> None:
    (committed.root / "main").mkdir()
    assert "main holds neither archives nor manifests" in committed.run("diff", "main").err
    assert committed.run("diff", "main:manifests").code == 0


# What archives say


def test_nothing_that_an_sbom_says_is_obeyed(two: World) -> None:
    new = two.root / "new"
    (new / ASSET).write_bytes((two.root / "old" / ASSET).read_bytes())
    held = held_in(new / ASSET, ASSET)
    evil = "x\x1b[31m::error::\u202e`<b>"
    items = [replace(one, name=evil, version=evil) if one.name == "aiohttp" else one for one in held.items]
    digest = hashlib.sha256((new / ASSET).read_bytes()).hexdigest()
    said = replace(held, items=tuple(sorted(items)))
    put_beside(new, {sbom.name(ASSET): sbom.compose(Sbom(ASSET, digest, "1", said))})
    for option in ((), ("--markdown",)):
        done = two.run("diff", "old", "new", *option)
        assert not {"\x1b", "\u202e"} & set(done.out + done.err)
        assert not any(line.lstrip().startswith("::") for line in done.out.splitlines())
