"""examples/hello-service, elsewhere: the scripts of the jobs that its workflow calls, with the real tool and index.

What is GitHub's own is left out: checkouts, artifacts, containers, attestations, and the release.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.roots import debian_root
from tests.test_workflows import ACTION, BUNDLE, CHECK, ROOT, load

EXAMPLE = ROOT / "examples" / "hello-service"
ARCHIVES = ["datasette-runtime-debian-12-amd64.tar.gz", "datasette-runtime-ubuntu-24.04-arm64.tar.gz"]


def plain(document: dict[str, Any], name: str) -> Any:
    """A value of a workflow by its key as text: YAML 1.1 reads `on` as true."""
    return {str(key): value for key, value in document.items()}[name]


def called() -> dict[str, Any]:
    """What the example's workflow asks of the one that it calls."""
    (job,) = load(EXAMPLE / ".github/workflows/release.yml")["jobs"].values()
    assert isinstance(job, dict)
    return job


class Run:
    """A run of the called workflow in a repository: inputs, and what steps told."""

    def __init__(self, folder: Path, temp: Path) -> None:
        self.folder, self.temp = folder, temp
        self.jobs = load(ROOT / ".github/workflows" / BUNDLE)["jobs"]
        told = plain(load(ROOT / ".github/workflows" / BUNDLE), "True")["workflow_call"]["inputs"]
        self.known = {f"inputs.{name}": str(one["default"]) for name, one in told.items()}
        self.known |= {f"inputs.{name}": str(value) for name, value in called()["with"].items()}
        self.temp.mkdir()
        (temp / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
        (temp / "sudo").chmod(0o755)

    def value(self, text: str) -> str:
        """A value with its expressions in place, which are all names of what is known."""
        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda match: self.known[match[1]], text)

    def process(
        self, step: dict[str, Any], given: dict[str, str]
    ) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
        """Run the script of a step as the runner does; what it printed, and its outputs."""
        output = self.temp / "output"
        output.write_text("")
        env = {
            **os.environ,
            "PATH": f"{self.temp}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.temp / "page"),
            "GITHUB_SHA": "0123456789ab" + "0" * 28,
            "RUNNER_TEMP": str(self.temp),
            **given,
        }
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        cwd = self.folder / step.get("working-directory", ".")
        done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)
        return done, dict(line.split("=", 1) for line in output.read_text().splitlines())

    def step(self, job: str, name: str) -> None:
        """Run one step of a job, which works; what it told is known from then on."""
        (step,) = (step for step in self.jobs[job]["steps"] if step.get("name") == name)
        done, told = self.process(step, {key: self.value(str(value)) for key, value in step.get("env", {}).items()})
        assert done.returncode == 0, f"{job}: {name}\n{done.stdout}\n{done.stderr}"
        self.known |= {f"steps.{step.get('id')}.outputs.{key}": value for key, value in told.items()}
        for key, value in self.jobs[job].get("outputs", {}).items():
            if value.removeprefix("${{ ").removesuffix(" }}") in self.known:
                self.known[f"needs.{job}.outputs.{key}"] = self.value(value)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    shutil.copytree(EXAMPLE, tmp_path / "hello-service")
    return Run(tmp_path / "hello-service", tmp_path / "temp")


def test_it_calls_the_workflow_with_what_that_takes() -> None:
    own = load(ROOT / ".github/workflows/release-bundle.yml")["jobs"]["release"]
    job = called()
    assert re.fullmatch(r"OWNER/aiws-bundle/\.github/workflows/bundle\.yml@[0-9a-f]{40}", job["uses"])
    assert (job["permissions"], job["secrets"]) == (own["permissions"], own["secrets"])
    told = plain(load(ROOT / ".github/workflows" / BUNDLE), "True")["workflow_call"]["inputs"]
    assert job["with"].keys() <= told.keys()


def test_it_names_no_host_of_a_registry() -> None:
    texts = {path: path.read_text() for path in EXAMPLE.rglob("*") if path.is_file()}
    assert len(texts) == 8
    assert not [path for path, text in texts.items() if re.search(r"://|\bpypi\b", text)]


@pytest.mark.slow
def test_its_release_is_planned_built_checked_and_rehearsed_as_the_workflow_does(run: Run) -> None:
    run.step("plan", "Plan")
    assert run.known["needs.plan.outputs.tag"] == "runtime-0123456789ab"
    matrix = json.loads(run.known["needs.plan.outputs.matrix"])["include"]
    assert [(one["asset"], one["runner"]) for one in matrix] == [
        (ARCHIVES[0], "ubuntu-24.04"),
        (ARCHIVES[1], "ubuntu-24.04-arm"),
    ]
    run.step("build", "Build")
    page = (run.temp / "page").read_text()
    assert page.startswith("### 2 archives, ") and all(f"| {name} | " in page for name in ARCHIVES)
    assert all((run.folder / "dist" / name).stat().st_size < 20e6 for name in ARCHIVES)
    run.step("rehearse", CHECK)
    run.step("attest", CHECK)

    (run.folder / "root").symlink_to(debian_root("12", "amd64"))
    run.known |= {f"matrix.{key}": value for key, value in matrix[0].items()}
    run.step("rehearse", "Rehearse")
    report = json.loads((run.folder / "rehearsals" / "debian-12-amd64.json").read_text())
    assert report["ok"], report
    assert "program: ready, and answers" in [step["name"] for step in report["steps"]]
    assert not [step for step in report["steps"] if step["attempts"]], "it asks for no network"


@pytest.mark.slow
def test_the_action_builds_it_and_tells_what_a_commit_changes(run: Run) -> None:
    git = ["git", "-C", str(run.folder), "-c", "user.name=x", "-c", "user.email=x@y"]
    lock = run.folder / "manifests" / "locks" / "pylock.datasette-debian-12-amd64.toml"
    text = lock.read_text()
    subprocess.run([*git[:3], "init", "--quiet"], check=True)
    for content in (text.replace("0.65.5", "0.65.4"), text):
        lock.write_text(content)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "--quiet", "--message", "x"], check=True)
    (step,) = (step for step in load(ACTION)["runs"]["steps"] if step.get("name") == "Run")
    inputs = {"COMMAND": "build", "TARGETS": "debian-12", "MANIFESTS": "manifests", "ARGS": "--out\nmy own"}
    done, told = run.process(step, inputs)
    assert done.returncode == 0, done.stderr
    assert ARCHIVES[0] in done.stdout, "the log is as ever"
    (archive,) = json.loads(told["archives"])
    built = (run.folder / "my own" / ARCHIVES[0]).read_bytes()
    assert (archive["asset"], archive["sha256"]) == (ARCHIVES[0], hashlib.sha256(built).hexdigest())
    sums = (run.folder / "my own" / "SHA256SUMS").read_bytes()
    assert told["digest"] == hashlib.sha256(sums).hexdigest()
    assert (told["folder"], told["sums"]) == ("my own", "my own/SHA256SUMS")
    page = (run.temp / "page").read_text()
    assert page == Path(told["summary"]).read_text()
    assert page.startswith("### 1 archive, ")
    assert "datasette 0.65.4 -> 0.65.5" in page, done.stderr

    done, told = run.process(step, {**inputs, "TARGETS": "debian-21"})
    assert (done.returncode, [*told]) == (2, ["summary"])
    assert "Correct what is named" in Path(told["summary"]).read_text()
