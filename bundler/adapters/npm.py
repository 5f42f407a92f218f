"""npm, which resolves npm packages and knows which registry they come from."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bundler.adapters.environment import NPM, find_program
from bundler.adapters.http import redact
from bundler.adapters.process import Runner
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
    """A package as npm resolved it: where it is to be installed, and what its file must be; its licence, if it says."""

    name: str
    version: str
    at: str
    path: str
    integrity: str
    license: str = ""


def find_registry(env: Mapping[str, str], run: Runner) -> str:
    """Return the address of the npm registry, with a slash at its end: npm_config_registry, else what npm says.

    Raises UnreachableError if neither is there.
    """
    variables = {name.lower(): value for name, value in env.items()}
    address = variables.get("npm_config_registry", "").strip()
    if not address:
        done = run([_program(env), "config", "get", "registry"], NPM.of(env), _TIMEOUT_SECONDS)
        address = done.output.strip().rpartition("\n")[2]
        if done.code:
            raise UnreachableError("npm's configuration cannot be read", "`npm config get registry` says why")
    if urlsplit(address).scheme not in ("https", "http"):
        raise UnreachableError(f"npm's registry {redact(address)!r} is not an address", _NO_NPM)
    return address.rstrip("/") + "/"


def resolve_package(name: str, version: str, registry: str, env: Mapping[str, str], run: Runner) -> list[Resolved]:
    """Return an npm package and everything it depends on, in the order of their places; nothing is installed.

    Raises UnreachableError if npm is not there or cannot resolve, IntegrityError if what it wrote makes no sense.
    """
    program = _program(env)
    with tempfile.TemporaryDirectory(prefix="aiws-bundle-npm-") as folder:
        project = {"name": "locked", "version": "0.0.0", "private": True, "dependencies": {name: version}}
        (Path(folder) / "package.json").write_text(json.dumps(project), encoding="utf-8")
        # By environment, not argument: the registry's address may hold a password, and arguments are public.
        told = {**NPM.of(env), "npm_config_registry": registry, "npm_config_loglevel": "error"}
        done = run([program, f"--prefix={folder}", *_LOCK_WORDS], told, _TIMEOUT_SECONDS)
        if done.code:
            lines = [line for line in done.errors.splitlines() if "complete log" not in line and "_logs" not in line]
            said = " ".join(" ".join(lines[:4]).split()).replace(registry, redact(registry)).replace(folder, "")
            raise UnreachableError(f"npm cannot resolve {name} {version}: {said}", "is the npm registry reachable?")
        lock = Path(folder) / "package-lock.json"
        try:
            document = parse_json(read_regular(lock, _LARGEST_LOCK), _LARGEST_LOCK)
            return sorted(_packages(document, registry), key=lambda package: package.at)
        except (OSError, UsageError, ValueError) as error:
            raise IntegrityError(f"npm wrote a lock of {name} {version} that makes no sense: {error}") from error


def _packages(document: object, registry: str) -> Iterator[Resolved]:
    packages = document.get("packages") if isinstance(document, dict) else None
    for at, facts in (packages if isinstance(packages, dict) else {}).items():
        if not at:  # the project itself
            continue
        if not (isinstance(facts, dict) and not facts.get("link")):
            raise ValueError(f"{at} is no package")
        if facts.get("optional") or facts.get("os") or facts.get("cpu"):
            raise ValueError(f"{at} is for some platforms only")
        name = str(facts.get("name") or at.rpartition("node_modules/")[2])
        version, found, integrity = (str(facts.get(word, "")) for word in ("version", "resolved", "integrity"))
        # Where every npm registry keeps a package's file, unless it says otherwise.
        usual = f"{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
        path = found.removeprefix(registry) if found.startswith(registry) else usual
        yield Resolved(name, version, at, path, integrity, str(facts.get("license") or ""))


def _program(env: Mapping[str, str]) -> str:
    program = find_program("npm", env)
    if program is None:
        raise UnreachableError("npm is not installed", _NO_NPM)
    return program
