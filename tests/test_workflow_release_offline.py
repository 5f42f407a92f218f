"""The workflow that releases all-in-one packages: each handed on alone, all taken by their own jobs' digests."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundler.kinds.manifests import Manifests
from bundler.sidecars import sums
from tests.test_workflows import ROOT, Shell, load, script, steps

FILE = "release-offline.yml"
JOBS: dict[str, Any] = load(ROOT / ".github/workflows" / FILE)["jobs"]
CHECK, CHECK_ONE = "Check that this is what was assembled", "Check that this is what was assembled for the target"
TARGETS = ("debian-12-amd64", "ubuntu-22.04-arm64")
ASSETS = {target: f"all-in-one-{target}.tar.gz" for target in TARGETS}
MATRIX = json.dumps({"include": [{"target": target, "asset": asset} for target, asset in ASSETS.items()]})


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.mark.parametrize(
    ("given", "tag"),
    [("", "offline-ai-workspace-41"), ("offline-ai-workspace-7\nmatrix={}", "offline-ai-workspace-7")],
)
def test_the_tag_is_the_run_s_number_unless_one_is_given(shell: Shell, given: str, tag: str) -> None:
    text = script(FILE, "Plan")
    calls = shell.run(text, TAG=given, SELECTORS="debian-12 --out=x", GITHUB_RUN_NUMBER="41")
    assert (shell.folder / "output").read_text() == f"tag={tag}\nmatrix={{}}\n"
    assert calls == [["targets", "--github-matrix", "--component", "offline", "--", "debian-12", "--out=x"]]


@pytest.mark.parametrize("tag", ["v1", "offline-ai-workspace-0", "offline-ai-workspace-07", "runtime-0123456789ab"])
def test_another_tag_is_refused_before_anything_is_assembled(shell: Shell, tag: str) -> None:
    assert shell.process(script(FILE, "Plan"), TAG=tag, SELECTORS="all", GITHUB_RUN_NUMBER="41").returncode == 2
    assert shell.noted("aiws-bundle") == []


def test_there_is_an_output_for_each_target_of_the_repository() -> None:
    folder = ROOT / "manifests"
    manifests = Manifests.parse({path.name: path.read_text() for path in folder.glob("*.yaml")})
    packages = manifests.components["offline"].assets(manifests.hosts, ["all"])
    names = {words.split()[0].replace(".", "_") for _, words in packages}
    assert JOBS["assemble"]["outputs"] == {name: f"${{{{ steps.assemble.outputs.{name} }}}}" for name in names}


def test_what_was_assembled_is_told_by_its_digest(shell: Shell) -> None:
    (shell.folder / "dist").mkdir()
    (shell.folder / "dist" / "x.tar.gz").write_bytes(b"x")
    calls = shell.run(script(FILE, "Assemble"), ASSET="x.tar.gz", TARGET="ubuntu-22.04-arm64")
    assert calls == [["assemble", "--out", "dist", "--", "ubuntu-22.04-arm64"], ["verify", "--require", "0", "dist"]]
    digest = hashlib.sha256(b"x").hexdigest()
    assert (shell.folder / "output").read_text() == f"ubuntu-22_04-arm64={digest}\n"


def test_every_job_that_takes_packages_checks_them_before_anything_else_does() -> None:
    takers = {"rehearse": CHECK_ONE, "publish": CHECK, "report": CHECK}
    for name, job in JOBS.items():
        taking = [i for i, s in enumerate(job["steps"]) if "download-artifact" in s.get("uses", "")]
        assert bool(taking) == (name in takers), name
        if taking:
            check = job["steps"][taking[0] + 1]
            assert check["name"] == takers[name]
            assert check["env"]["SUMS"] == "${{ toJSON(needs.assemble.outputs) }}"
            assert all("path" in job["steps"][i]["with"] for i in taking)
    assert len({s.run for s in steps() if s.file == FILE and s.name == CHECK}) == 1
    assert len({s.run for s in steps() if s.file == FILE and s.name == "Make room"}) == 1


def told(folder: Path) -> str:
    """The outputs of the jobs that assembled what is in a folder; the others told nothing."""
    digests = {t.replace(".", "_"): hashlib.sha256((folder / a).read_bytes()).hexdigest() for t, a in ASSETS.items()}
    return json.dumps(digests)


@pytest.fixture
def taken(shell: Shell) -> Path:
    """The folder of packages as they were downloaded."""
    folder = shell.folder / "packages"
    folder.mkdir()
    for asset in ASSETS.values():
        (folder / asset).write_bytes(asset.encode())
    return folder


def test_the_sums_are_those_that_the_tool_would_write(shell: Shell, taken: Path) -> None:
    done = shell.process(script(FILE, CHECK), taken, SUMS=told(taken), MATRIX=MATRIX)
    assert done.returncode == 0, done.stderr
    text = (taken / "SHA256SUMS").read_text()
    assert text == sums.compose(sums.parse(text)) and set(sums.parse(text)) == {*ASSETS.values()}


def changed(folder: Path) -> None:
    (folder / ASSETS["debian-12-amd64"]).write_bytes(b"other")


def linked(folder: Path) -> None:
    path = folder / ASSETS["debian-12-amd64"]
    path.rename(folder.parent / "real")
    path.symlink_to("../real")


FORGED: dict[str, Callable[[Path], object]] = {
    "a package changed": changed,
    "a package is a link": linked,
    "a package gone": lambda folder: (folder / ASSETS["debian-12-amd64"]).unlink(),
    "a file more": lambda folder: (folder / "evil.tar.gz").touch(),
    "a hidden file more": lambda folder: (folder / ".evil").touch(),
    "a folder more": lambda folder: (folder / "sub").mkdir(),
    "a pipe more": lambda folder: os.mkfifo(folder / "pipe"),
    "sums of its own": lambda folder: (folder / "SHA256SUMS").write_text("x"),
    "a name with a line break": lambda folder: (folder / "x\ny").touch(),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_another_job_put_in_place_of_packages_is_refused(shell: Shell, taken: Path, name: str) -> None:
    outputs = told(taken)
    FORGED[name](taken)
    done = shell.process(script(FILE, CHECK), taken, SUMS=outputs, MATRIX=MATRIX)
    assert done.returncode in (1, 3)


@pytest.mark.parametrize("outputs", ["{}", '{"debian-12-amd64": ""}', "null", ""])
def test_packages_that_no_job_told_of_are_refused(shell: Shell, taken: Path, outputs: str) -> None:
    assert shell.process(script(FILE, CHECK), taken, SUMS=outputs, MATRIX=MATRIX).returncode != 0
    env = {"ASSET": ASSETS["debian-12-amd64"], "TARGET": "debian-12-amd64"}
    (taken / ASSETS["ubuntu-22.04-arm64"]).unlink()
    assert shell.process(script(FILE, CHECK_ONE), taken, SUMS=outputs, **env).returncode != 0
    assert shell.process(script(FILE, "List what was assembled"), taken, SUMS=outputs, MATRIX=MATRIX).returncode != 0


def test_what_is_rehearsed_is_the_target_s_own_package(shell: Shell, taken: Path) -> None:
    outputs, asset = told(taken), ASSETS["ubuntu-22.04-arm64"]
    env = {"SUMS": outputs, "ASSET": asset, "TARGET": "ubuntu-22.04-arm64"}
    assert shell.process(script(FILE, CHECK_ONE), taken, **env).returncode == 3, "two packages"
    (taken / ASSETS["debian-12-amd64"]).unlink()
    assert shell.process(script(FILE, CHECK_ONE), taken, **env).returncode == 0
    (taken / asset).write_bytes(b"other")
    assert shell.process(script(FILE, CHECK_ONE), taken, **env).returncode == 1


def test_what_is_signed_are_the_digests_that_were_told(shell: Shell, taken: Path) -> None:
    outputs = told(taken)
    done = shell.process(script(FILE, "List what was assembled"), SUMS=outputs, MATRIX=MATRIX)
    assert done.returncode == 0, done.stderr
    listed = sums.parse((shell.folder / "SHA256SUMS").read_text())
    assert listed == {a: hashlib.sha256((taken / a).read_bytes()).hexdigest() for a in ASSETS.values()}


@pytest.mark.parametrize(
    ("environment", "free", "code"),
    [
        ("github-hosted", "30000000 /\n70000000 /mnt", 0),
        ("github-hosted", "30000000 /\n1000 /mnt", 0),
        ("github-hosted", "4000000 /\n1000 /mnt", 1),
        ("self-hosted", "30000000 /", 0),
    ],
)
def test_room_is_made_on_hosted_runners_only_and_where_there_is_most(
    shell: Shell, environment: str, free: str, code: int
) -> None:
    (shell.folder / "free").write_text(f"Avail Mounted\n{free}\n")
    shell.stub("df", f"cat {shell.folder}/free")
    shell.stub("sudo")
    done = shell.process(script(FILE, "Make room"), MATRIX=MATRIX, RUNNER_ENVIRONMENT=environment)
    assert done.returncode == code, done.stderr
    removed = [words for words in shell.noted("sudo") if words[0] == "rm"]
    assert bool(removed) == (environment == "github-hosted")
    if code:
        assert "release fewer targets, or set vars.RELEASE_RUNNER" in done.stderr
    else:
        folder = "/mnt/packages" if "70000000" in free else f"{shell.folder}/packages"
        assert (shell.folder / "output").read_text() == f"folder={folder}\n"
    assert ("/mnt" in shell.noted("df")[0]) == (environment == "github-hosted")


def test_publish_asks_for_what_was_assembled_and_names_no_channel(shell: Shell) -> None:
    evil = "debian-12 $(touch evil)"
    (call,) = shell.run(script(FILE, "Publish"), TAG="offline-ai-workspace-7", SELECTORS=evil, FOLDER="/mnt/packages")
    assert not (shell.folder / "evil").exists()
    assert call[:6] == ["publish", "/mnt/packages", "--repo", "o/r", "--tag", "offline-ai-workspace-7"]
    assert call[call.index("--targets") + 1] == "debian-12"
    assert "--channel" not in call


def test_packages_are_not_kept_for_long_nor_packed_again() -> None:
    (upload,) = [s for s in JOBS["assemble"]["steps"] if "upload-artifact" in s.get("uses", "")]
    assert upload["with"]["retention-days"] == 3 and upload["with"]["compression-level"] == 0
    assert upload["with"]["path"] == "dist/${{ matrix.asset }}"
