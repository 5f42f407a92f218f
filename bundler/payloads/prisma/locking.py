"""From a manifest's database choice to exact pins: the Prisma CLI from npm, the engines from where they are built."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import threading
from collections.abc import Callable, Sequence

from pydantic import TypeAdapter, ValidationError

from bundler.adapters.http import Http, MissingError, redact
from bundler.adapters.npm import Resolved, resolve_package
from bundler.adapters.process import run
from bundler.adapters.store import Blob, Store
from bundler.errors import IntegrityError, LockError, UnreachableError
from bundler.model.target import Target
from bundler.payloads.payload import Choice, Pinned
from bundler.payloads.prisma.choice import CLI, ENGINES, Database, EngineName, Engines, platform_of
from bundler.payloads.prisma.pins import LockedDatabase, LockedEngine, NpmPackage
from bundler.progress import Silent
from bundler.session import Network, Session

_LARGEST_CHECKSUM = 4096
# The whole Prisma CLI is 13 MB, unpacked.
_LARGEST_NPM_PACKAGE = 128 << 20
# A host that cannot be reached is given up sooner than one in the middle of a download.
_ATTEMPTS = 2
_CHECKSUM = re.compile(r"([0-9a-fA-F]{64})(\s.*)?", re.DOTALL)
_HINT = "lock again later; if it stays so, whoever serves that file changed it"


def lock_engines(target: Target, engines: Engines, http: Http, store: Store) -> tuple[LockedEngine, ...]:
    """Pin both engines for the target's platform, each checked against the checksum beside it.

    Raises LockError if there are none for the platform, UnreachableError, IntegrityError.
    """
    platform = platform_of(target)
    try:
        return tuple(_engine(name, engines.address_of(platform, name), http, store) for name in ENGINES)
    except MissingError as error:
        raise LockError(
            f"{target.name}: there are no Prisma engines for the platform {platform}: {error.message}",
            "check this target's openssl in targets.yaml, and database.engines in the component's manifest",
        ) from error


def _engine(name: EngineName, address: str, http: Http, store: Store) -> LockedEngine:
    listed = http.read(f"{address}.sha256", _LARGEST_CHECKSUM, _ATTEMPTS).decode("utf-8", "replace").strip()
    match = _CHECKSUM.fullmatch(listed)
    if match is None:
        raise IntegrityError(f"{redact(address)}.sha256 holds no SHA-256: {listed[:100]!r}", _HINT)
    digest = match.group(1).lower()
    with Silent().task("", 0) as task:
        path = store.fetch(Blob(f"Prisma's {name}", digest, None), iter([address]), http, task)
    return LockedEngine(name, address, path.stat().st_size, digest)


def lock_packages(resolved: Sequence[Resolved], read: Callable[[str], bytes]) -> tuple[NpmPackage, ...]:
    """Pin npm packages by size and SHA-256; `read` gives the file at a path below the registry.

    Raises IntegrityError if a file is not what npm's integrity says, or npm's words are not those of a package.
    """
    return tuple(_package(one, read) for one in resolved)


def _package(resolved: Resolved, read: Callable[[str], bytes]) -> NpmPackage:
    def pinned(size: int, sha256: str) -> NpmPackage:
        # Through the class's own rules: npm's words are as little trusted as any.
        words = {"name": resolved.name, "version": resolved.version, "at": resolved.at, "path": resolved.path}
        facts = {**words, "size": size, "sha256": sha256, "integrity": resolved.integrity}
        try:
            return TypeAdapter(NpmPackage).validate_python(facts)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise IntegrityError(
                f"npm resolved {resolved.at[:200]!r} to what is no package: {where}: {first['msg']}"
            ) from error

    pinned(1, "0" * 64)  # before anything is asked for at an address of npm's making
    content = read(resolved.path)
    actual = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if f"sha512-{actual}" != resolved.integrity:
        raise IntegrityError(
            f"npm package {resolved.name} {resolved.version}: SHA-512 mismatch\n"
            f"  expected {_hex(resolved.integrity)}\n  actual   {hashlib.sha512(content).hexdigest()}",
            _HINT,
        )
    return pinned(len(content), hashlib.sha256(content).hexdigest())


def _hex(integrity: str) -> str:
    try:
        return base64.b64decode(integrity.removeprefix("sha512-")).hex()
    except binascii.Error:
        return integrity


def lock_database(
    chosen: Database,
    target: Target,
    http: Http,
    store: Store,
    packages_of: Callable[[str, str], tuple[NpmPackage, ...]],
) -> LockedDatabase:
    """Pin all that a database choice needs on a target. `packages_of` locks an npm package.

    Raises LockError, UnreachableError, IntegrityError.
    """
    engines = lock_engines(target, chosen.engines, http, store)
    npm = packages_of(CLI, chosen.prisma_cli)
    try:
        return LockedDatabase(chosen.prisma_cli, chosen.engines.commit, platform_of(target), engines, npm)
    except ValueError as error:
        raise IntegrityError(f"npm resolved {CLI} {chosen.prisma_cli} to something else: {error}") from error


class Databases:
    """Locks database support: npm is asked once a run, and a host that is down is not asked again."""

    def __init__(self, session: Session, network: Network) -> None:
        self._env, self._store, self._network = session.env, session.store(), network
        self._packages: dict[tuple[str, str], tuple[NpmPackage, ...]] = {}
        self._down: UnreachableError | None = None
        self._one_at_a_time = threading.Lock()

    def lock(self, choice: Choice, target: Target, old: Pinned | None, *, keep: bool) -> tuple[Pinned | None, str]:
        """Return the pins, or None and why there are none: something could not be reached. Raises other errors."""
        if not isinstance(choice, Database):
            return None, ""
        if not isinstance(old, LockedDatabase) or not old.serves(choice, target):
            old = None
        if old and keep:
            return old, ""
        with self._one_at_a_time:
            try:
                if self._down:
                    raise self._down
                return lock_database(choice, target, self._network.http, self._store, self._npm), ""
            except UnreachableError as error:
                self._down = error
                return old, "" if old else f"{choice.lacking(target)}: {error.message}"

    def _npm(self, name: str, version: str) -> tuple[NpmPackage, ...]:
        if (name, version) not in self._packages:
            registry = self._network.registry_address
            resolved = resolve_package(name, version, registry, self._env, run)
            self._packages[name, version] = lock_packages(resolved, self._read)
        return self._packages[name, version]

    def _read(self, path: str) -> bytes:
        return self._network.http.read(self._network.registry + path, _LARGEST_NPM_PACKAGE)
