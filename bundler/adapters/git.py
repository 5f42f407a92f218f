"""Git, which fetches one commit of a repository that nobody trusts, and runs nothing that the repository brings."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from bundler.adapters.credentials import redact, split, without_user
from bundler.adapters.environment import GIT, find_program
from bundler.adapters.git_pack import LARGEST_PACK, Pack, read_pack
from bundler.adapters.mirror import Mirror, best_mirror
from bundler.adapters.process import Completed, Runner, isolated
from bundler.adapters.retry import TransientError, retrying
from bundler.errors import IntegrityError, UnreachableError, UsageError, WorkError

_FETCH_SECONDS = 600.0
_PACK_SECONDS = 300.0
_ATTEMPTS = 3
_MEMORY = 4 << 30
_FETCHED = "refs/fetched"
# Nothing beside the repository's own file is read. Its protocols are the address's alone: GIT_ALLOW_PROTOCOL.
_ENV = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}
# `unpackLimit`: what comes is one pack, whose size the limit on files bounds. A server that sends too slowly is left.
_CONFIG = """\
[core]
	repositoryformatversion = 0
	bare = true
	hooksPath = /dev/null
	bigFileThreshold = 32m
[fetch]
	fsckObjects = true
	unpackLimit = 1
	recurseSubmodules = false
	writeCommitGraph = false
[transfer]
	bundleURI = false
[protocol]
	version = 2
[http]
	followRedirects = initial
	lowSpeedLimit = 1000
	lowSpeedTime = 30
[gc]
	auto = 0
[maintenance]
	auto = false
[pack]
	compression = 1
	writeBitmapHashCache = false
[repack]
	writeBitmaps = false
"""
# Sets the limits of a program (its memory, the size of a file in bytes), then becomes it.
_LIMITED = """
import os, resource, sys
memory, size = map(int, sys.argv[1:3])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
if sys.platform == "linux":
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
os.execv(sys.argv[3], sys.argv[3:])
"""
# What Git says when a server has not what was asked for; wants to know who asks; sends too much; sends what is wrong.
_GONE = ("not our ref", "unadvertised object", "couldn't find remote ref", "no such remote ref", "upload-pack: not our")
_LOGIN = (
    "not found",
    "terminal prompts disabled",
    "could not read Username",
    "could not read Password",
    "Authentication failed",
)
_TOO_LARGE = ("File too large", "Out of memory", "out of memory", "mmap failed")
_WRONG = ("fsck error", "index-pack", "did not send all necessary", "bad object", "unpack", "bad pack", "not a commit")


@dataclass(frozen=True)
class Fetched:
    """A commit (hex) that was fetched, and the pack that holds it and all that it is made of, whole."""

    commit: str
    pack: Pack


@contextmanager
def fetched(
    address: str, ref: str, mirrors: Sequence[Mirror], env: Mapping[str, str], run: Runner
) -> Iterator[Fetched]:
    """Fetch the commit that `ref` (a branch, tag or commit) is at `address`, without its past; gone after the context.

    Mirrors apply to the address. Raises UnreachableError if Git or the commit cannot be had, IntegrityError if what
    comes is malformed or too large.
    """
    program = _program(env)
    with tempfile.TemporaryDirectory(prefix="aiws-bundle-git-") as folder:
        scratch = _Scratch(Path(folder), program, address, _asked(address, mirrors), env, run)
        commit = scratch.fetch(ref)
        yield Fetched(commit, scratch.whole_pack())


def changes(folder: Path, env: Mapping[str, str], run: Runner) -> list[str]:
    """What Git finds changed, missing or untracked in a checkout of ours: a line each, as `git status` tells it.

    Raises UnreachableError if Git is not there, WorkError if it takes the folder for no checkout.
    """
    program = _program(env)
    words = [program, "-C", str(folder), "status", "--porcelain", "--untracked-files=all"]
    done = run(
        words,
        {**GIT.of(env), **_ENV, "HOME": str(folder.parent), "GIT_CEILING_DIRECTORIES": str(folder.parent)},
        _PACK_SECONDS,
    )
    if done.code:
        raise WorkError(f"git cannot read the checkout that was made: {' '.join(done.errors.split())[-600:]}")
    return done.output.splitlines()


def _program(env: Mapping[str, str]) -> str:
    program = find_program("git", env)
    if program is None:
        raise UnreachableError("git is not installed", "install git: repositories are fetched with it")
    return program


class _Scratch:
    """A bare repository of this run: nothing in it but what is written here, and what is fetched."""

    def __init__(
        self, folder: Path, program: str, address: str, asked: str, env: Mapping[str, str], run: Runner
    ) -> None:
        self._program, self._folder, self._run, self._shown = program, folder / "repository", run, redact(address)
        self._where = f" (asked for at {redact(asked)})" if asked != address else ""
        scheme = asked.partition(":")[0]
        self._env = {**GIT.of(env), **_ENV, "HOME": str(folder), "GIT_ALLOW_PROTOCOL": scheme}
        if env.get("SSL_CERT_FILE"):
            self._env.setdefault("GIT_SSL_CAINFO", str(Path(env["SSL_CERT_FILE"]).absolute()))
        for name in ("objects", "refs"):
            (self._folder / name).mkdir(parents=True)
        (self._folder / "HEAD").write_text("ref: refs/heads/none\n", encoding="utf-8")
        (self._folder / "config").write_text(_CONFIG + _remote(asked), encoding="utf-8")

    def fetch(self, ref: str) -> str:
        """Fetch `ref`; return its commit. Raises UnreachableError, IntegrityError."""
        retrying(lambda: self._fetch(ref), _ATTEMPTS)
        done = self._git(_PACK_SECONDS, "rev-parse", "--verify", "--quiet", f"{_FETCHED}^{{commit}}")
        commit = done.output.strip()
        if done.code or len(commit) != 40:
            raise IntegrityError(f"{self._shown}: {ref} is no commit{self._where}", "name a branch, a tag or a commit")
        return commit

    def _fetch(self, ref: str) -> None:
        done = self._git(
            _FETCH_SECONDS, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules",
            "--no-write-fetch-head", "origin", f"+{ref}:{_FETCHED}",
        )  # fmt: skip
        if done.code:
            raise self._failure(ref, done)

    def whole_pack(self) -> Pack:
        """One pack of everything that was fetched, no object told by its difference from another."""
        done = self._git(_PACK_SECONDS, "repack", "-a", "-d", "-f", "-n", "-q", "--depth=0", "--window=0")
        packs = sorted((self._folder / "objects" / "pack").glob("*.pack"))
        if done.code or len(packs) != 1:
            raise self._failure("what was fetched", done)
        return read_pack(packs[0], self._shown)

    def _git(self, seconds: float, *words: str) -> Completed:
        command = isolated("-c", _LIMITED, str(_MEMORY), str(LARGEST_PACK))
        try:
            return self._run([*command, self._program, f"--git-dir={self._folder}", *words], self._env, seconds)
        except WorkError as error:
            raise UnreachableError(f"{self._shown}: git {words[0]}: {error.message}", "is the server slow?") from error

    def _failure(self, ref: str, done: Completed) -> IntegrityError | UnreachableError:
        said = " ".join(done.errors.replace(str(self._folder), "").split())[-600:]
        about = f"{self._shown}: {ref}{self._where}"
        if any(words in said for words in _TOO_LARGE):
            return IntegrityError(f"{about}: larger than {LARGEST_PACK} bytes, or than memory allows: {said}")
        if any(words in said for words in _GONE):
            hint = "was it deleted, or pushed over? Lock again, or give a --mirror that still has it"
            return UnreachableError(f"{about}: the repository does not have it (any more)", hint)
        if any(words in said for words in _LOGIN):
            hint = "only public repositories are fetched; a --mirror may name a user: https://USER:TOKEN@HOST/"
            return UnreachableError(f"{about}: there is no such repository, or it wants to know who asks", hint)
        if any(words in said for words in _WRONG):
            return IntegrityError(f"{about}: what the server sent is malformed: {said}")
        return TransientError(f"{about}: git cannot fetch it: {said}", "is the address right, and reachable?")


def _asked(address: str, mirrors: Sequence[Mirror]) -> str:
    """Where an address is asked for. Raises UsageError if that makes no sense to Git."""
    mirror = best_mirror(mirrors, address)
    asked = mirror.applied(address) if mirror else address
    if asked.partition(":")[0] not in ("https", "http", "file") or not asked.isprintable():
        raise UsageError(f"{redact(asked)} is no address of a repository", "check --mirror and AIWS_MIRRORS")
    return asked


def _remote(asked: str) -> str:
    """The part of a configuration that says where to fetch from, and as whom: arguments would be public."""
    try:
        parts = split(asked)
    except ValueError as error:
        raise UsageError(f"{redact(asked)} is not an address", "check --mirror and AIWS_MIRRORS") from error
    if parts.username is None:
        return f'[remote "origin"]\n\turl = {_quoted(asked)}\n'
    plain = without_user(parts)
    login = base64.b64encode(f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()).decode()
    header = _quoted(f"Authorization: Basic {login}")
    # Led elsewhere, Git would tell the header there too.
    only = f"[http {_quoted(plain)}]\n\textraHeader = {header}\n[http]\n\tfollowRedirects = false\n"
    return f'[remote "origin"]\n\turl = {_quoted(plain)}\n{only}'


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
