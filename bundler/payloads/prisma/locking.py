"""From a manifest's database choice to exact pins: the Prisma CLI from npm, the engines from where they are built."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import TypeAdapter, ValidationError

from bundler.adapters.digest import sha256_of
from bundler.adapters.gunzip import gunzip
from bundler.adapters.http import Http, MissingError, redact
from bundler.adapters.npm import Resolved, resolve_package
from bundler.adapters.process import run
from bundler.adapters.store import Blob, Store
from bundler.errors import IntegrityError, LockError, UnreachableError
from bundler.model.locked_wheel import LockedWheel
from bundler.model.metadata import read_wheel
from bundler.model.pin import Pin
from bundler.model.target import Target
from bundler.payloads.payload import Choice, Pinned
from bundler.payloads.prisma.choice import CLI, CLIENT, ENGINES, Database, EngineName, Engines, platform_of
from bundler.payloads.prisma.engine_check import check_engines
from bundler.payloads.prisma.pins import (
    REVISION,
    LockedClient,
    LockedDatabase,
    LockedEngine,
    MadeWheel,
    NpmPackage,
    Parts,
)
from bundler.payloads.prisma.wheel import LARGEST_ENGINE, filename_of, write_wheel
from bundler.platforms import named
from bundler.progress import Silent
from bundler.session import Network, Session, fetch_one

_LARGEST_CHECKSUM = 4096
# The whole Prisma CLI is 13 MB, unpacked.
_LARGEST_NPM_PACKAGE = 128 << 20
# A host that cannot be reached is given up sooner than one in the middle of a download.
_ATTEMPTS = 2
_CHECKSUM = re.compile(r"([0-9a-fA-F]{64})(\s.*)?", re.DOTALL)
_UNSAID = "not said"
_OF_AN_ADDRESS = re.compile(r"^https?://\S+: ")
_HINT = "lock again later; if it stays so, whoever serves that file changed it"


def lock_engines(
    target: Target, engines: Engines, http: Http, store: Store, check: Callable[[Mapping[EngineName, Path]], None]
) -> tuple[LockedEngine, ...]:
    """Pin both engines for the target's platform, each checked against the checksum beside it.

    `check` is given the programs, by name. Raises LockError if there are none for the platform, or they are no programs
    for it, UnreachableError, IntegrityError.
    """
    platform = platform_of(target)
    try:
        files = {name: _fetched(name, engines.address_of(platform, name), http, store) for name in ENGINES}
    except MissingError as error:
        raise LockError(
            f"{target.name}: there are no Prisma engines for the platform {platform}: {error.message}",
            "check this target's openssl in targets.yaml, and database.engines in the component's manifest",
        ) from error
    with TemporaryDirectory(prefix="aiws-bundle-engines-") as folder:
        programs = {name: Path(folder, name) for name in ENGINES}
        for name, program in programs.items():
            with program.open("wb") as out:
                out.writelines(gunzip(files[name], f"Prisma's {name}", LARGEST_ENGINE))
        check(programs)
        return tuple(
            LockedEngine(
                name,
                engines.address_of(platform, name),
                path.stat().st_size,
                path.name,
                sha256_of(programs[name]),
            )
            for name, path in files.items()
        )


def _fetched(name: EngineName, address: str, http: Http, store: Store) -> Path:
    """Where an engine's gzip file is in the store, under its digest."""
    listed = http.read(f"{address}.sha256", _LARGEST_CHECKSUM, _ATTEMPTS).decode("utf-8", "replace").strip()
    match = _CHECKSUM.fullmatch(listed)
    if match is None:
        raise IntegrityError(f"{redact(address)}.sha256 holds no SHA-256: {listed[:100]!r}", _HINT)
    with Silent().task("", 0) as task:
        return store.fetch(Blob(f"Prisma's {name}", match.group(1).lower(), None), iter([address]), http, task)


def lock_packages(resolved: Sequence[Resolved], read: Callable[[str], bytes]) -> tuple[NpmPackage, ...]:
    """Pin npm packages by size and SHA-256; `read` gives the file at a path below the registry.

    Raises IntegrityError if a file is not what npm's integrity says, or npm's words are not those of a package.
    """
    return tuple(_package(one, read) for one in resolved)


def _package(resolved: Resolved, read: Callable[[str], bytes]) -> NpmPackage:
    def pinned(size: int, sha256: str, license: str) -> NpmPackage:
        # Through the class's own rules: npm's words are as little trusted as any.
        words = {"name": resolved.name, "version": resolved.version, "at": resolved.at, "path": resolved.path}
        facts = {**words, "size": size, "sha256": sha256, "integrity": resolved.integrity, "license": license}
        try:
            return TypeAdapter(NpmPackage).validate_python(facts)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise IntegrityError(
                f"npm resolved {resolved.at[:200]!r} to what is no package: {where}: {first['msg']}"
            ) from error

    said = resolved.license or _UNSAID
    pinned(1, "0" * 64, said)  # before anything is asked for at an address of npm's making
    content = read(resolved.path)
    actual = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if f"sha512-{actual}" != resolved.integrity:
        raise IntegrityError(
            f"npm package {resolved.name} {resolved.version}: SHA-512 mismatch\n"
            f"  expected {_hex(resolved.integrity)}\n  actual   {hashlib.sha512(content).hexdigest()}",
            _HINT,
        )
    return pinned(len(content), hashlib.sha256(content).hexdigest(), said)


def _hex(integrity: str) -> str:
    try:
        return base64.b64decode(integrity.removeprefix("sha512-")).hex()
    except binascii.Error:
        return integrity


class Databases:
    """Locks database support: npm is asked once a run, and a host that is down is not asked again."""

    def __init__(self, session: Session, network: Network) -> None:
        self._session, self._store, self._network = session, session.store(), network
        self._packages: dict[tuple[str, str], tuple[NpmPackage, ...]] = {}
        self._made: dict[tuple[Parts, LockedClient], MadeWheel] = {}
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
                return self._parts(choice, target), ""
            except UnreachableError as error:
                self._down = error
                # Without the address of the first that was asked for: each target's own is told.
                why = _OF_AN_ADDRESS.sub("", error.message)
                return old, "" if old else f"{choice.lacking(target)}: {why}; {choice.remedy(target)}"

    def settle(
        self, pinned: Pinned, target: Target, wheels: Sequence[LockedWheel]
    ) -> tuple[Pinned, Sequence[LockedWheel]]:
        """Put the wheel that is made in the place of Prisma Client Python's own.

        Raises LockError if that is not among `wheels`, or not what the patch is for; UnreachableError, IntegrityError.
        """
        found = next((wheel for wheel in wheels if wheel.project == CLIENT), None)
        if not isinstance(pinned, Parts) or found is None:
            raise LockError(
                f"{target.name}: a database is asked for, but nothing requires {CLIENT}",
                f"require {CLIENT}, or no database",
            )
        client = LockedClient.of(found)
        if not isinstance(pinned, LockedDatabase) or pinned.client != client:
            pinned = self._locked(pinned, client, target)
        return pinned, [pinned.made if wheel is found else wheel for wheel in wheels]

    def _parts(self, chosen: Database, target: Target) -> Parts:
        """Pin the engines and the CLI. Raises LockError, UnreachableError, IntegrityError."""
        engines = lock_engines(
            target,
            chosen.engines,
            self._network.http,
            self._store,
            lambda programs: check_engines(programs, target, chosen.engines.commit, self._session),
        )
        npm = self._npm(CLI, chosen.prisma_cli)
        platform, node = platform_of(target), chosen.node == "wheel"
        try:
            return Parts(chosen.prisma_cli, chosen.engines.commit, platform, engines, npm, node)
        except ValueError as error:
            raise IntegrityError(f"npm resolved {CLI} {chosen.prisma_cli} to something else: {error}") from error

    def _locked(self, pinned: Parts, client: LockedClient, target: Target) -> LockedDatabase:
        """The pins and what is made of them. Targets of one platform share it."""
        names = [one.name for one in fields(Parts)]
        parts = Parts(**{name: getattr(pinned, name) for name in names})
        with self._one_at_a_time:
            if (parts, client) not in self._made:
                self._made[parts, client] = self._make(parts, client, target)
            return LockedDatabase(
                **{name: getattr(parts, name) for name in names}, client=client, wheel=self._made[parts, client]
            )

    def _make(self, parts: Parts, client: LockedClient, target: Target) -> MadeWheel:
        for pin in (Pin.of_wheel(client.wheel), *parts.pins()):
            fetch_one(pin, self._store, self._network)
        platform, arch = named(target.platform)
        name = filename_of(client, platform.own_tag(arch, target.floor))
        with TemporaryDirectory(prefix="aiws-bundle-prisma-") as folder:
            path = Path(folder, name)
            with path.open("wb") as file:
                write_wheel(parts, client, name, self._store.path, file)
            with path.open("rb") as file:
                read_wheel(file, name, digests=False)  # names of npm's may be none that a wheel can hold
            made = MadeWheel(REVISION, name, path.stat().st_size, sha256_of(path))
            self._store.join(Blob(name, made.sha256, made.size), [path])
        return made

    def _npm(self, name: str, version: str) -> tuple[NpmPackage, ...]:
        if (name, version) not in self._packages:
            registry = self._network.registry_address
            resolved = resolve_package(name, version, registry, self._session.env, run)
            self._packages[name, version] = lock_packages(resolved, self._read)
        return self._packages[name, version]

    def _read(self, path: str) -> bytes:
        return self._network.http.read(self._network.registry + path, _LARGEST_NPM_PACKAGE)
