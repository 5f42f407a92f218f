"""uv, which resolves requirements for machines other than this one."""

from __future__ import annotations

import re
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from bundler.adapters.environment import UV
from bundler.adapters.http import redact
from bundler.adapters.process import Runner
from bundler.errors import LockError, UnreachableError
from bundler.model.interpreter import Interpreter
from bundler.platforms import named

_TIMEOUT_SECONDS = 600.0
# How uv says that it is the network, not the requirements.
_UNREACHABLE = ("Failed to fetch", "error sending request", "Could not connect", "Request failed after")


# What keeps uv from a solution, in its words and in ours; the first that is found is the cause, all else follows.
_CAUSES = (
    (re.compile(r"Because (\S+) was not found in the package registry"), "{} is not on the index"),
    (re.compile(r"Because there (?:is|are) no versions? of (\S+)"), "{} is not on the index"),
    (re.compile(r"Because (?:only )?(\S+) has no (?:usable )?wheels"), "{} has no wheel for the target"),
    (re.compile(r"does not satisfy (Python\S+)"), "it requires {}"),
)
_LONGEST_CAUSE = 200


def in_one_line(reason: str) -> str:
    """What a LockError of `resolve` says, in one line: the first cause."""
    text = " ".join(reason.split())
    found = [(match.start(), words.format(match[1])) for cause, words in _CAUSES if (match := cause.search(text))]
    rest = text.partition("cause: " if "cause: " in text else "cannot be resolved ")[2] or text
    cause = min(found)[1] if found else rest.partition(", we can")[0]
    return cause if len(cause) <= _LONGEST_CAUSE else f"{cause[:_LONGEST_CAUSE]}…"


class Resolver:
    """`uv pip compile` for a foreign interpreter."""

    def __init__(self, run: Runner, env: Mapping[str, str], index: str) -> None:
        from uv import find_uv_bin

        self._run, self._uv, self._index = run, find_uv_bin(), index
        # By environment, not argument: an index address may hold a password, and arguments are public.
        self._env = {**UV.of(env), "UV_DEFAULT_INDEX": index, "NO_COLOR": "1"}
        self._version, self._asking = "", threading.Lock()

    def version(self) -> str:
        """`uv 0.13.9`; it is asked once, whichever thread needs it first."""
        with self._asking:
            if not self._version:
                said = self._run([self._uv, "--version"], self._env, 60.0).output
                self._version = " ".join(said.split()[:2])
            return self._version

    def resolve(
        self,
        subject: str,
        requirements: Sequence[str],
        python: Interpreter,
        constraints: Sequence[str],
        exclude_newer: str,
        preferences: str | None,
        projects: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """Return a PEP 751 lock with every wheel that may serve each package that `requirements` lead to on `python`.

        Files do not count that were uploaded later than `exclude_newer` ("": never mind when), or, of some `projects`,
        than these say; nor do then those of which the index tells no time. `preferences` is such a lock whose versions
        are kept where they still fit; errors name `subject`. Raises LockError with uv's reasons.
        """
        with tempfile.TemporaryDirectory(prefix="aiws-bundle-lock-") as name:
            folder = Path(name)
            wanted, limits, output = folder / "wanted.txt", folder / "limits.txt", folder / "pylock.toml"
            wanted.write_text("".join(f"{line}\n" for line in requirements), encoding="utf-8")
            limits.write_text("".join(f"{line}\n" for line in constraints), encoding="utf-8")
            if preferences is not None:
                output.write_text(preferences, encoding="utf-8")
            platform, _ = named(python.platform)
            env = {**self._env, **platform.resolver_environment(python.floor)}
            done = self._run(
                [*self._argv(python, wanted, limits, output), *_until(exclude_newer, projects)], env, _TIMEOUT_SECONDS
            )
            if done.code:
                reason = f"{subject}: cannot be resolved\n{self._cleaned(done.errors, folder)}"
                if any(words in done.errors for words in _UNREACHABLE):
                    raise UnreachableError(reason, "is the index reachable? see docs/store.md")
                raise LockError(reason)
            return output.read_text(encoding="utf-8")

    def _argv(self, python: Interpreter, wanted: Path, limits: Path, output: Path) -> list[str]:
        platform, arch = named(python.platform)
        return [
            self._uv, "pip", "compile", str(wanted),
            "--constraints", str(limits),
            "--python-platform", platform.resolver_word(arch, python.floor),
            "--python-version", python.version,
            "--python", sys.executable,
            "--only-binary", ":all:",
            "--generate-hashes",
            "--format", "pylock.toml",
            "--output-file", str(output),
            "--no-python-downloads", "--no-config", "--no-header", "--quiet",
        ]  # fmt: skip

    def _cleaned(self, text: str, folder: Path) -> str:
        """Uv's words without this run's folder and the index's credentials."""
        parts = urlsplit(self._index)
        secretless = text.replace(str(folder), "").replace(self._index, redact(self._index))
        if parts.username:
            secretless = secretless.replace(parts.netloc, urlsplit(redact(self._index)).netloc)
        # A token may stand where the user's name does; uv may show either spelling of what is percent-encoded.
        for secret in filter(None, {parts.password or parts.username, unquote(parts.password or parts.username or "")}):
            secretless = secretless.replace(secret, "****")
        return re.sub(r"^\s*$\n?", "", secretless, flags=re.MULTILINE).rstrip()


def _until(exclude_newer: str, projects: Mapping[str, str]) -> list[str]:
    general = ["--exclude-newer", exclude_newer] if exclude_newer else []
    return [*general, *(w for pair in projects.items() for w in ("--exclude-newer-package", "=".join(pair)))]
