from __future__ import annotations

import json

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
