"""npm, which resolves npm packages and knows which registry they come from."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bundler.adapters.environment import NPM, find_program, search_path
from bundler.adapters.http import redact
from bundler.adapters.process import Completed, Runner
from bundler.adapters.regular import read_regular
from bundler.errors import IntegrityError, UnreachableError, UsageError
from bundler.model.json_text import parse_json

_TIMEOUT_SECONDS = 180.0
_LARGEST_LOCK = 16 << 20
_NO_NPM = "install npm, or set npm_config_registry to your npm registry"
# Nothing that a package brings is run, and the file tells where each package is, whatever npmrc says.
_LOCK_WORDS = (
    "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier",
    "--omit-lockfile-registry-resolved=false", "--lockfile-version=3", "--fetch-retries=1",
)  # fmt: skip


@dataclass(frozen=True)
class Resolved:
    """A package as npm resolved it: where it is to be installed, and what its file must be; its licence, if it says.

    `os`, `cpu` and `libc` are the platforms that it is for, as package.json spells them, if not all; `optional` says
    that npm does without it; `shrinkwrap`, that it brings a lock of its own.
    """

    name: str
    version: str
    at: str
    path: str
    integrity: str
    license: str = ""
    os: tuple[str, ...] = ()
    cpu: tuple[str, ...] = ()
    libc: tuple[str, ...] = ()
    optional: bool = False
    shrinkwrap: bool = False


@dataclass(frozen=True)
class Lacking:
    """An optional package that the registry does not have: what wants it, its name, and which versions would do."""

    wanted_by: str
    name: str
    versions: str


@dataclass(frozen=True)
class Tree:
    """A package and everything that it depends on, on any platform, by their places."""

    packages: tuple[Resolved, ...]
    lacking: tuple[Lacking, ...]


def find_registry(env: Mapping[str, str], run: Runner) -> str:
    """Return the address of the npm registry, with a slash at its end: npm_config_registry, else what npm says.

    Raises UnreachableError if neither is there.
    """
    variables = {name.lower(): value for name, value in env.items()}
    address = variables.get("npm_config_registry", "").strip()
    if not address:
        done = run([_program(env), "config", "get", "registry"], NPM.of(env), _TIMEOUT_SECONDS)
        address = _last_line(done)
    return _registry(address)


def default_registry(env: Mapping[str, str], run: Runner) -> str:
    """Return the address of the registry that an npm asks that nobody configured, with a slash at its end.

    Raises UnreachableError if npm is not there or does not say.
    """
    with blank_settings(env) as settings:
        # A cache folder or a project's npmrc, of the folder that npm would be started in, has no say either.
        words = ["config", "get", "registry", f"--prefix={settings['HOME']}"]
        return _registry(_last_line(run([_program(env), *words], settings, _TIMEOUT_SECONDS)))


@contextmanager
def blank_settings(env: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """What npm is given to act as one that nobody configured: no variable of it, and a home of its own, empty."""
    with tempfile.TemporaryDirectory(prefix="aiws-bundle-npm-") as home:
        files = {f"npm_config_{name}": str(Path(home, name)) for name in ("userconfig", "globalconfig")}
        yield {"PATH": search_path(env), "HOME": home, **files}


def resolve_package(name: str, version: str, registry: str, env: Mapping[str, str], run: Runner) -> list[Resolved]:
    """Return an npm package and everything it depends on, in the order of their places; nothing is installed.

    Raises UnreachableError if npm is not there or cannot resolve, IntegrityError if what it wrote makes no sense, or
    a package is for some platforms only.
    """
    packages = resolve_tree(name, version, registry, NPM.of(env), run).packages
    for one in packages:
        if one.optional or one.os or one.cpu:
            raise IntegrityError(f"npm wrote a lock of {name} {version} that makes no sense: {one.at} is optional")
    return list(packages)


def resolve_tree(
    name: str, version: str, registry: str, env: Mapping[str, str], run: Runner, words: Sequence[str] = ()
) -> Tree:
    """Return an npm package and everything it depends on, on any platform; nothing is installed.

    `env` is what npm is given beside the registry's address, `words` further arguments. Raises UnreachableError if npm
    is not there or cannot resolve, IntegrityError if what it wrote makes no sense.
    """
    program = _program(env)
    with tempfile.TemporaryDirectory(prefix="aiws-bundle-npm-") as folder:
        project = {"name": "locked", "version": "0.0.0", "private": True, "dependencies": {name: version}}
        (Path(folder) / "package.json").write_text(json.dumps(project), encoding="utf-8")
        # By environment, not argument: the registry's address may hold a password, and arguments are public.
        told = {**env, "npm_config_registry": registry, "npm_config_loglevel": "error"}
        done = run([program, f"--prefix={folder}", *_LOCK_WORDS, *words], told, _TIMEOUT_SECONDS)
        if done.code:
            lines = [line for line in done.errors.splitlines() if "complete log" not in line and "_logs" not in line]
            said = " ".join(" ".join(lines[:4]).split()).replace(registry, redact(registry)).replace(folder, "")
            raise UnreachableError(f"npm cannot resolve {name} {version}: {said}", "is the npm registry reachable?")
        lock = Path(folder) / "package-lock.json"
        try:
            document = parse_json(read_regular(lock, _LARGEST_LOCK), _LARGEST_LOCK)
            found = document.get("packages") if isinstance(document, dict) else None
            entries = {str(at): facts for at, facts in (found if isinstance(found, dict) else {}).items()}
            packages = sorted(_packages(entries, registry), key=lambda package: package.at)
            return Tree(tuple(packages), tuple(_lacking(entries)))
        except (OSError, UsageError, ValueError) as error:
            raise IntegrityError(f"npm wrote a lock of {name} {version} that makes no sense: {error}") from error


def _packages(entries: Mapping[str, object], registry: str) -> Iterator[Resolved]:
    for at, facts in entries.items():
        if not at:  # the project itself
            continue
        if not isinstance(facts, dict) or facts.get("link"):
            raise ValueError(f"{at} is no package")
        if facts.get("inBundle"):  # stands inside of another package's file
            continue
        name = str(facts.get("name") or at.rpartition("node_modules/")[2])
        version, found, integrity = (str(facts.get(word, "")) for word in ("version", "resolved", "integrity"))
        # Where every npm registry keeps a package's file, unless it says otherwise.
        usual = f"{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
        path = found.removeprefix(registry) if found.startswith(registry) else usual
        yield Resolved(
            name,
            version,
            at,
            path,
            integrity,
            str(facts.get("license") or ""),
            os=_words(facts.get("os")),
            cpu=_words(facts.get("cpu")),
            libc=_words(facts.get("libc")),
            optional=bool(facts.get("optional")),
            shrinkwrap=bool(facts.get("hasShrinkwrap")),
        )


def _lacking(entries: Mapping[str, object]) -> Iterator[Lacking]:
    """The optional packages that npm found nothing for, which it says nothing of."""
    for at, facts in entries.items():
        wanted = facts.get("optionalDependencies") if isinstance(facts, dict) else None
        for name, versions in (wanted if isinstance(wanted, dict) else {}).items():
            if not any(f"{above}node_modules/{name}" in entries for above in _above(at)):
                yield Lacking(at.rpartition("node_modules/")[2], str(name), str(versions))


def _above(at: str) -> Iterator[str]:
    """The places whose `node_modules` Node.js looks into for what stands at one, from there up."""
    while at:
        yield f"{at}/"
        at = at.rpartition("node_modules/")[0].rstrip("/")
    yield ""


def _words(value: object) -> tuple[str, ...]:
    """A package's platforms, which it may write as one word."""
    words = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(str(word) for word in words)


def _last_line(done: Completed) -> str:
    if done.code:
        raise UnreachableError("npm's configuration cannot be read", "`npm config get registry` says why")
    return done.output.strip().rpartition("\n")[2]


def _registry(address: str) -> str:
    if urlsplit(address).scheme not in ("https", "http"):
        raise UnreachableError(f"npm's registry {redact(address)!r} is not an address", _NO_NPM)
    return address.rstrip("/") + "/"


def _program(env: Mapping[str, str]) -> str:
    program = find_program("npm", env)
    if program is None:
        raise UnreachableError("npm is not installed", _NO_NPM)
    return program
