"""Files of a revision of the repository that a folder is in: nothing is checked out, fetched or run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bundler.adapters.environment import GIT, find_program
from bundler.adapters.process import Completed, Runner
from bundler.errors import UnreachableError, UsageError, WorkError

_SECONDS = 60.0
_LARGEST_FILE = 16 << 20
_LARGEST = 64 << 20
_MOST_FILES = 2000
# A commit that is not here is not fetched (a partial clone would): no protocol is allowed. The person's own settings
# say whose repositories are safe; no other program is started for reading objects.
_ENV = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "LC_ALL": "C",
}
_FILES = ("100644", "100755")
_OWN = GIT.and_more(paths="HOME XDG_CONFIG_HOME")


class Repository:
    """The git repository that a folder is in."""

    def __init__(self, folder: Path, env: Mapping[str, str], run: Runner) -> None:
        """Start nothing yet. Raises UnreachableError if git is not installed."""
        program = find_program("git", env)
        if program is None:
            raise UnreachableError("git is not installed", "install git: revisions are read with it")
        self._words = [program, "-C", str(folder.absolute()), "--no-pager"]
        self._env, self._run = {**_OWN.of(env), **_ENV}, run

    def prefix(self) -> str | None:
        """Where the folder is below the repository's top, "" for the top itself; None if it is in no repository."""
        done = self._git("rev-parse", "--show-prefix")
        if "dubious ownership" in done.errors:
            hint = "only its owner reads it, unless git's setting safe.directory names it"
            raise UsageError("the repository belongs to another user, so git does not read it", hint)
        return None if done.code else done.output.removesuffix("\n").removesuffix("/")

    def commit(self, revision: str) -> str | None:
        """The commit (hex) that a revision names, or None if it names none here."""
        if revision.startswith("-") or not revision.isprintable():
            return None
        done = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        found = done.output.strip()
        return None if done.code or found.startswith("^") else found  # `^HEAD` is all that HEAD does not hold

    def tags(self, most: int) -> list[str]:
        """The names of its newest tags, at most so many."""
        words = ("--sort=-creatordate", f"--count={most}", "--format=%(refname:lstrip=2)", "refs/tags")
        return self._git("for-each-ref", *words).output.split()

    def origin(self) -> str:
        """The address of the remote called origin; "" if there is none."""
        return self._git("config", "--get", "remote.origin.url").output.strip()

    def texts(self, commit: str, folder: str, wanted: Callable[[str], bool]) -> dict[str, str]:
        """The texts of the `wanted` files of a commit, by their paths below one of its folders ("": the top).

        Raises UsageError for what is too much or no text, WorkError if git cannot read it.
        """
        place = f"{folder}/" if folder else ""
        done = self._git("ls-tree", "-r", "-z", "-l", "--full-tree", commit, "--", *([place] if place else []))
        if done.code:
            raise self._failure(commit, done)
        found: dict[str, tuple[str, int]] = {}
        for line in filter(None, done.output.split("\0")):
            facts, _, path = line.partition("\t")
            mode, _, name, size = facts.split()
            if mode in _FILES and path.startswith(place) and wanted(path.removeprefix(place)):
                if not size.isdecimal():  # BAD: the object is not here
                    raise self._failure(commit, done)
                found[path.removeprefix(place)] = name, int(size)
        sizes = [size for _, size in found.values()]
        if len(found) > _MOST_FILES or sum(sizes) > _LARGEST or max(sizes, default=0) > _LARGEST_FILE:
            raise UsageError(f"{commit[:12]}:{folder} holds more than manifests and locks do", "name the right folder")
        return dict(zip(found, self._blobs(commit, list(found.values())), strict=True))

    def _blobs(self, commit: str, blobs: Sequence[tuple[str, int]]) -> list[str]:
        """The texts of objects, each a name and a size, which git gives one after the other."""
        if not blobs:
            return []
        done = self._git("show", "--no-textconv", *(name for name, _ in blobs))
        content = done.output.encode()
        if done.code:
            raise self._failure(commit, done)
        if len(content) != sum(size for _, size in blobs):
            raise UsageError(f"{commit[:12]}: a manifest or lock is not UTF-8 text", "name another revision")
        texts, start = [], 0
        for _, size in blobs:
            texts.append(content[start : start + size].decode("utf-8", "replace"))
            start += size
        return texts

    def _git(self, *words: str) -> Completed:
        return self._run([*self._words, *words], self._env, _SECONDS)

    def _failure(self, commit: str, done: Completed) -> WorkError:
        hint = "is it all here? `git fetch` brings what a partial clone left out"
        return WorkError(f"git cannot read {commit[:12]}: {' '.join(done.errors.split())[-600:]}", hint)
