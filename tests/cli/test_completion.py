"""Words that shells complete: of the manifests at hand, at once, and never an error; in the real bash, zsh and fish."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler import cli
from bundler.cli import completing
from bundler.kinds.manifests import Manifests
from bundler.platforms import NAMES
from tests.world import PYTHON, TARGETS, WHEELHOUSE

PROGRAM = Path(sys.executable).with_name("aiws-bundle")
CONSOLE = """\
kind: prebuilt
component: console
repository: acme/console
tag: v2
asset: c-{os}-{arch}.tar.gz
targets: [linux-amd64]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with manifests, a lock of a release, and git tags."""
    folder = tmp_path / "manifests"
    (folder / "locks").mkdir(parents=True)
    for name, text in {"targets": TARGETS, "litellm": WHEELHOUSE, "console": CONSOLE, "python": PYTHON}.items():
        (folder / f"{name}.yaml").write_text(text)
    (folder / "locks" / "assets.console.toml").write_text('tag = "v1.9"\n')
    (tmp_path / "dist").mkdir()
    (tmp_path / "some file.tar.gz").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tagged(here: Path) -> Path:
    """The same in a repository that has tags."""
    git = ["git", "-C", str(here), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (
        ["init", "-q"], ["remote", "add", "origin", "git@github.com:acme/here.git"],
        ["commit", "-q", "--allow-empty", "-m", "x"], ["tag", "runtime-0123456789ab"],
    ):  # fmt: skip
        subprocess.run([*git, *words], check=True, capture_output=True)
    return here


def fit(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What fits at the end of a line."""
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", line.rpartition(" ")[2])
    assert completing.answer("bash_complete") == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out.splitlines()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("aiws-bundle ver", ["verify"]),
        ("aiws-bundle build debian-12", ["debian-12", "debian-12-amd64", "debian-12-arm64"]),
        ("aiws-bundle build debian-12-amd64 debian-12-a", ["debian-12-arm64"]),
        ("aiws-bundle lock --component ", ["console", "litellm"]),
        ("aiws-bundle lock --component=lite", ["litellm"]),
        ("aiws-bundle --manifests nowhere lock --component ", []),
        ("aiws-bundle publish dist --targets lin", ["linux", "linux-amd64", "linux-arm64"]),
        ("aiws-bundle publish dist --repo acme", ["acme/console"]),
        ("aiws-bundle publish dist --tag ", ["v1.9", "v2"]),
        ("aiws-bundle verify acme/console@v", ["acme/console@v1.9", "acme/console@v2"]),
        ("aiws-bundle cache p", ["path", "prune"]),
        ("aiws-bundle build --no-", ["--no-progress"]),
        ("aiws-bundle schema t", ["targets", "trust"]),
        ("aiws-bundle completion ", ["bash", "zsh", "fish"]),
        ("aiws-bundle build 'deb", ["debian", "debian-amd64", "debian-arm64", "debian-12", "debian-12-amd64",
                                    "debian-12-arm64", "debian-13", "debian-13-amd64", "debian-13-arm64"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_fits(
    here: Path, line: str, expected: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = line.replace("'", "")
    assert fit(line, monkeypatch, capsys) == [f"plain,{one}" for one in expected]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("verify ", "file"),
        ("verify dist/", "file"),
        ("rehearse x", "file"),
        ("build --out ", "dir"),
        ("diff x", "file"),
    ],
)
def test_paths_are_the_shells_own(
    here: Path, line: str, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(f"aiws-bundle {line}", monkeypatch, capsys) == [f"{kind},{line.rpartition(' ')[2]}"]


def test_selectors_are_those_that_build_takes(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = Manifests.parse({p.name: p.read_text() for p in (here / "manifests").glob("*.yaml")}).targets
    words = {word for target in known for word in target.words}
    shown = {line.removeprefix("plain,") for line in fit("aiws-bundle build ", monkeypatch, capsys)}
    assert shown >= words
    assert shown - words <= {word for name in NAMES for word in (name, name.split("-")[0])}


@pytest.mark.parametrize(
    "text", ["[", "distros: 3", "{}", "distros: {a: [1]}\narches: x", "\0", "a: &a [*a]"], ids=ascii
)
def test_manifests_that_are_wrong_complete_nothing(
    here: Path, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("targets", "console"):
        (here / "manifests" / f"{name}.yaml").write_text(text)
    assert fit("aiws-bundle build deb", monkeypatch, capsys) == []
    assert fit("aiws-bundle publish --tag v", monkeypatch, capsys) == []


def test_no_word_is_a_command_to_a_shell(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("$(touch x)", "a;b", "a b", "a\x1b[2J", "`x`"):
        (here / "manifests" / f"{name}.yaml").write_text(WHEELHOUSE)
    assert fit("aiws-bundle lock --component ", monkeypatch, capsys) == ["plain,console", "plain,litellm"]


@pytest.mark.parametrize("instruction", ["", "bash", "tcsh_complete", "bash_source", "zsh_complete_x"])
def test_what_is_no_question_has_no_answer(instruction: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert completing.answer(instruction) == 0
    assert capsys.readouterr() == ("", "")


def test_a_completer_that_fails_says_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(completing, "command_line", fails)
    assert fit("aiws-bundle b", monkeypatch, capsys) == []


@pytest.mark.parametrize("shell", completing.SHELLS)
def test_a_script_names_the_program_and_reads_on_a_reader(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["completion", shell]) == 0
    assert "_AIWS_BUNDLE_COMPLETE=" in capsys.readouterr().out
    assert cli.run(["completion", "tcsh"]) == 2


@pytest.mark.slow
def test_an_answer_loads_no_command_and_takes_little(tagged: Path) -> None:
    env = {
        **os.environ,
        "COMP_WORDS": "aiws-bundle build d",
        "COMP_CWORD": "d",
        "_AIWS_BUNDLE_COMPLETE": "bash_complete",
    }
    code = "import sys; from bundler.cli import _completed; _completed(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "plain,debian-12-amd64" in loaded
    assert {"bundler.commands", "bundler.kinds", "pydantic", "rich", "httpx", "cryptography"}.isdisjoint(loaded)
    taken = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([PROGRAM], env=env, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(taken) < 0.15


def path_with_program() -> str:
    return f"{PROGRAM.parent}:/usr/bin:/bin"


BASH = r"""
eval "$(aiws-bundle completion bash)" || exit
compopt() { echo "compopt $*"; }
COMP_LINE=$1 COMP_POINT=${#1}
read -ra COMP_WORDS <<< "$1"
_aiws_bundle_completion aiws-bundle
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("aiws-bundle build debian-13", ["debian-13", "debian-13-amd64", "debian-13-arm64"]),
        ("aiws-bundle lock --component=li", ["litellm"]),
        ("aiws-bundle verify acme/here@", ["runtime-0123456789ab"]),
        ("aiws-bundle verify dis", ["compopt -o", "default", ""]),
        ("aiws-bundle sign --d", ["--date"]),
        ("aiws-bundle nonsense x", [""]),
    ],
)
def test_bash(tagged: Path, line: str, expected: list[str]) -> None:
    env = {"PATH": path_with_program(), "HOME": str(tagged)}
    words = ["bash", "--norc", "-c", BASH, "bash", line]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == expected


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish(tagged: Path) -> None:
    env = {"PATH": path_with_program(), "HOME": str(tagged)}

    def asked(line: str) -> list[str]:
        code = f"aiws-bundle completion fish | source; complete -C '{line}'"
        done = subprocess.run(["fish", "--no-config", "-c", code], env=env, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return [one.partition("\t")[0] for one in done.stdout.splitlines()]

    assert asked("aiws-bundle build debian-13-") == ["debian-13-amd64", "debian-13-arm64"]
    assert asked("aiws-bundle verify acme/here@r") == ["acme/here@runtime-0123456789ab"]
    assert "dist/" in asked("aiws-bundle verify di")
    assert asked("aiws-bundle nonsense x") == []


class Pty:
    """A shell that somebody types into."""

    def __init__(self, words: list[str], env: dict[str, str]) -> None:
        self._near, far = os.openpty()
        self._process = subprocess.Popen(words, env=env, stdin=far, stdout=far, stderr=far, start_new_session=True)
        os.close(far)
        os.set_blocking(self._near, False)
        self.seen = ""

    def type(self, text: str, until: str) -> None:
        """Type a text, and wait until another is seen after it."""
        start = len(self.seen)
        os.write(self._near, text.encode())
        end = time.monotonic() + 30
        while until not in self.seen[start:]:
            assert time.monotonic() < end, self.seen[start:]
            try:
                self.seen += os.read(self._near, 1 << 16).decode(errors="replace")
            except BlockingIOError:
                time.sleep(0.02)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._near)


@pytest.fixture
def zsh(tagged: Path) -> Iterator[Pty]:
    env = {"PATH": path_with_program(), "HOME": str(tagged), "TERM": "dumb", "PS1": "> ", "LC_ALL": "C"}
    shell = Pty(["zsh", "-f", "-i"], env)
    yield shell
    shell.close()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh(zsh: Pty) -> None:
    setup = "autoload -U compinit; compinit -u -d ~/.zcompdump; unsetopt zle_bracketed_paste; "
    zsh.type(setup + 'eval "$(aiws-bundle completion zsh)"; echo read""y\n', "ready")
    zsh.type("aiws-bundle verify acme/here@run\t", "acme/here@runtime-0123456789ab")
    zsh.type("\x15aiws-bundle build debian-13-am\t", "debian-13-amd64")
    zsh.type("\x15aiws-bundle lock --component li\t", "litellm")
    assert "Traceback" not in zsh.seen
