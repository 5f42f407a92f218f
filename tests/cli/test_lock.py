from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.pylock import Pylock

from tests.prisma_client import client
from tests.world import WHEELHOUSE, World, make_wheel

# Whole commands, or other programs: each takes a good part of a second.
pytestmark = pytest.mark.slow

ALL = ["debian-12-amd64", "debian-12-arm64", "debian-13-amd64", "debian-13-arm64"]


def lock_of(world: World, target: str) -> Path:
    return world.root / "manifests" / "locks" / f"pylock.litellm-{target}.toml"


def versions(world: World, target: str) -> dict[str, str]:
    pylock = Pylock.from_dict(tomllib.loads(lock_of(world, target).read_text()))
    return {package.name: str(package.version) for package in pylock.packages}


def test_locks_hold_one_wheel_a_package_for_the_targets_own_python_and_machine(locked: World) -> None:
    pylock = Pylock.from_dict(tomllib.loads(lock_of(locked, "debian-12-arm64").read_text()))
    wheels = {str(package.name): [wheel.filename for wheel in package.wheels or ()] for package in pylock.packages}
    assert wheels["orjson"] == ["orjson-3.1-cp311-cp311-manylinux_2_17_aarch64.whl"]
    assert all(len(names) == 1 for names in wheels.values())
    assert "async-timeout" in wheels, "needed below Python 3.11.3"
    assert "async-timeout" not in versions(locked, "debian-13-amd64")


def test_locks_name_no_host(locked: World) -> None:
    for path in (locked.root / "manifests" / "locks").iterdir():
        assert "127.0.0.1" not in path.read_text()
        assert "://" not in path.read_text()


def test_check_needs_no_network_and_tells_what_changed(locked: World) -> None:
    locked.index.requests.clear()
    assert locked.run("lock", "--check").code == 0
    locked.write("litellm.yaml", WHEELHOUSE.replace("litellm[proxy]==1.0", "litellm[proxy]==1.1"))
    done = locked.run("lock", "--check")
    assert done.code == 2
    assert "stale" in done.out
    assert "litellm[proxy]==1.1" in done.out
    assert locked.index.requests == []


def test_a_lock_that_matches_is_left_alone(locked: World) -> None:
    before = lock_of(locked, "debian-12-amd64").stat().st_mtime_ns
    locked.index.requests.clear()
    assert locked.run("lock").code == 0
    assert lock_of(locked, "debian-12-amd64").stat().st_mtime_ns == before
    assert locked.index.requests == []


def test_versions_are_kept_until_upgrade(locked: World) -> None:
    make_wheel(locked.index.folder, "aiohttp", "3.5", ["async-timeout; python_full_version < '3.11.3'"])
    locked.write("litellm.yaml", WHEELHOUSE.replace("litellm[proxy]==1.0", "litellm[proxy]==1.1"))
    assert locked.run("lock", "debian-12-amd64").code == 0
    assert versions(locked, "debian-12-amd64")["aiohttp"] == "3.0"
    done = locked.run("lock", "debian-12-amd64", "--upgrade")
    assert "aiohttp 3.0 -> 3.5" in done.out
    assert versions(locked, "debian-12-amd64")["aiohttp"] == "3.5"


def test_set_overrides_for_one_run_and_the_lock_says_so(locked: World) -> None:
    assert locked.run("lock", "debian-12-amd64", "--set", "litellm=1.1").code == 0
    assert versions(locked, "debian-12-amd64")["litellm"] == "1.1"
    assert "made with --set litellm=1.1" in locked.run("lock", "--check").out
    assert locked.run("build", "debian-12-amd64").code == 0
    assert "litellm[proxy]==1.1" in locked.run("verify", "dist").out
    assert locked.run("lock", "debian-12-amd64").code == 0
    assert versions(locked, "debian-12-amd64")["litellm"] == "1.0"


def test_set_reaches_a_project_that_no_requirement_names(locked: World) -> None:
    make_wheel(locked.index.folder, "aiohttp", "3.5", ["async-timeout"])
    assert locked.run("lock", "debian-12-amd64", "--set", "aiohttp=3.5").code == 0
    assert versions(locked, "debian-12-amd64")["aiohttp"] == "3.5"


def test_set_of_a_name_that_nothing_knows_is_refused_before_anything_is_resolved(locked: World) -> None:
    before = {path: path.read_bytes() for path in lock_of(locked, "x").parent.iterdir()}
    locked.index.requests.clear()
    done = locked.run("lock", "--set", "litelm=1.1", "--set", "aiohttp=3.0", "--set", "nonsuch=1")
    assert done.code == 2
    assert "no lock holds litelm or nonsuch, and no requirement names them" in done.err
    assert "did you mean litellm?" in done.err
    assert locked.index.requests == []
    assert {path: path.read_bytes() for path in lock_of(locked, "x").parent.iterdir()} == before


def test_set_of_a_name_that_only_one_of_the_locks_holds_is_taken(locked: World) -> None:
    assert locked.run("lock", "debian-12-amd64", "debian-13-amd64", "--set", "async-timeout=5.0").code == 0
    assert versions(locked, "debian-12-amd64")["async-timeout"] == "5.0"
    assert "async-timeout" not in versions(locked, "debian-13-amd64")


def test_set_where_there_is_no_lock_yet_is_checked_once_it_is_resolved(unlocked: World) -> None:
    done = unlocked.run("--json", "lock", "debian-12-amd64", "--set", "aiohtp=3.0")
    assert done.code == 2
    (one,) = done.json()["locks"]
    assert one["state"] == "failed"
    assert "nothing asks for aiohtp" in one["error"]["message"]
    assert "did you mean aiohttp?" in one["error"]["hint"]
    assert not lock_of(unlocked, "debian-12-amd64").exists()
    assert unlocked.run("lock", "debian-12-amd64", "--set", "aiohttp=3.0").code == 0
    # One lock that is missing vouches for no name, nor does it make the others take one.
    done = unlocked.run("lock", "debian-12", "--set", "aiohtp=3.0")
    assert done.code == 2
    assert done.err.count("nothing asks for aiohtp") == 1
    assert "made with --set aiohttp=3.0" in unlocked.run("lock", "debian-12", "--check").out
    assert not lock_of(unlocked, "debian-12-arm64").exists()


def test_set_says_which_overrides_it_beats(locked: World) -> None:
    chosen = "overrides: [{targets: [arm64], requirement: 'litellm[proxy]==1.0'}]\n"
    locked.write("litellm.yaml", WHEELHOUSE.replace("litellm[proxy]==1.0", "litellm[proxy]==1.1") + chosen)
    words = ("lock", "debian-12", "--set", "litellm=1.1")
    done = locked.run(*words)
    assert done.code == 0, done.err
    assert versions(locked, "debian-12-arm64")["litellm"] == "1.1"
    assert "--set beats litellm[proxy]==1.0, which an override chose for debian-12-arm64\n" in done.out
    told = {one["target"]: one["beats"] for one in locked.run("--json", *words).json()["locks"]}
    assert told == {"debian-12-amd64": "", "debian-12-arm64": "litellm[proxy]==1.0"}
    same = locked.run("--json", "lock", "debian-12-arm64", "--set", "litellm=1.0").json()["locks"]
    assert [one["beats"] for one in same] == [""], "the override chose that version"


def test_exclude_newer_is_recorded(unlocked: World) -> None:
    assert unlocked.run("lock", "debian-12-amd64", "--exclude-newer", "2026-02-03").code == 0
    facts = tomllib.loads(lock_of(unlocked, "debian-12-amd64").read_text())["tool"]["aiws-bundle"]
    assert facts["exclude-newer"] == "2026-02-03T00:00:00Z"
    assert facts["resolver"].startswith("uv ")
    done = unlocked.run("lock", "debian-12-amd64", "--exclude-newer", "2025-01-01")
    assert done.code == 2, "nothing was uploaded before that"


def test_a_package_without_a_wheel_for_the_target_is_named_with_the_tags_that_exist(unlocked: World) -> None:
    (unlocked.index.folder / "orjson-3.1-cp311-cp311-manylinux_2_17_aarch64.whl").unlink()
    done = unlocked.run("lock", "debian-12")
    assert done.code == 2
    assert "debian-12-arm64" in done.err
    assert "orjson" in done.err
    assert "manylinux_2_17_x86_64" in done.err
    assert lock_of(unlocked, "debian-12-amd64").is_file()
    assert not lock_of(unlocked, "debian-12-arm64").exists()


def test_the_upper_bound_of_requires_python_counts(unlocked: World) -> None:
    make_wheel(unlocked.index.folder, "litellm", "1.0", ["orjson; extra == 'proxy'"], requires_python=">=3.10,<3.13")
    done = unlocked.run("lock", "debian-13-amd64")
    assert done.code != 0
    assert "<3.13,>=3.10" in done.err or ">=3.10,<3.13" in done.err
    assert not lock_of(unlocked, "debian-13-amd64").exists()


def test_an_unreachable_index_keeps_the_old_locks(locked: World) -> None:
    before = lock_of(locked, "debian-12-amd64").read_text()
    dead = "http://user:secret@127.0.0.1:9/simple/"
    done = locked.run("lock", "debian-12-amd64", "--upgrade", PIP_INDEX_URL=dead, UV_HTTP_RETRIES="0")
    assert done.code == 4
    assert "secret" not in done.err
    assert lock_of(locked, "debian-12-amd64").read_text() == before


def test_wrong_words_are_usage_errors(locked: World) -> None:
    assert locked.run("lock", "--set", "litellm").code == 2
    assert locked.run("lock", "--check", "--upgrade").code == 2
    assert locked.run("lock", "--check", "--summary", "changes.md").code == 2
    assert locked.run("lock", "--exclude-newer", "soon").code == 2


def test_what_several_targets_share_is_told_once_with_their_names(locked: World) -> None:
    make_wheel(locked.index.folder, "prisma", "0.16.0")
    done = locked.run("lock", "--upgrade")
    assert done.code == 0, done.err
    assert "\n".join(["", f"{', '.join(ALL)}:", "  prisma 0.15.0 -> 0.16.0", ""]) in done.out
    assert done.out.count("prisma") == 1


def test_what_changed_is_written_as_the_body_of_a_pull_request(locked: World) -> None:
    summary = locked.root / "changes.md"
    assert locked.run("lock", "--summary", str(summary)).code == 0
    assert summary.read_text() == "", "no version changed"
    make_wheel(locked.index.folder, "prisma", "0.16.0", more=client("5.17.0", "c" * 40))
    make_wheel(locked.index.folder, "async-timeout", "6.0")
    done = locked.run("--json", "lock", "--upgrade", "--summary", str(summary))
    one = done.json()["locks"][0]
    assert one["changes"] == ["async-timeout 5.0 -> 6.0", "prisma 0.15.0 -> 0.16.0"]
    assert one["sizes"]["before"] == one["sizes"]["after"] > 0
    (shown, few) = done.json()["diff"]
    assert shown == {"targets": ALL, "added": {}, "removed": {}, "changed": {"prisma": PRISMA}, "files": {}}
    assert (few["targets"], list(few["changed"])) == (ALL[:2], ["async-timeout"])
    assert summary.read_text().startswith(
        f"### {', '.join(ALL)}\n\n    prisma 0.15.0 -> 0.16.0\n\n"
        "### debian-12-amd64, debian-12-arm64\n\n    async-timeout 5.0 -> 6.0\n\n"
        "### MB of wheels\n\n    debian-12-amd64 0.0 (+0.0)\n"
    )


PRISMA = {"from": "0.15.0", "to": "0.16.0"}


def test_a_bump_is_one_edit_and_one_command_that_tells_what_it_does(locked: World) -> None:
    make_wheel(locked.index.folder, "litellm", "1.1", ["orjson>=3; extra == 'proxy'", "extra-thing"])
    make_wheel(locked.index.folder, "extra-thing", "2", payload=b"x" * 3_000_000)
    locked.write("litellm.yaml", WHEELHOUSE.replace("litellm[proxy]==1.0", "litellm[proxy]==1.1"))
    done = locked.run("lock")
    assert done.code == 0, done.err
    of_all = "\n  ".join([f"\n{', '.join(ALL)}:", "- aiohttp 3.0", "+ extra-thing 2", "litellm 1.0 -> 1.1\n"])
    assert of_all in done.out
    assert "\ndebian-12-amd64, debian-12-arm64:\n  - async-timeout 5.0\n" in done.out
    assert "3.0 (+3.0)" in done.out


def test_an_error_that_several_targets_share_is_told_once_with_their_names(unlocked: World) -> None:
    unlocked.write("litellm.yaml", WHEELHOUSE.replace("litellm[proxy]==1.0", "litellm[proxy]==9"))
    done = unlocked.run("lock")
    assert done.code == 2
    assert done.err.count("failed:") == done.err.count("cannot be resolved") == 1
    assert f"\n{', '.join(ALL)} failed:\n" in done.err
