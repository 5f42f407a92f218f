"""The workflows: pinned, with few rights, nothing expanded into shell, and every call of ours one that exists."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bundler.adapters.store import Store
from bundler.cli import _SHARED, _shared_first, cli
from bundler.platforms import image, platform_for
from bundler.words import Arch

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTION = ROOT / "action.yml"
BUNDLE = "bundle.yml"
# The workflows that publish, each with its environment.
ENVIRONMENTS = {BUNDLE: "${{ inputs.environment }}", "release-offline.yml": "release"}
_VALUES = {
    "GITHUB_REPOSITORY": "o/r",
    "TAG": "runtime-0123456789ab",
    "FOLDER": "dist",
    "TARGET": "debian-12-amd64",
    "GITHUB_SHA": "0123456789ab" + "0" * 28,
    "ASSET": "x.tar.gz",
    "before": "2026-11-20",
    "GITHUB_OUTPUT": "output",
    "MANIFESTS": "manifests",
    "RUNNER_TEMP": "/tmp",
    "folder": "dist",
}


@cache
def load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


@dataclass(frozen=True)
class Step:
    """One step of a workflow or action."""

    file: str
    job: str
    data: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.data.get("name", ""))

    @property
    def run(self) -> str:
        return str(self.data.get("run", ""))


def steps() -> Iterator[Step]:
    for path in WORKFLOWS:
        for name, job in load(path)["jobs"].items():
            yield from (Step(path.name, name, data) for data in job.get("steps", ()))
    yield from (Step(ACTION.name, "", data) for data in load(ACTION)["runs"]["steps"])


def script(file: str, name: str) -> str:
    return next(step.run for step in steps() if (step.file, step.name) == (file, name))


def calls() -> list[tuple[str, str]]:
    """Every command line of ours, with the file that it stands in."""
    found = []
    for step in steps():
        text = step.run.replace("\\\n", " ").replace('"$(command -v aiws-bundle)"', "aiws-bundle")
        found += [(step.file, one) for one in re.findall(r"aiws-bundle ((?!\"\$)[^\n&|>)]+)", text)]
    return found


def test_there_are_the_five_workflows_and_the_action() -> None:
    names = ["bundle.yml", "ci.yml", "lock-refresh.yml", "release-bundle.yml", "release-offline.yml"]
    assert [path.name for path in WORKFLOWS] == names
    assert load(ACTION)["runs"]["using"] == "composite"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_nothing_is_allowed_that_a_job_does_not_name(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {}
    assert "concurrency" in workflow
    # Without a shell's name the runner leaves pipefail out, and what fails before a pipe passes.
    assert workflow["defaults"]["run"]["shell"] == "bash"
    for name, job in workflow["jobs"].items():
        assert "permissions" in job, name
        assert "timeout-minutes" in job or "uses" in job, name  # those of another workflow have their own


@pytest.mark.parametrize(("file", "makes"), [("bundle.yml", "build"), ("release-offline.yml", "assemble")])
def test_only_publish_may_change_a_release(file: str, makes: str) -> None:
    jobs = load(ROOT / ".github/workflows" / file)["jobs"]
    writers = [name for name, job in jobs.items() if job["permissions"].get("contents") == "write"]
    assert writers == ["publish"]
    assert jobs["publish"]["environment"] == ENVIRONMENTS[file]
    assert {"rehearse", makes, "attest"} <= set(jobs["publish"]["needs"])


def test_only_the_step_that_publishes_has_the_key_and_nothing_is_signed_before() -> None:
    """The key is a secret of the environment `release`, which reviewers guard."""
    secret = re.compile(r"secrets\s*[.\[]|AIWS_SIGNING")
    for file in ENVIRONMENTS:
        jobs = load(ROOT / ".github" / "workflows" / file)["jobs"]
        holding = [
            (name, step.get("name")) for name, job in jobs.items() for step in job["steps"] if secret.search(str(step))
        ]
        assert holding == [("publish", "Publish")]
        outside = {name: {key: value for key, value in job.items() if key != "steps"} for name, job in jobs.items()}
        assert not secret.search(str(outside))
        assert jobs["publish"]["environment"] == ENVIRONMENTS[file]
        (step,) = (step for step in jobs["publish"]["steps"] if step.get("name") == "Publish")
        assert not secret.search(step["run"])
        assert step["env"]["AIWS_SIGNING_KEY"] == "${{ secrets.AIWS_SIGNING_KEY }}"


def test_the_tool_that_releases_for_others_is_of_the_workflow_s_own_commit() -> None:
    """In a called workflow `github` is the caller's, and so is what a checkout takes unless it is told otherwise."""
    found = 0
    for name, job in load(ROOT / ".github/workflows" / BUNDLE)["jobs"].items():
        uses = [step.get("uses", "") for step in job["steps"]]
        if "./.aiws-bundle" not in uses:
            assert not re.search("aiws-bundle ", str(job["steps"])), name
            continue
        place = uses.index("./.aiws-bundle")
        assert job["steps"][place - 1]["with"] == {
            "repository": "${{ job.workflow_repository }}",
            "ref": "${{ job.workflow_sha }}",
            "path": ".aiws-bundle",
            "persist-credentials": False,
        }
        # First, so that nothing of the caller's ran before, and the second checkout is not cleared away by another.
        assert [one.partition("@")[0] for one in uses[:place] if one] == ["actions/checkout"] * 2
        assert job["steps"][place - 2]["with"] == {"persist-credentials": False}
        found += 1
    assert found == 6


def test_a_runner_that_does_not_tell_the_workflow_s_commit_is_refused(shell: Shell) -> None:
    """A checkout that is told nothing takes the caller's repository."""
    name = "Check that the runner tells where this workflow is from"
    (first,) = (step for step in steps() if step.name == name)
    assert first.data["env"] == {"REPOSITORY": "${{ job.workflow_repository }}", "SHA": "${{ job.workflow_sha }}"}
    assert next(step.name for step in steps() if (step.file, step.job) == (BUNDLE, "plan")) == name
    assert shell.process(first.run, REPOSITORY="o/r", SHA="0" * 40).returncode == 0
    assert shell.process(first.run, REPOSITORY="o/r", SHA="").returncode == 1
    assert shell.process(first.run, REPOSITORY="", SHA="0" * 40).returncode == 1


def test_this_repository_is_released_as_others_are() -> None:
    (job,) = load(ROOT / ".github/workflows/release-bundle.yml")["jobs"].values()
    called = load(ROOT / ".github/workflows" / BUNDLE)
    told = {str(key): value for key, value in called.items()}["True"]["workflow_call"]  # YAML 1.1: `on` is true
    assert job["uses"] == f"./.github/workflows/{BUNDLE}"
    assert job["with"].keys() <= told["inputs"].keys()
    assert job["secrets"] == {name: f"${{{{ secrets.{name} }}}}" for name in told["secrets"]}
    assert not any(secret and secret.get("required") for secret in told["secrets"].values())
    asked: dict[str, str] = {}
    for one in called["jobs"].values():
        asked |= {name: right for name, right in one["permissions"].items() if asked.get(name) != "write"}
    assert job["permissions"] == asked, "what a called job asks for and its caller has not fails the run"
    assert called["concurrency"]["group"] != load(ROOT / ".github/workflows/release-bundle.yml")["concurrency"]["group"]


def test_what_is_left_out_on_purpose_holds_nothing_up_and_what_failed_does() -> None:
    jobs = load(ROOT / ".github/workflows" / BUNDLE)["jobs"]
    for name in ("rehearse", "attest"):
        assert f"(needs.{name}.result == 'success' || !inputs.{name})" in jobs["publish"]["if"]
    assert "needs.build.result == 'success'" in jobs["publish"]["if"]
    assert all("inputs.publish" in jobs[name]["if"] for name in ("attest", "publish", "report"))
    # After a job that was skipped the default would skip it too.
    assert jobs["verify"]["if"] == "!cancelled() && needs.publish.result == 'success'"


@pytest.mark.parametrize(
    "step", [s for s in steps() if "uses" in s.data], ids=lambda s: f"{s.file}-{s.data['uses'][:30]}"
)
def test_every_action_is_pinned_by_commit(step: Step) -> None:
    own = "./.aiws-bundle" if step.file == BUNDLE else "./"
    assert step.data["uses"] == own or re.fullmatch(r"[\w.-]+(/[\w.-]+)+@[0-9a-f]{40}", step.data["uses"])


def test_every_pin_tells_its_version() -> None:
    for path in (*WORKFLOWS, ACTION):
        for line in path.read_text().splitlines():
            if "uses: " in line and "@" in line:
                assert re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_one_action_has_one_pin() -> None:
    pins = {step.data["uses"] for step in steps() if "@" in step.data.get("uses", "")}
    owners = {("/".join(pin.split("/")[:2]).partition("@")[0], pin.partition("@")[2]) for pin in pins}
    assert len(owners) == len({owner for owner, _ in owners})


@pytest.mark.parametrize("step", [s for s in steps() if s.run], ids=lambda s: f"{s.file}-{s.job}-{s.name}")
def test_no_expression_is_expanded_inside_a_script(step: Step) -> None:
    assert "${{" not in step.run


@pytest.mark.parametrize(("file", "line"), calls(), ids=lambda text: text[:50])
def test_every_call_parses_with_the_real_command_line(file: str, line: str) -> None:
    line = re.sub(r'"\$\{(chosen|options)\[@\]\}"', lambda match: "all" if match[1] == "chosen" else "", line)
    for name, value in _VALUES.items():
        line = line.replace(f"${name}", value)
    assert "$" not in line, line
    words = _shared_first(shlex.split(line))
    context = click.Context(cli)
    if "--manifests" in words:
        del words[(place := words.index("--manifests")) : place + 2]
    place = next(index for index, word in enumerate(words) if word in cli.list_commands(context))
    assert set(words[:place]) <= _SHARED
    command = cli.get_command(context, words[place])
    assert command is not None, line
    command.make_context(words[place], words[place + 1 :])


def test_enough_calls_were_found() -> None:
    used = {line.removeprefix('--manifests "$MANIFESTS" ').split()[0] for _, line in calls()}
    assert used >= {"assemble", "build", "check", "lock", "publish", "rehearse", "report", "targets", "verify"}


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
@pytest.mark.parametrize("step", [s for s in steps() if "\n" in s.run], ids=lambda s: f"{s.file}-{s.job}-{s.name}")
def test_scripts_are_clean(step: Step) -> None:
    words = ["shellcheck", "--shell", "bash", "-"]
    done = subprocess.run(words, input=step.run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_zizmor_finds_nothing() -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    if not zizmor.is_file():
        pytest.skip("zizmor is not installed")
    words = [str(zizmor), "--offline", "--no-progress", "--persona", "pedantic", ".github", "action.yml", "examples"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Shell:
    """A place where scripts run, and where calls of programs are noted instead of made."""

    folder: Path

    def stub(self, name: str, body: str = "") -> None:
        """Put a program on the PATH that notes its words and then does `body`."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        note = (
            f'for word; do printf "%s\\0" "$word" >> {self.folder}/{name}; done; printf "\\n" >> {self.folder}/{name}'
        )
        path.write_text(f"#!/bin/sh\n{note}\n{body}\n")
        path.chmod(0o755)

    def noted(self, name: str) -> list[list[str]]:
        """The words of each call of a program."""
        path = self.folder / name
        return [line.split("\0")[:-1] for line in path.read_text().splitlines()] if path.exists() else []

    def process(self, text: str, cwd: Path | None = None, /, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a script as the runner does when `bash` is named."""
        self.stub("aiws-bundle", 'echo "{}"')
        made = {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "page"),
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_SHA": "0123456789abcdef" + "0" * 24,
            "GITHUB_REPOSITORY": "o/r",
            "RUNNER_TEMP": str(self.folder),
            **env,
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text],
            cwd=cwd or self.folder, env=made, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def run(self, text: str, **env: str) -> list[list[str]]:
        """Run a script that works; return the words of each call of the tool."""
        done = self.process(text, **env)
        assert done.returncode == 0, done.stderr
        return self.noted("aiws-bundle")


def pip_settings() -> dict[str, str]:
    """Where pip finds an index on this machine, by variables or the user's own file."""
    names = {name for name in os.environ if name.startswith("PIP_")} - {"PIP_NO_BUILD_ISOLATION"}
    return {name: os.environ[name] for name in (*names, "HOME") if name in os.environ}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.mark.parametrize(("given", "tag"), [("", "runtime-0123456789ab"), ("v1", "v1"), ("v1\nsums=0", "v1")])
def test_the_tag_is_the_commit_s_unless_one_is_given(shell: Shell, given: str, tag: str) -> None:
    env = {"TAG": given, "TARGETS": "debian-12 arm64", "MANIFESTS": "my own", "COMPONENT": "litellm"}
    calls = shell.run(script(BUNDLE, "Plan"), **env)
    assert (shell.folder / "output").read_text() == f"tag={tag}\nmatrix={{}}\n"
    assert [call[:2] for call in calls] == [["--manifests", "my own"]] * 3
    assert [call[2:] for call in calls] == [
        ["check"],
        ["lock", "--check", "--component", "litellm", "--", "debian-12", "arm64"],
        ["targets", "--github-matrix", "--component", "litellm", "--", "debian-12", "arm64"],
    ]


@pytest.mark.parametrize(("name", "number"), [("Plan", 1), ("Plan", 2), ("Build", 0)])
def test_no_selector_is_an_option(shell: Shell, name: str, number: int) -> None:
    (shell.folder / "dist").mkdir()
    (shell.folder / "dist" / "SHA256SUMS").touch()
    made = shell.run(script(BUNDLE, name), TAG="", TARGETS="all --mirror=https://a/=https://b/")
    assert made[number][-3:] == ["--", "all", "--mirror=https://a/=https://b/"]
    assert "--component" not in made[number], "none is asked for"


@pytest.mark.parametrize("channel", ["", "latest-runtime"])
def test_publish_asks_for_what_was_built(shell: Shell, channel: str) -> None:
    evil = "debian-12 $(touch evil)"
    more = "--without-database\n\n--mirror\nmy own=$(touch evil)\n"
    env = {"TAG": "v1", "TARGETS": evil, "CHANNEL": channel, "PUBLISH_ARGS": more, "MANIFESTS": "manifests"}
    (call,) = shell.run(script(BUNDLE, "Publish"), **env)
    assert not (shell.folder / "evil").exists()
    assert call[:5] == ["--manifests", "manifests", "publish", "dist", "--repo"]
    assert call[-3:] == ["--without-database", "--mirror", "my own=$(touch evil)"]
    assert call[call.index("--targets") + 1] == "debian-12"
    assert ("--channel" in call) == bool(channel)


def test_the_report_takes_every_document_that_is_not_empty(shell: Shell) -> None:
    for name, text in {
        "verification/verification.json": "{}",
        "rehearsal-a/a.json": "{}",
        "rehearsal-b/b.json": "",
    }.items():
        path = shell.folder / "found" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    (call,) = shell.run(script(BUNDLE, "Report"), TAG="v1")
    assert call[-4:] == [
        "--verification",
        "found/verification/verification.json",
        "--rehearsal",
        "found/rehearsal-a/a.json",
    ]


def test_the_cooldown_is_a_date(shell: Shell) -> None:
    lock, check = shell.run(script("lock-refresh.yml", "Lock anew"), COOLDOWN="7")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", lock[lock.index("--exclude-newer") + 1])
    assert lock[lock.index("--summary") + 1] == str(shell.folder / "changes.md")
    assert check == ["check"]


def test_the_action_takes_a_word_a_line(shell: Shell) -> None:
    (call,) = shell.run(script("action.yml", "Run"), ARGS="build\n\ndebian-12\n--out\nmy folder; $(touch evil)\n")
    assert call == ["build", "debian-12", "--out", "my folder; $(touch evil)"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("build debian-12-amd64", ["build", "debian-12-amd64"]),
        ("\n  build  \tdebian-12-amd64 \n\n", ["build", "debian-12-amd64"]),
        ("check", ["check"]),
        ("build * $(touch evil) `id` ; \\n", ["build", "*", "$(touch", "evil)", "`id`", ";", "\\n"]),
    ],
    ids=["one line", "blanks around it", "one word", "nothing is expanded"],
)
def test_the_action_splits_one_line_at_blanks(shell: Shell, args: str, words: list[str]) -> None:
    assert shell.run(script("action.yml", "Run"), ARGS=args) == [words]
    assert not (shell.folder / "evil").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"COMMAND": "check"}, ["check"]),
        ({"COMMAND": "build", "TARGETS": "debian-12\n  arm64 "}, ["build", "--", "debian-12", "arm64"]),
        (
            {"COMMAND": "build", "TARGETS": "all", "MANIFESTS": "my own", "ARGS": "--out\nmy folder"},
            ["--manifests=my own", "build", "--out", "my folder", "--", "all"],
        ),
        (
            {"COMMAND": "publish", "TARGETS": "debian-12 arm64", "ARGS": "dist --repo o/r"},
            ["publish", "dist", "--repo", "o/r", "--targets", "debian-12", "--targets", "arm64"],
        ),
        ({"COMMAND": "verify", "ARGS": "dist"}, ["verify", "dist"]),
        ({"COMMAND": "build", "TARGETS": "* $(touch evil)"}, ["build", "--", "*", "$(touch", "evil)"]),
    ],
    ids=["command", "targets", "all of them", "publish", "args without targets", "nothing is expanded"],
)
def test_the_action_puts_its_inputs_together(shell: Shell, given: dict[str, str], words: list[str]) -> None:
    assert shell.run(script("action.yml", "Run"), **given) == [words]
    assert not (shell.folder / "evil").exists()


@pytest.mark.parametrize(
    "given",
    [
        {"ARGS": "build", "TARGETS": "all"},
        {"ARGS": "build all", "MANIFESTS": "manifests"},
        {"TARGETS": "all"},
        {"MANIFESTS": "manifests"},
        {"COMMAND": "build all"},
        {"COMMAND": "--json"},
        {"COMMAND": "build", "TARGETS": "all --mirror=https://a/=https://b/"},
        {"COMMAND": "build", "TARGETS": "debian-12\n-v"},
        {"COMMAND": "build", "TARGETS": "all", "ARGS": "debian-12"},
        {"COMMAND": "build", "TARGETS": "all", "ARGS": "--out=x -- debian-12"},
    ],
    ids=str,
)
def test_the_action_refuses_inputs_that_contradict_each_other(shell: Shell, given: dict[str, str]) -> None:
    done = shell.process(script("action.yml", "Run"), **given)
    assert (done.returncode, shell.noted("aiws-bundle")) == (2, [])
    assert done.stderr.startswith("aiws-bundle: inputs of the action: ")


@pytest.mark.parametrize(
    ("args", "folder"),
    [
        ("build all", "dist"),
        ("build all --out some/where", "some/where"),
        ("--json build --out=where all", "where"),
        ("build\nall\n--out\nmy folder\n", "my folder"),
    ],
)
def test_the_action_has_the_tool_sum_up_its_folder(shell: Shell, args: str, folder: str) -> None:
    (shell.folder / folder).mkdir(parents=True)
    (shell.folder / folder / "SHA256SUMS").touch()
    _, second = shell.run(script("action.yml", "Run"), ARGS=args)
    assert second == ["summary", "--github-output", str(shell.folder / "output"), "--", folder]
    (told,) = (shell.folder / "output").read_text().splitlines()
    assert Path(told.removeprefix("summary=")).read_text() == (shell.folder / "page").read_text() == "{}\n"
    outputs = load(ACTION)["outputs"]
    assert {name: output["value"] for name, output in outputs.items()} == {
        name: f"${{{{ steps.run.outputs.{name} }}}}" for name in ("folder", "sums", "digest", "archives", "summary")
    }
    assert [step.name for step in steps() if step.data.get("id") == "run"] == ["Run"]


@pytest.mark.parametrize("command", ["build", "lock", "verify"])
def test_the_action_tells_what_a_commit_changes_where_its_parent_is_at_hand(shell: Shell, command: str) -> None:
    git = ["git", "-C", str(shell.folder), "-c", "user.name=x", "-c", "user.email=x@y"]
    subprocess.run([*git[:3], "init", "--quiet"], check=True)
    found = []
    for _ in range(2):
        subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "x"], check=True)
        calls = shell.run(script("action.yml", "Run"), COMMAND=command, MANIFESTS="own")
        (shell.folder / "aiws-bundle").unlink()
        found.append(calls[1:])
    since = {"build": "HEAD^", "lock": "HEAD", "verify": ""}[command]
    diff = [["--manifests=own", "diff", since, "--markdown"]] if since else []
    assert found == [diff if since == "HEAD" else [], diff]


@pytest.mark.slow
def test_the_action_installs_a_tool_that_runs(shell: Shell) -> None:
    env = {"PYTHON": sys.executable, "GITHUB_ACTION_PATH": str(ROOT), "GITHUB_PATH": str(shell.folder / "path")}
    done = shell.process(script("action.yml", "Install"), **{**pip_settings(), **env})
    assert done.returncode == 0, done.stderr
    added = (shell.folder / "path").read_text().strip()
    assert [path.name for path in Path(added).iterdir()] == ["aiws-bundle"]
    text = f'PATH="{added}:$PATH"; ' + script("action.yml", "Run")
    done = shell.process(text, ROOT, ARGS="check --help")
    assert (done.returncode, done.stdout.split("\n")[0]) == (0, "Usage: aiws-bundle check [OPTIONS]")


@pytest.mark.parametrize("args", ["check", "build all --out", "report dist --out record.md"])
def test_the_action_tells_no_folder_that_holds_no_sums(shell: Shell, args: str) -> None:
    (call,) = shell.run(script("action.yml", "Run"), ARGS=args)
    assert call[0] != "summary"
    assert re.fullmatch(r"summary=\S+\n", (shell.folder / "output").read_text())


def test_the_action_fails_as_the_tool_does(shell: Shell) -> None:
    (shell.folder / "dist").mkdir()
    (shell.folder / "dist" / "SHA256SUMS").touch()
    says = "echo done; echo 'a <b>host</b>' >&2; echo '  hint: look there' >&2; return 4"
    done = shell.process(f"aiws-bundle() {{ {says}; }}\n" + script("action.yml", "Run"), ARGS="build all")
    assert (done.returncode, done.stdout) == (4, "done\n")
    assert done.stderr == "a <b>host</b>\n  hint: look there\n"
    page = (shell.folder / "page").read_text()
    assert page.startswith("### Failed with 4\n\nSomething could not be reached: ")
    assert page.endswith("\n\n    $ aiws-bundle build all\n    a <b>host</b>\n      hint: look there\n")
    assert "folder=" not in (shell.folder / "output").read_text(), "what failed made nothing"


@pytest.mark.slow
@pytest.mark.parametrize(
    "env",
    [{}, {"XDG_CACHE_HOME": "{0}/xdg"}, {"XDG_CACHE_HOME": "{0}/xdg", "AIWS_CACHE_DIR": "{0}/own"}],
    ids=["home", "XDG_CACHE_HOME", "AIWS_CACHE_DIR"],
)
def test_what_the_action_caches_is_the_tool_s_own_store(shell: Shell, env: dict[str, str]) -> None:
    env = {name: value.format(shell.folder) for name, value in env.items()}
    done = shell.process("umask 002\n" + script("action.yml", "Find the store"), ARGS="build all", **env)
    assert done.returncode == 0, done.stderr
    told = dict(line.split("=", 1) for line in (shell.folder / "output").read_text().splitlines())
    words = [sys.executable, "-m", "bundler", "cache", "path"]
    made = {"HOME": str(shell.folder), "PATH": os.environ["PATH"], **env}
    asked = subprocess.run(words, env=made, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    assert told["folder"] == asked
    assert Path(asked).stat().st_mode & 0o077 == 0, "a folder that others may write to is refused"
    caches = [step.data["with"] for step in steps() if "actions/cache/" in step.data.get("uses", "")]
    assert [cache["path"] for cache in caches] == ["${{ steps.store.outputs.folder }}/sha256"] * 2
    assert caches[0] == caches[1]
    assert Store(Path(asked)).path("0" * 64).is_relative_to(f"{asked}/sha256")


def test_each_command_line_each_set_of_locks_and_each_tool_has_a_cache_of_its_own(shell: Shell) -> None:
    """A cache never changes, so that of another one would lack files for ever."""

    def key(**env: str) -> str:
        shell.run(script("action.yml", "Find the store"), **env)
        told = (shell.folder / "output").read_text().splitlines()[-1]
        assert re.fullmatch(r"key=aiws-bundle-[0-9a-f]{64}", told)
        return told

    lines = [{"ARGS": "build debian-12"}, {"ARGS": "build\ndebian-12"}, {"COMMAND": "build", "TARGETS": "debian-12"}]
    own = {"COMMAND": "build", "TARGETS": "debian-12", "MANIFESTS": "my own"}
    (shell.folder / "my own" / "locks").mkdir(parents=True)
    (shell.folder / "other" / "locks").mkdir(parents=True)
    first = [*(key(**line) for line in lines), key(**own)]
    assert len(set(first)) == 4
    (shell.folder / "other" / "locks" / "pylock.x.toml").touch()
    assert [key(**line) == before for line, before in zip([*lines, own], first, strict=True)] == [False] * 3 + [True]
    (shell.folder / "my own" / "locks" / "pylock.x.toml").touch()
    second = key(**own)
    (shell.folder / "my own" / "python.yaml").touch()
    tool = shell.folder / "tool" / "bundler"
    tool.mkdir(parents=True)
    (tool / "__init__.py").write_text('__version__ = "9"\n')
    later = [key(**own), key(**own, GITHUB_ACTION_PATH=str(tool.parent))]
    assert len({first[3], second, *later}) == 4


def test_the_tool_s_own_requirements_are_pinned_by_digest_and_current() -> None:
    text = (ROOT / ".github/requirements.txt").read_text()
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\$", text, re.MULTILINE))
    assert text.count("--hash=sha256:") >= len(pins)
    wanted = re.findall(
        r'^  "([a-zA-Z0-9-]+)',
        (ROOT / "pyproject.toml").read_text().split("dependencies = [")[1].split("]")[0],
        re.MULTILINE,
    )
    assert {name.lower() for name in wanted} | {"hatchling"} <= set(pins)


def test_a_rehearsal_that_fails_fails_its_job(shell: Shell) -> None:
    shell.stub("sudo", "exit 1")
    done = shell.process(script(BUNDLE, "Rehearse"), MANIFESTS="manifests", ASSET="x.tar.gz", TARGET="debian-12-amd64")
    assert done.returncode == 1


REHEARSE = load(ROOT / ".github/workflows" / BUNDLE)["jobs"]["rehearse"]


def expression(text: str, matrix: dict[str, str], inputs: dict[str, str]) -> str:
    """What an expression of GitHub's comes to; its `&&` and `||` are Python's."""
    python = text.strip().removeprefix("${{").removesuffix("}}").replace("&&", "and").replace("||", "or")
    python = re.sub(r"(matrix|inputs)\.([a-z0-9-]+)", r"\1['\2']", " ".join(python.split()))
    return str(eval(python, {"__builtins__": {}}, {"matrix": matrix, "inputs": inputs}))


@pytest.mark.parametrize(
    ("distro", "arch", "inputs", "runner"),
    [
        ("debian", "amd64", {}, "ubuntu-24.04"),
        ("ubuntu", "arm64", {}, "ubuntu-24.04-arm"),
        ("macos", "arm64", {}, "macos-15"),
        ("debian", "amd64", {"runner-arm64": "own", "runner-macos": "mac"}, "ubuntu-24.04"),
        ("debian", "arm64", {"runner-arm64": "own", "runner-macos": "mac"}, "own"),
        ("macos", "arm64", {"runner-arm64": "own", "runner-macos": "mac"}, "mac"),
        ("macos", "arm64", {"runner-arm64": "own"}, "macos-15"),
    ],
)
def test_each_target_is_rehearsed_on_a_runner_of_its_kind(
    distro: str, arch: Arch, inputs: dict[str, str], runner: str
) -> None:
    matrix = {"container": image(distro, "12"), "arch": arch, "runner": platform_for(distro).RUNNERS[arch]}
    given = {"runner-arm64": "", "runner-macos": "", **inputs}
    assert expression(REHEARSE["runs-on"], matrix, given) == runner
    taken = [
        step["name"]
        for step in REHEARSE["steps"]
        if "matrix" in step.get("if", "") and expression(step["if"], matrix, given) == "True"
    ]
    assert taken == (["Take the distribution's root", "Rehearse"] if matrix["container"] else ["Rehearse on the host"])


def test_on_a_host_of_its_kind_it_is_rehearsed_by_its_own_user(shell: Shell) -> None:
    shell.stub("sudo", "exit 1")
    (call,) = shell.run(
        script(BUNDLE, "Rehearse on the host"), MANIFESTS="own", ASSET="x.tar.gz", TARGET="macos-11-arm64"
    )
    assert call == ["--manifests", "own", "rehearse", "dist/x.tar.gz", "--json"]
    assert json.loads((shell.folder / "rehearsals" / "macos-11-arm64.json").read_text()) == {}


def test_a_rehearsal_on_the_host_that_fails_fails_its_job(shell: Shell) -> None:
    text = "aiws-bundle() { return 1; }\n" + script(BUNDLE, "Rehearse on the host")
    assert shell.process(text, MANIFESTS="own", ASSET="x.tar.gz", TARGET="macos-11-arm64").returncode == 1


CHECK = "Check that this is what was built"
CHECKS = [step for step in steps() if step.name == CHECK]


@dataclass(frozen=True)
class Artifact:
    """The folder that a job downloaded, and what the build job told of it."""

    folder: Path
    shell: Shell
    told: str

    @classmethod
    def built(cls, shell: Shell) -> Artifact:
        """Two archives, as the real step of the build job leaves them."""
        folder = shell.folder / "dist"
        folder.mkdir()
        for name in ("x.tar.gz", "y.tar.gz"):
            (folder / name).write_bytes(name.encode())
        made = cls(folder, shell, "")
        made.sign()
        shell.run(script(BUNDLE, "Build"), TARGETS="all", MANIFESTS="manifests")
        sums, digest = (shell.folder / "output").read_text().splitlines()
        assert sums.removeprefix("sums=").split()[0] == digest.removeprefix("digest=")
        return cls(folder, shell, sums.removeprefix("sums="))

    def sign(self) -> None:
        lines = [
            f"{hashlib.sha256((self.folder / n).read_bytes()).hexdigest()}  {n}\n" for n in ("x.tar.gz", "y.tar.gz")
        ]
        (self.folder / "SHA256SUMS").write_text("".join(lines))

    def check(self, text: str) -> int:
        return self.shell.process(text, self.folder, SUMS=self.told).returncode


def replaced_by_link(artifact: Artifact, name: str) -> None:
    (artifact.folder / name).rename(artifact.shell.folder / "real")
    (artifact.folder / name).symlink_to(artifact.shell.folder / "real")


def changed_and_listed(artifact: Artifact) -> None:
    (artifact.folder / "x.tar.gz").write_bytes(b"other")
    artifact.sign()


def emptied(artifact: Artifact) -> None:
    for path in artifact.folder.iterdir():
        path.unlink()


def with_folder(artifact: Artifact) -> None:
    (artifact.folder / "sub").mkdir()
    (artifact.folder / "sub" / "x.tar.gz").touch()


FORGED: dict[str, Callable[[Artifact], object]] = {
    "a file more": lambda a: (a.folder / "evil.tar.gz").write_bytes(b"evil"),
    "a hidden file more": lambda a: (a.folder / ".evil").write_bytes(b"evil"),
    "an empty file more": lambda a: (a.folder / "z.tar.gz").touch(),
    "a file in a folder": with_folder,
    "an empty folder": lambda a: (a.folder / "sub").mkdir(),
    "a name with a line break": lambda a: (a.folder / "x.tar.gz\ny.tar.gz").touch(),
    "a file gone": lambda a: (a.folder / "x.tar.gz").unlink(),
    "everything gone": emptied,
    "the sums gone": lambda a: (a.folder / "SHA256SUMS").unlink(),
    "an archive is a link": lambda a: replaced_by_link(a, "x.tar.gz"),
    "the sums are a link": lambda a: replaced_by_link(a, "SHA256SUMS"),
    "a link more": lambda a: (a.folder / "z.tar.gz").symlink_to("x.tar.gz"),
    "a pipe more": lambda a: os.mkfifo(a.folder / "z.tar.gz"),
    "an archive changed": lambda a: (a.folder / "x.tar.gz").write_bytes(b"other"),
    "an archive changed and listed": changed_and_listed,
    "a line fewer": lambda a: (a.folder / "SHA256SUMS").write_text(
        (a.folder / "SHA256SUMS").read_text().splitlines(keepends=True)[0]
    ),
}


KEPT = {"name": "attestation", "path": "attestation"}
ATTESTED = "Check that this is what was attested"


@pytest.mark.parametrize("file", ENVIRONMENTS)
def test_what_was_attested_goes_up_only_as_the_job_that_had_it_signed_left_it(shell: Shell, file: str) -> None:
    jobs = load(ROOT / ".github/workflows" / file)["jobs"]
    names = [step.get("name") for step in jobs["publish"]["steps"]]
    taken = next(i for i, step in enumerate(jobs["publish"]["steps"]) if step.get("with") == KEPT)
    assert names[taken + 1] == ATTESTED and names.index("Publish") > taken
    assert jobs["publish"]["steps"][taken + 1]["env"] == {"SUMS": "${{ needs.attest.outputs.sums }}"}
    assert jobs["attest"]["permissions"] == {"contents": "read", "id-token": "write", "attestations": "write"}
    shell.stub("gh", "echo root")
    (shell.folder / "bundle.json").write_text("bundle")
    done = shell.process(
        script(file, "Keep the attestation, and what verifies it offline"), BUNDLE=str(shell.folder / "bundle.json")
    )
    assert done.returncode == 0, done.stderr
    folder = next(shell.folder.rglob("attestation.sigstore.json")).parent
    told = (shell.folder / "output").read_text().removeprefix("sums<<END\n").removesuffix("END\n")
    assert len(told.splitlines()) == 2

    def check(sums: str) -> int:
        return shell.process(script(file, ATTESTED), folder, SUMS=sums.rstrip("\n")).returncode

    assert check(told) == 0
    assert check("") == 3
    (folder / "more").touch()
    assert check(told) == 3
    (folder / "more").unlink()
    (folder / "trusted_root.jsonl").write_text("another\n")
    assert check(told) == 1


def test_every_job_that_takes_the_build_checks_it_before_anything_else_does() -> None:
    jobs = load(ROOT / ".github/workflows" / BUNDLE)["jobs"]
    takers = [name for name, job in jobs.items() if any("download-artifact" in s.get("uses", "") for s in job["steps"])]
    assert takers == ["rehearse", "attest", "publish", "report"]
    for name in takers:
        taken = [index for index, s in enumerate(jobs[name]["steps"]) if "download-artifact" in s.get("uses", "")]
        more = [jobs[name]["steps"][index]["with"] for index in taken[1:]]  # after the check, and elsewhere
        assert more in ([], [{"pattern": "rehearsal-*", "path": "rehearsals"}, KEPT])
        assert jobs[name]["steps"][taken[0] + 1]["name"] == CHECK
        assert jobs[name]["steps"][taken[0] + 1]["env"] == {"SUMS": "${{ needs.build.outputs.sums }}"}
    assert len({step.run for step in CHECKS}) == 1


@pytest.mark.parametrize("name", FORGED)
def test_what_another_job_put_in_place_of_the_build_is_refused(shell: Shell, name: str) -> None:
    artifact = Artifact.built(shell)
    (text,) = {step.run for step in CHECKS}
    assert artifact.check(text) == 0
    FORGED[name](artifact)
    assert artifact.check(text) in (1, 3)


@pytest.mark.parametrize("sums", ["shasum", "sha256sum"])
def test_what_a_mac_has_is_enough_to_check_it(shell: Shell, sums: str) -> None:
    """Its find knows no -printf, and of the two programs it has one, a small host the other."""
    artifact = Artifact.built(shell)
    own = shell.folder / "own"
    own.mkdir()
    for name in ("bash", "cut", "sort", "diff", "cat", "perl", sums):
        if found := shutil.which(name):
            (own / name).symlink_to(found)
    (own / "find").write_text(f'#!/bin/sh\ncase "$*" in *printf*) exit 1 ;; esac\nexec {shutil.which("find")} "$@"\n')
    (own / "find").chmod(0o755)
    if not (own / sums).exists():
        pytest.skip(f"{sums} is not installed")

    def check() -> int:
        return shell.process(CHECKS[0].run, artifact.folder, SUMS=artifact.told, PATH=str(own)).returncode

    assert check() == 0
    (artifact.folder / "more.tar.gz").touch()
    assert check() == 3
    (artifact.folder / "more.tar.gz").unlink()
    (artifact.folder / "x.tar.gz").write_bytes(b"other")
    assert check() == 1


def test_a_build_job_that_told_nothing_is_refused(shell: Shell) -> None:
    artifact = Artifact.built(shell)
    assert replace(artifact, told="").check(CHECKS[0].run) == 3


def test_exactly_the_listed_files_are_signed() -> None:
    signing = [s for s in steps() if "attest-build-provenance" in s.data.get("uses", "")]
    assert {s.file: s.data["with"]["subject-checksums"] for s in signing} == {
        BUNDLE: "dist/SHA256SUMS",
        "release-offline.yml": "SHA256SUMS",
    }
    assert all(s.data["with"].keys() == {"subject-checksums"} for s in signing)


def test_no_job_unpacks_a_cache() -> None:
    """Its extraction is not confined, and a build from the index takes seconds."""
    ours = [step for step in steps() if step.file != ACTION.name]
    assert not [step for step in ours if "actions/cache" in step.data.get("uses", "")]
    assert not [step for step in ours if "cache" in step.data.get("with", {})]
    assert not [step for step in ours if step.data.get("uses", "").startswith("./") and "with" in step.data]


def test_the_action_unpacks_a_cache_only_where_it_runs_something_and_before_it_installs_the_tool() -> None:
    own = {step.name: step.data for step in steps() if step.file == ACTION.name}
    assert [*own] == ["Set up Python", "Find the store", "Restore the store", "Install", "Run", "Keep the store"]
    runs = "(inputs.command != '' || inputs.args != '') && inputs.cache == 'true'"
    assert own["Find the store"]["if"] == own["Restore the store"]["if"] == runs
    assert own["Keep the store"]["if"] == f"{runs} && steps.restore.outputs.cache-hit != 'true'"
    inputs = load(ACTION)["inputs"]
    assert {name: inputs[name]["default"] for name in ("command", "targets", "manifests", "args")} == dict.fromkeys(
        ("command", "targets", "manifests", "args"), ""
    )


def test_everything_that_is_installed_is_pinned_by_digest() -> None:
    texts = [step.run for step in steps()] + [(ROOT / ".ci/run").read_text()]
    lines = [line for text in texts for line in text.splitlines() if re.search(r"\bpip\b.* install\b", line)]
    assert len(lines) >= 8
    for line in lines:
        assert "--require-hashes -r " in line or "--no-deps --no-build-isolation " in line, line


def test_a_program_of_python_s_own_is_not_looked_up_in_the_checkout() -> None:
    texts = [step.run for step in steps()] + [(ROOT / ".ci/run").read_text()]
    for line in "\n".join(texts).splitlines():
        assert not re.search(r"(python3?|\$PYTHON|\$python)\"? (-m|\.github)", line), line


def test_the_development_requirements_are_pinned_by_digest_current_and_name_no_index() -> None:
    text = (ROOT / ".github/requirements-dev.txt").read_text()
    pins = {
        canonicalize_name(name): version
        for name, version in re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^ ;]+)", text, re.MULTILINE)
    }
    blocks = re.split(r"^(?=[\w.-]+(?:\[[\w,-]+\])?==)", text, flags=re.MULTILINE)[1:]
    assert len(blocks) >= len(pins) > 50
    for block in blocks:
        assert re.fullmatch(r"[^\n]+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+", block), block
    assert "://" not in text
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *project["build-system"]["requires"], *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["dev"], "editables",
    ]  # fmt: skip
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement
    tool = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / ".github/requirements.txt").read_text(), re.MULTILINE))
    assert {name: pins.get(name) for name in tool} == tool, "tested with what releases are made with"


@pytest.fixture
def repository(shell: Shell) -> Path:
    """A clone with locks that were made anew and not committed, one of them new."""
    (shell.folder / "changes.md").write_text("### a\n\n    x 1 -> 2\n")
    git = partial(subprocess.run, check=True, capture_output=True)
    clone = shell.folder / "clone"
    git(["git", "init", "--quiet", "--bare", str(shell.folder / "origin")])
    git(["git", "clone", "--quiet", str(shell.folder / "origin"), str(clone)])
    (clone / "manifests/locks").mkdir(parents=True)
    (clone / "manifests/locks/a").write_text("1")
    git(["git", "-C", str(clone), "add", "."])
    git(["git", "-C", str(clone), "-c", "user.name=x", "-c", "user.email=x@y", "commit", "--quiet", "-m", "first"])
    (clone / "manifests/locks/a").write_text("2")
    (clone / "manifests/locks/b").write_text("new")
    return clone


@pytest.mark.parametrize("number", ["", "7"])
def test_the_locks_go_to_one_pull_request(shell: Shell, repository: Path, number: str) -> None:
    shell.stub("gh", f'[ "$1 $2" != "pr list" ] || echo "{number}"')
    done = shell.process(script("lock-refresh.yml", "Open a pull request"), repository)
    assert done.returncode == 0, done.stderr
    words = ["git", "--git-dir", str(shell.folder / "origin"), "show", "--name-only", "--format=%s", "lock-refresh"]
    shown = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split("\n")
    assert shown[:4] == ["Lock anew", "", "manifests/locks/a", "manifests/locks/b"]
    last = shell.noted("gh")[-1]
    if number:
        assert last[:5] == ["api", "--silent", "--method", "PATCH", "repos/o/r/pulls/7"]
    else:
        assert last[:4] == ["pr", "create", "--head", "lock-refresh"]


def test_no_pull_request_where_no_version_changed(shell: Shell, repository: Path) -> None:
    (shell.folder / "changes.md").write_text("")
    shell.stub("gh")
    done = shell.process(script("lock-refresh.yml", "Open a pull request"), repository)
    assert (done.returncode, done.stdout) == (0, "no version changed\n")
    assert not (shell.folder / "gh").exists()
