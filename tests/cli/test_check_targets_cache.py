from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from bundler.adapters.store import Store
from bundler.sizes import size_text
from tests.world import PYTHON, World


def test_check_is_silent_about_sound_manifests_but_notes_unlocked_components(locked: World) -> None:
    locked.write(
        "console.yaml",
        "kind: release-asset\ncomponent: console\nrepository: a/b\ntag: latest-runtime\n"
        "asset: c-{os}-{arch}.tar.gz\ntargets: [linux-amd64]\n",
    )
    done = locked.run("check")
    assert done.code == 0
    assert "console is not locked" in done.out


def test_check_names_every_problem_with_file_and_line(locked: World) -> None:
    locked.write("python.yaml", PYTHON + "colour: red\nversion: 3.13.6\n")
    locked.write("targets.yaml", "distros: {debian: {'12': {glibc: 2, python: 3.11.2}}}\narches: [amd64, sparc]\n")
    done = locked.run("check")
    assert done.code == 2
    assert "python.yaml:5:1: duplicate key 'version'" in done.out
    assert "targets.yaml:1:" in done.out
    assert "targets.yaml:2:" in done.out
    found = locked.run("--json", "check").json()["problems"]
    assert len(found) >= 3


def test_check_finds_broken_and_stray_locks(locked: World) -> None:
    locks = locked.root / "manifests" / "locks"
    (locks / "pylock.litellm-debian-12-amd64.toml").write_text('lock-version = "1.0"\nnonsense\n')
    (locks / "pylock.plan9.toml").write_text("")
    wrong = (locks / "pylock.litellm-debian-13-amd64.toml").read_text().replace("cp313-cp313-many", "cp312-cp312-many")
    (locks / "pylock.litellm-debian-13-amd64.toml").write_text(wrong)
    done = locked.run("check")
    assert done.code == 2
    assert "locks/pylock.litellm-debian-12-amd64.toml:2: not a lock" in done.out
    assert "locks/pylock.plan9.toml: belongs to no component and target" in done.out
    assert "does not run on CPython 3.13.5" in done.out


def test_no_command_needs_a_portable_python_that_no_target_has(locked: World) -> None:
    (locked.root / "manifests" / "python.yaml").unlink()
    for command in (("check",), ("lock", "--check"), ("targets",), ("build", "debian-12-amd64"), ("cache", "prune")):
        assert locked.run(*command).code == 0, command


def test_check_tells_a_number_where_text_is_wanted_and_shows_how_it_is_written(locked: World) -> None:
    locked.write("targets.yaml", "distros: {debian: {'12': {glibc: 2.36, python: 3.11.2}}}\narches: [amd64]\n")
    assert locked.run("check").out.splitlines()[0] == (
        'targets.yaml:1:34: distros.debian.12.glibc: a glibc version in quotes is wanted, such as "2.36";'
        " here stands the number 2.36"
    )


def test_targets_lists_what_each_needs(locked: World) -> None:
    out = locked.run("targets", "debian-12").out
    assert "debian-12-amd64" in out
    assert "3.11.2" in out
    assert "debian-13" not in out


def test_the_github_matrix_is_one_line_of_json(locked: World) -> None:
    done = locked.run("targets", "arm64", "--github-matrix")
    assert done.out.count("\n") == 1
    matrix = json.loads(done.out)["include"]
    assert [entry["target"] for entry in matrix] == ["debian-12-arm64", "debian-13-arm64"]
    assert matrix[0]["runner"] == "ubuntu-24.04-arm"
    assert matrix[0]["container"] == "debian:12"


def test_cache_tells_and_tidies(locked: World) -> None:
    assert locked.run("cache", "path").out.strip() == str(locked.root / "cache")
    locked.run("build", "all")
    assert locked.run("--json", "cache", "info").json()["files"] == 9
    for name in ("debian-12-arm64", "debian-13-arm64", "debian-13-amd64"):
        (locked.root / "manifests" / "locks" / f"pylock.litellm-{name}.toml").unlink()
    assert locked.run("--json", "cache", "prune").json()["files"] == 3
    assert locked.run("build", "debian-12-amd64", "--offline", "--force").code == 0
    locked.run("cache", "prune", "--all")
    assert locked.run("--json", "cache", "info").json()["files"] == 0


def stray(world: World, used: float | None = None) -> Path:
    """A file of the store that nothing names, of one byte; when it was last used, in s since 1970."""
    path = Store(world.root / "cache").path("0" * 64)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    if used is not None:
        os.utime(path, (used, used))
    return path


def test_a_dry_run_removes_nothing_and_says_what_would_go_and_what_stays_and_why(locked: World) -> None:
    assert locked.run("build", "debian-12-amd64").code == 0
    path = stray(locked)
    done = locked.run("cache", "prune", "--dry-run")
    assert done.code == 0, done.err
    assert "--keep DIR" in done.out
    told, document = done.out, locked.run("--json", "cache", "prune", "--dry-run").json()
    assert path.exists()
    sizes = [one.stat().st_size for one in Store(locked.root / "cache").entries()]
    kept = size_text(sum(sizes) - 1)
    assert told.startswith(f"would remove 1 file, 1 byte\nkept 6 files, {kept}:\n")
    assert f"  named by 4 locks of litellm: 6 files, {kept}\n" in told
    assert document == {
        "schema_version": 1,
        "files": 1,
        "size": 1,
        "dry_run": True,
        "kept": [{"why": "named by 4 locks of litellm", "files": 6, "size": sum(sizes) - 1}],
    }
    assert locked.run("--json", "cache", "prune").json() == {**document, "dry_run": False}
    assert not path.exists()


def test_what_was_used_of_late_stays_with_older_than(locked: World) -> None:
    assert locked.run("build", "debian-12-amd64").code == 0
    path = stray(locked)
    done = locked.run("cache", "prune", "--older-than", "12h")
    assert "removed 0 files" in done.out
    assert "  used in the last 12h: 1 file, 1 byte\n" in done.out
    stray(locked, time.time() - 13 * 3600)
    assert "removed 0 files" in locked.run("cache", "prune", "--older-than", "1d").out
    assert "removed 1 file, " in locked.run("cache", "prune", "--older-than", "12h").out
    assert not path.exists()


@pytest.mark.parametrize("words", [(), ("--offline",)])
def test_what_a_build_takes_from_the_store_counts_as_used(locked: World, words: tuple[str, ...]) -> None:
    assert locked.run("build", "debian-12-amd64").code == 0
    for path in Store(locked.root / "cache").entries():
        os.utime(path, (0, 0))
    assert locked.run("cache", "prune", "--all", "--older-than", "1h", "--dry-run").out.startswith(
        "would remove 6 files"
    )
    assert locked.run("build", "debian-12-amd64", "--force", *words).code == 0
    assert locked.run("cache", "prune", "--all", "--older-than", "1h").out.startswith("removed 0 files")


@pytest.mark.parametrize("duration", ["soon", "30", "d", "1.5d", "-1d", "30y", "1000000d", ""])
def test_what_is_no_duration_removes_nothing(locked: World, duration: str) -> None:
    path = stray(locked)
    done = locked.run("cache", "prune", "--older-than", duration)
    assert done.code == 2
    assert "is not a duration" in done.err
    assert "30d" in done.err
    assert path.exists()


def test_what_the_locks_of_another_project_name_is_kept_when_it_is_told(locked: World, tmp_path: Path) -> None:
    assert locked.run("build", "all").code == 0
    other = tmp_path / "other"
    shutil.copytree(locked.root / "manifests", other)
    for path in (locked.root / "manifests" / "locks").glob("*-13-*"):
        path.unlink()
    kept = locked.run("cache", "prune", "--keep", str(other))
    assert kept.code == 0, kept.err
    assert kept.out.startswith("removed 0 files")
    assert f"named by 4 locks of litellm of {other}: 2 files" in " ".join(kept.out.split())
    assert locked.run("cache", "prune").out.startswith("removed 2 files")


def test_a_broken_lock_stops_pruning_and_says_what_to_do(locked: World, tmp_path: Path) -> None:
    path = stray(locked)
    other = tmp_path / "other"
    shutil.copytree(locked.root / "manifests", other)
    (other / "locks" / "pylock.litellm-debian-12-amd64.toml").write_text("nonsense")
    done = locked.run("cache", "prune", "--keep", str(other))
    assert done.code == 2
    assert f"{other}: pylock.litellm-debian-12-amd64.toml is not a lock" in done.err
    assert f"leave out --keep {other}" in done.err
    (other / "targets.yaml").write_text("nonsense")
    assert f"{other}/targets.yaml:1:" in locked.run("cache", "prune", "--keep", str(other)).err
    (locked.root / "manifests" / "locks" / "pylock.litellm-debian-12-amd64.toml").write_text("nonsense")
    done = locked.run("cache", "prune")
    assert done.code == 2
    assert "run `aiws-bundle lock debian-12-amd64`, or prune with --all" in done.err
    assert locked.run("cache", "prune", "--keep", str(tmp_path)).code == 2
    assert locked.run("cache", "prune", "--all", "--keep", str(other)).code == 2
    assert path.exists()


def test_what_was_accepted_for_a_time_is_told_when_that_ends(locked: World) -> None:
    text = """
advisories:
- {id: CVE-2020-1, reason: none, until: 2020-01-31}
- {id: CVE-2020-2, reason: none, until: 9999-01-31}
cooldown: {exceptions: [{requirement: aiohttp>1, reason: none, until: 2020-01-31}]}
"""
    locked.write("trust.yaml", text)
    assert locked.run("--json", "check").json()["notes"] == [
        "trust.yaml: CVE-2020-1 is accepted no more since 2020-01-31; renew it or take it out",
        "trust.yaml: aiohttp>1 has to wait again since 2020-01-31; take it out",
    ]


def test_targets_tells_what_is_to_come_what_is_shared_and_what_lacks(locked: World) -> None:
    (locked.root / "manifests/locks/pylock.litellm-debian-13-arm64.toml").unlink()
    told = locked.run("--json", "targets").json()["sizes"]
    sizes = {one["target"]: one for one in told}
    wheels = {path.name: path.stat().st_size for path in (locked.root / "wheels").iterdir()}
    common = sum(size for name, size in wheels.items() if name.partition("-")[0] in ("aiohttp", "prisma", "pip"))
    common += next(size for name, size in wheels.items() if name.startswith("litellm-1.0"))
    old = next(size for name, size in wheels.items() if name.startswith("async_timeout"))
    own = next(size for name, size in wheels.items() if "cp311" in name and "x86_64" in name)
    first = sizes["debian-12-amd64"]
    assert first["size"] == common + old + own
    assert (first["by_all"], first["by_some"], first["own"]) == (common, old, own)
    assert (first["unsized"], first["lacks"]) == (0, [])
    missing = sizes["debian-13-arm64"]
    assert (missing["size"], missing["lacks"]) == (0, ["lock: there is no lock"])
    out = locked.run("targets").out
    assert "  lock: there is no lock (debian-13-arm64)\n" in out
    assert max(map(len, out.splitlines())) <= 80


def test_cache_info_tells_whose_files_are_how_large_and_when_used(locked: World) -> None:
    assert locked.run("build", "debian-12-amd64").code == 0
    stray(locked, used=86400)
    told = locked.run("--json", "cache", "info").json()
    ours, others = told["shares"]
    assert (ours["components"], ours["files"], others["components"]) == (["litellm"], 6, [])
    assert others == {"components": [], "files": 1, "size": 1, "last_used": "1970-01-02T00:00:00+00:00"}
    assert (told["files"], told["size"], told["manifests"]) == (7, ours["size"] + 1, True)
    out = locked.run("cache", "info").out
    assert "none here" in out and "1970-01-02" in out
    (locked.root / "manifests").rename(locked.root / "elsewhere")
    alone = locked.run("--json", "cache", "info").json()
    assert (alone["manifests"], [one["components"] for one in alone["shares"]]) == (False, [[]])


def test_cache_info_tells_what_two_components_share(locked: World) -> None:
    assert locked.run("build", "debian-12-amd64").code == 0
    text = (locked.root / "manifests" / "litellm.yaml").read_text(encoding="utf-8")
    other = text.replace("component: litellm", "component: other").replace("asset: litellm", "asset: o")
    locked.write("other.yaml", other)
    locks = locked.root / "manifests" / "locks"
    shutil.copy(locks / "pylock.litellm-debian-12-amd64.toml", locks / "pylock.other-debian-12-amd64.toml")
    shares = {tuple(one["components"]): one["files"] for one in locked.run("--json", "cache", "info").json()["shares"]}
    assert shares == {("litellm", "other"): 6}
