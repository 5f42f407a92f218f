"""The workflows: pinned, with few rights, nothing expanded into shell, and every call of ours one that exists."""

from __future__ import annotations

import hashlib
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

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTION = ROOT / "action.yml"
_VALUES = {
    "GITHUB_REPOSITORY": "o/r",
    "TAG": "runtime-0123456789ab",
    "FOLDER": "dist",
    "TARGET": "debian-12-amd64",
    "GITHUB_SHA": "0123456789ab" + "0" * 28,
    "ASSET": "x.tar.gz",
    "before": "2026-11-20",
    "RUNNER_TEMP": "/tmp",
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
            yield from (Step(path.name, name, data) for data in job["steps"])
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


def test_there_are_the_four_workflows_and_the_action() -> None:
    names = ["ci.yml", "lock-refresh.yml", "release-bundle.yml", "release-offline.yml"]
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
        assert "timeout-minutes" in job, name


@pytest.mark.parametrize(("file", "makes"), [("release-bundle.yml", "build"), ("release-offline.yml", "assemble")])
def test_only_publish_may_change_a_release(file: str, makes: str) -> None:
    jobs = load(ROOT / ".github/workflows" / file)["jobs"]
    writers = [name for name, job in jobs.items() if job["permissions"].get("contents") == "write"]
    assert writers == ["publish"]
    assert jobs["publish"]["environment"] == "release"
    assert {"rehearse", makes, "attest"} <= set(jobs["publish"]["needs"])


@pytest.mark.parametrize(
    "step", [s for s in steps() if "uses" in s.data], ids=lambda s: f"{s.file}-{s.data['uses'][:30]}"
)
def test_every_action_is_pinned_by_commit(step: Step) -> None:
    assert step.data["uses"] == "./" or re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", step.data["uses"])


def test_every_pin_tells_its_version() -> None:
    for path in (*WORKFLOWS, ACTION):
        for line in path.read_text().splitlines():
            if "uses: " in line and "@" in line:
                assert re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_one_action_has_one_pin() -> None:
    pins = {step.data["uses"] for step in steps() if "@" in step.data.get("uses", "")}
    assert len(pins) == len({pin.partition("@")[0] for pin in pins})


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
    place = next(index for index, word in enumerate(words) if word in cli.list_commands(context))
    assert set(words[:place]) <= _SHARED
    command = cli.get_command(context, words[place])
    assert command is not None, line
    command.make_context(words[place], words[place + 1 :])


def test_enough_calls_were_found() -> None:
    used = {line.split()[0] for _, line in calls()}
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
    words = [str(zizmor), "--offline", "--no-progress", "--persona", "pedantic", ".github", "action.yml"]
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
    calls = shell.run(script("release-bundle.yml", "Plan"), TAG=given, SELECTORS="debian-12 arm64")
    assert (shell.folder / "output").read_text() == f"tag={tag}\nmatrix={{}}\n"
    assert calls == [["targets", "--github-matrix", "--component", "litellm", "--", "debian-12", "arm64"]]


@pytest.mark.parametrize("name", ["Plan", "Build"])
def test_no_selector_is_an_option(shell: Shell, name: str) -> None:
    (shell.folder / "dist").mkdir()
    (shell.folder / "dist" / "SHA256SUMS").touch()
    first, *_ = shell.run(script("release-bundle.yml", name), TAG="", SELECTORS="all --mirror=https://a/=https://b/")
    assert first[-3:] == ["--", "all", "--mirror=https://a/=https://b/"]


@pytest.mark.parametrize("channel", ["", "latest-runtime"])
def test_publish_asks_for_what_was_built(shell: Shell, channel: str) -> None:
    evil = "debian-12 $(touch evil)"
    (call,) = shell.run(script("release-bundle.yml", "Publish"), TAG="v1", SELECTORS=evil, CHANNEL=channel)
    assert not (shell.folder / "evil").exists()
    assert call[:3] == ["publish", "dist", "--repo"]
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
    (call,) = shell.run(script("release-bundle.yml", "Report"), TAG="v1")
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
    ("args", "folder"),
    [
        ("build all", "dist"),
        ("build all --out some/where", "some/where"),
        ("--json build --out=where all", "where"),
        ("build\nall\n--out\nmy folder\n", "my folder"),
    ],
)
def test_the_action_tells_the_folder_and_its_sums(shell: Shell, args: str, folder: str) -> None:
    (shell.folder / folder).mkdir(parents=True)
    (shell.folder / folder / "SHA256SUMS").touch()
    shell.run(script("action.yml", "Run"), ARGS=args)
    assert (shell.folder / "output").read_text() == f"folder={folder}\nsums={folder}/SHA256SUMS\n"
    outputs = load(ACTION)["outputs"]
    assert {name: output["value"] for name, output in outputs.items()} == {
        name: f"${{{{ steps.run.outputs.{name} }}}}" for name in ("folder", "sums")
    }
    assert [step.name for step in steps() if step.data.get("id") == "run"] == ["Run"]


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
    shell.run(script("action.yml", "Run"), ARGS=args)
    assert not (shell.folder / "output").exists()


def test_the_action_fails_as_the_tool_does(shell: Shell) -> None:
    (shell.folder / "dist").mkdir()
    (shell.folder / "dist" / "SHA256SUMS").touch()
    failing = "aiws-bundle() { return 4; }\n" + script("action.yml", "Run")
    assert shell.process(failing, ARGS="build all").returncode == 4
    assert not (shell.folder / "output").exists()


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
    (cache,) = [step for step in steps() if "actions/cache@" in step.data.get("uses", "")]
    assert cache.data["with"]["path"] == "${{ steps.store.outputs.folder }}/sha256"
    assert Store(Path(asked)).path("0" * 64).is_relative_to(f"{asked}/sha256")


def test_each_command_line_of_the_action_has_a_cache_of_its_own(shell: Shell) -> None:
    """A cache never changes, so that of another command line would lack files for ever."""
    keys = set()
    for args in ("build debian-12", "build debian-13", "build\ndebian-13"):
        shell.run(script("action.yml", "Find the store"), ARGS=args)
        keys.add((shell.folder / "output").read_text().splitlines()[-1])
    assert len(keys) == 3
    assert all(re.fullmatch(r"key=aiws-bundle-[0-9a-f]{64}", key) for key in keys)


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
    done = shell.process(script("release-bundle.yml", "Rehearse"), ASSET="x.tar.gz", TARGET="debian-12-amd64")
    assert done.returncode == 1


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
        shell.run(script("release-bundle.yml", "Build"), SELECTORS="all")
        return cls(folder, shell, (shell.folder / "output").read_text().strip().removeprefix("sums="))

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


def test_every_job_that_takes_the_build_checks_it_before_anything_else_does() -> None:
    jobs = load(ROOT / ".github/workflows/release-bundle.yml")["jobs"]
    takers = [name for name, job in jobs.items() if any("download-artifact" in s.get("uses", "") for s in job["steps"])]
    assert takers == ["rehearse", "attest", "publish", "report"]
    for name in takers:
        taken = [index for index, s in enumerate(jobs[name]["steps"]) if "download-artifact" in s.get("uses", "")]
        more = [jobs[name]["steps"][index]["with"] for index in taken[1:]]  # after the check, and elsewhere
        assert more in ([], [{"pattern": "rehearsal-*", "path": "rehearsals"}])
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


def test_a_build_job_that_told_nothing_is_refused(shell: Shell) -> None:
    artifact = Artifact.built(shell)
    assert replace(artifact, told="").check(CHECKS[0].run) == 3


def test_exactly_the_listed_files_are_signed() -> None:
    signing = [s for s in steps() if "attest-build-provenance" in s.data.get("uses", "")]
    assert {s.file: s.data["with"]["subject-checksums"] for s in signing} == {
        "release-bundle.yml": "dist/SHA256SUMS",
        "release-offline.yml": "SHA256SUMS",
    }
    assert all(s.data["with"].keys() == {"subject-checksums"} for s in signing)


def test_no_job_unpacks_a_cache() -> None:
    """Its extraction is not confined, and a build from the index takes seconds."""
    ours = [step for step in steps() if step.file != ACTION.name]
    assert not [step for step in ours if "actions/cache" in step.data.get("uses", "")]
    assert not [step for step in ours if "cache" in step.data.get("with", {})]
    assert not [step for step in ours if step.data.get("uses") == "./" and "args" in step.data.get("with", {})]


def test_the_action_unpacks_a_cache_only_with_args_and_before_it_installs_the_tool() -> None:
    names = [step.name for step in steps() if step.file == ACTION.name]
    assert names == ["Set up Python", "Find the store", "Restore the store", "Install", "Run"]
    for step in steps():
        if step.file == ACTION.name and step.name in ("Find the store", "Restore the store"):
            assert step.data["if"] == "inputs.args != '' && inputs.cache == 'true'"
    assert load(ACTION)["inputs"]["args"]["default"] == ""


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
        canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==([^ ;]+)", text, re.MULTILINE)
    }
    blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
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
