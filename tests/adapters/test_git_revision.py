"""Files of a revision, read by the real git from a repository of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.adapters import git_revision
from bundler.adapters.git_revision import Repository
from bundler.adapters.process import run
from bundler.errors import UnreachableError, UsageError, WorkError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed"),
]


def git(folder: Path, *words: str) -> str:
    names = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    own = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "GIT_CONFIG_NOSYSTEM": "1", **names}
    done = subprocess.run(["git", "-C", str(folder), *words], env=own, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose first commit has two files in `a/`, and whose second another and a link."""
    folder = tmp_path / "repository"
    (folder / "a" / "locks").mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "a" / "x.yaml").write_text("first: é\n", encoding="utf-8")
    (folder / "a" / "locks" / "y.toml").write_text("lock", encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")
    (folder / "a" / "x.yaml").write_text("second", encoding="utf-8")
    (folder / "a" / "link.yaml").symlink_to("x.yaml")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "two")
    (folder / "a" / "x.yaml").write_text("not committed", encoding="utf-8")
    return folder


@pytest.fixture
def opened(repository: Path, tmp_path: Path) -> Repository:
    return Repository(repository / "a", {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, run)


def every(path: str) -> bool:
    return True


def test_files_are_as_they_were_committed_and_links_are_none(opened: Repository) -> None:
    first, second = opened.commit("HEAD~1"), opened.commit("main")
    assert first
    assert second
    assert opened.prefix() == "a"
    assert opened.texts(first, "a", every) == {"locks/y.toml": "lock", "x.yaml": "first: é\n"}
    assert opened.texts(second, "", every) == {"a/locks/y.toml": "lock", "a/x.yaml": "second"}
    assert opened.texts(second, "a", lambda path: path == "x.yaml") == {"x.yaml": "second"}
    assert opened.texts(second, "nothing", every) == {}


@pytest.mark.parametrize(
    "word", ["nope", "", "--help", "-h", "HEAD:a/x.yaml", "HEAD\0", "HEAD\n", ":/", "..", "@{u}", "^HEAD"]
)
def test_what_names_no_commit_is_none(opened: Repository, word: str) -> None:
    assert opened.commit(word) is None


def test_a_folder_in_no_repository_is_in_none(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    assert Repository(tmp_path, env, run).prefix() is None


def test_without_git_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="git is not installed"):
        Repository(tmp_path, {"PATH": str(tmp_path)}, run)


def test_nothing_that_the_repository_or_its_tree_configures_is_run(
    repository: Path, opened: Repository, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    (repository / "a" / ".gitattributes").write_text("* filter=evil diff=evil\n", encoding="utf-8")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "three")
    for key in ("filter.evil.smudge", "diff.evil.textconv", "core.pager", "core.fsmonitor", "diff.external"):
        git(repository, "config", key, f"touch {ran}; cat")
    commit = opened.commit("HEAD")
    assert commit
    assert opened.texts(commit, "a", every)
    assert not ran.exists()


def test_what_is_too_much_or_no_text_is_refused(
    repository: Path, opened: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "a" / "bad.yaml").write_bytes(b"\xff\xfe")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "three")
    commit = opened.commit("HEAD")
    assert commit
    with pytest.raises(UsageError, match="not UTF-8"):
        opened.texts(commit, "a", every)
    limits: list[Callable[[], None]] = [
        lambda: monkeypatch.setattr(git_revision, "_MOST_FILES", 2),
        lambda: monkeypatch.setattr(git_revision, "_LARGEST_FILE", 5),
    ]
    for limit in limits:
        with monkeypatch.context():
            limit()
            with pytest.raises(UsageError, match="more than manifests and locks"):
                opened.texts(commit, "a", every)


def test_a_commit_of_which_something_is_missing_is_told(repository: Path, opened: Repository) -> None:
    commit = opened.commit("HEAD")
    assert commit
    blob = git(repository, "rev-parse", "HEAD:a/x.yaml").strip()
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(WorkError, match="git cannot read"):
        opened.texts(commit, "a", every)
