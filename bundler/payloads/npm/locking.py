"""From named npm packages to exact pins: npm resolves, each file is fetched once and checked, npm shows that they do.

Each package that is named is resolved by itself, as it is installed by itself; all that any of them needs is locked.
In the end npm resolves each again, without a network, from nothing but the cache that was made.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from bundler.adapters.cache_folder import NOTES
from bundler.adapters.digest import sha256_of
from bundler.adapters.environment import NPM
from bundler.adapters.http import TransientError, redact, retrying
from bundler.adapters.npm import Resolved, Tree, blank_settings, default_registry, resolve_tree
from bundler.adapters.own_folder import is_plain, private_folder
from bundler.adapters.process import run
from bundler.adapters.regular import read_regular
from bundler.adapters.store import Blob, Store
from bundler.errors import IntegrityError, LockError, UnreachableError
from bundler.model.target import Target
from bundler.payloads.npm.cache import integrity
from bundler.payloads.npm.choice import CPUS, LIBC, OS, VERSION_PATTERN, NpmPackages, name_and_version
from bundler.payloads.npm.description import PackageJson
from bundler.payloads.npm.locked import LockedNpm, Metadata, listing
from bundler.payloads.npm.metadata import read_metadata, write_metadata
from bundler.payloads.npm.pins import LARGEST_PACKAGE, MOST_PACKAGES, PLACE, Closure, LeftOut, LockedPackage
from bundler.session import Network, Session

# npm at work takes a processor, and a host of its own asks as many questions at once as a registry likes.
_NPMS_AT_ONCE = 4
_AS_INSTALLED = (
    "--include=optional", "--include=peer", "--legacy-peer-deps=false", "--strict-peer-deps=false",
    "--install-strategy=hoisted", "--global=false", "--engine-strict=false",
)  # fmt: skip
_HINT = "lock again later; if it stays so, whoever serves that file changed it"
_LATER = re.compile(VERSION_PATTERN)

_T = TypeVar("_T", LockedPackage, LeftOut)
_Found = Mapping[tuple[str, str], tuple[Resolved, tuple[str, ...]]]


def lock_packages(choice: NpmPackages, target: Target, session: Session, network: Network) -> LockedNpm:
    """Pin what npm needs to install the chosen packages on a target, each by itself.

    Raises LockError, UnreachableError, IntegrityError.
    """
    roots = tuple(sorted(choice.packages))
    trees = _trees(roots, target, session, network)
    found, left_out = _sorted_out(trees, choice, target)
    store = session.store()
    with TemporaryDirectory(prefix="aiws-bundle-npm-") as folder:
        fetcher = _Fetcher(session, network, store, Path(folder))
        with ThreadPoolExecutor(session.jobs, "npm") as pool:
            packages = tuple(pool.map(fetcher.locked, *zip(*found.values(), strict=True)))
        closure = Closure(roots, *_without_foreign(packages, left_out, target, store))
        locked = _with_metadata(closure, session, store, Path(folder))
        _show(locked, target, session, store, Path(folder, "cache"))
    return locked


def _trees(roots: Sequence[str], target: Target, session: Session, network: Network) -> Mapping[str, Tree]:
    """What npm resolves each root to, by its name."""
    registry, told = network.registry_address, NPM.of(session.env)

    def tree(spec: str) -> Tree:
        try:
            return resolve_tree(*name_and_version(spec), registry, told, run, _as_on(target))
        except UnreachableError as error:
            if "EBADPLATFORM" in error.message:
                hint = "if it is, lock on a host of that processor: npm refuses what this one needs and cannot run"
                raise LockError(f"{spec} is not for {target.name}: {error.message}", hint) from error
            raise

    with ThreadPoolExecutor(_NPMS_AT_ONCE, "npm") as pool:
        return dict(zip([name_and_version(spec)[0] for spec in roots], pool.map(tree, roots), strict=True))


def _as_on(target: Target) -> tuple[str, ...]:
    """What tells npm to do as it does on a target unless somebody configured it otherwise."""
    return (*_AS_INSTALLED, f"--os={OS}", f"--cpu={CPUS[target.arch]}", f"--libc={LIBC}")


def _sorted_out(
    trees: Mapping[str, Tree], choice: NpmPackages, target: Target
) -> tuple[_Found, Mapping[tuple[str, str], LeftOut]]:
    """What is shipped and what is not, by name and version, each with the roots that need it."""
    needed: dict[tuple[str, str], tuple[Resolved, set[str]]] = {}
    for root, tree in trees.items():
        for one in tree.packages:
            first, by = needed.setdefault((one.name, one.version), (one, set()))
            if (first.integrity, first.path) != (one.integrity, one.path):
                raise IntegrityError(
                    f"npm package {one.name} {one.version} is one file for {min(by)}, another for {root}"
                )
            by.add(root)
    if len(needed) > MOST_PACKAGES:
        raise LockError(f"npm resolved to {len(needed)} packages; at most {MOST_PACKAGES} are locked")
    found: dict[tuple[str, str], tuple[Resolved, tuple[str, ...]]] = {}
    left_out: dict[tuple[str, str], LeftOut] = {}
    for key, (one, by) in sorted(needed.items()):
        roots = tuple(sorted(by))
        if one.name not in choice.without and _fits(one, target):
            found[key] = one, roots
        elif one.optional:
            left_out[key] = _checked(LeftOut, name=one.name, version=one.version, roots=roots, **_platforms(one))
        else:
            raise LockError(
                f"npm package {one.name} {one.version}, which {roots[0]} needs, is not for {target.name}, or left out",
                "see `without` in the manifest, and whether the package is for Linux",
            )
    _check_lacking(trees, choice, target, left_out)
    return found, left_out


def _check_lacking(
    trees: Mapping[str, Tree], choice: NpmPackages, target: Target, left_out: dict[tuple[str, str], LeftOut]
) -> None:
    """Optional packages that the registry does not have: the manifest says that it does without them, or they lack."""
    lacking: dict[str, str] = {}
    for root, tree in trees.items():
        for one in tree.lacking:
            spec = (
                one.versions.removeprefix("npm:") if one.versions.startswith("npm:") else f"{one.name}@{one.versions}"
            )
            name, said = name_and_version(spec)
            if not {one.name, name} & set(choice.without):
                lacking.setdefault(one.name, one.wanted_by)
            elif version := _LATER.search(said):
                known = left_out.get((name, version[0]))
                roots = tuple(sorted({root, *(known.roots if known else ())}))
                left_out[name, version[0]] = _checked(LeftOut, name=name, version=version[0], roots=roots)
    if lacking:
        raise LockError(
            f"the npm registry lacks optional packages, which {target.name} may need: "
            + ", ".join(f"{name} (of {by})" for name, by in sorted(lacking.items())),
            "lock from a registry that has them, or list in `without` of the manifest those that no target needs",
        )


def _fits(one: Resolved | PackageJson, target: Target) -> bool:
    """Say whether npm installs a package on a target (https://github.com/npm/npm-install-checks, lib/index.js)."""
    return (
        _includes(one.os, OS) and _includes(one.cpu, CPUS[target.arch]) and (not one.libc or _includes(one.libc, LIBC))
    )


def _includes(listed: Sequence[str], word: str) -> bool:
    if not listed or list(listed) == ["any"]:
        return True
    wanted = [one for one in listed if not one.startswith("!")]
    return f"!{word}" not in listed and (not wanted or word in wanted)


class _Fetcher:
    """Brings packages' files into the store, each once, checked against npm's own pins."""

    def __init__(self, session: Session, network: Network, store: Store, folder: Path) -> None:
        # Which file of the store has a SHA-512 is noted: all targets need nearly the same files.
        self._notes = private_folder(session.cache_dir, NOTES)
        self._session, self._network, self._store, self._folder = session, network, store, folder

    def locked(self, one: Resolved, roots: tuple[str, ...]) -> LockedPackage:
        """Pin a package by size and SHA-256. Raises IntegrityError, UnreachableError."""
        words = {"name": one.name, "version": one.version, "path": one.path, "integrity": one.integrity}
        rest = {"roots": roots, "shrinkwrap": one.shrinkwrap}
        # Before anything is asked for at an address of npm's making: its words are as little trusted as any.
        asked = _checked(LockedPackage, **words, size=1, sha256="0" * 64, **rest)
        sha256, size = self._known(asked) or self._fetched(asked)
        return _checked(LockedPackage, **words, size=size, sha256=sha256, **rest)

    def _note(self, one: LockedPackage) -> Path:
        return self._notes / Path(one.place).name

    def _known(self, one: LockedPackage) -> tuple[str, int] | None:
        note = self._note(one)
        match = (
            re.fullmatch("([0-9a-f]{64}) ([0-9]{1,12})", read_regular(note, 100).decode("utf-8", "replace"))
            if is_plain(note)
            else None
        )
        if match and self._store.take(Blob(one.name, match[1], int(match[2]))):
            return match[1], int(match[2])
        return None

    def _fetched(self, one: LockedPackage) -> tuple[str, int]:
        name = f"npm package {one.name} {one.version}"
        path = self._folder / Path(one.place).name
        try:
            actual = retrying(partial(self._download, name, self._network.registry + one.path, path))
            if actual != one.integrity:
                raise IntegrityError(
                    f"{name}: SHA-512 mismatch\n  expected {one.integrity}\n  actual   {actual}", _HINT
                )
            sha256, size = sha256_of(path), path.stat().st_size
            self._store.join(Blob(name, sha256, size), [path])
        finally:
            path.unlink(missing_ok=True)
        self._note(one).write_text(f"{sha256} {size}")
        return sha256, size

    def _download(self, name: str, address: str, path: Path) -> str:
        """Fetch a file to `path` and return its integrity."""
        digest, size = hashlib.sha512(), 0
        with self._network.http.stream(address) as body, path.open("wb") as file:
            for chunk in body.chunks:
                if self._session.cancelled.is_set():
                    raise UnreachableError("interrupted")
                size += len(chunk)
                if size > LARGEST_PACKAGE:
                    raise IntegrityError(f"{name}: larger than {LARGEST_PACKAGE} bytes")
                digest.update(chunk)
                file.write(chunk)
            if body.total is not None and size < body.total:
                raise TransientError(f"{redact(address)}: ended after {size} of {body.total} bytes")
        return integrity(digest.digest())


def _without_foreign(
    packages: Iterable[LockedPackage], left_out: Mapping[tuple[str, str], LeftOut], target: Target, store: Store
) -> tuple[tuple[LockedPackage, ...], tuple[LeftOut, ...]]:
    """Leave out what only its own package.json says is for another platform: a registry may tell less."""
    kept, other = [], dict(left_out)
    for one in packages:
        found = PackageJson.of(one, store.path(one.sha256))
        if _fits(found, target):
            kept.append(one)
        else:
            words = {"name": one.name, "version": one.version, "roots": one.roots, **_platforms(found)}
            other[one.name, one.version] = _checked(LeftOut, **words)
    return tuple(kept), tuple(other[key] for key in sorted(other))


def _with_metadata(closure: Closure, session: Session, store: Store, folder: Path) -> LockedNpm:
    """The packages, and what the cache's own files are."""
    path = folder / "metadata"
    with path.open("wb") as out:
        write_metadata(closure, default_registry(session.env, run), store.path, out)
    digests = ((PLACE + name, hashlib.sha256(text).hexdigest()) for name, text in read_metadata(path).items())
    metadata = Metadata(path.stat().st_size, sha256_of(path), listing(digests))
    store.join(Blob("the npm cache's index", metadata.sha256, metadata.size), [path])
    return LockedNpm(**{one.name: getattr(closure, one.name) for one in fields(Closure)}, metadata=metadata)


def _show(locked: LockedNpm, target: Target, session: Session, store: Store, cache: Path) -> None:
    """Let npm resolve each root from the cache alone. Raises LockError if it cannot, or needs what is not locked."""
    known = {(one.name, one.version) for one in locked.packages} | {(o.name, o.version) for o in locked.left_out}
    for path, content in _files(locked, store):
        place = cache / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            place.symlink_to(content)
        else:
            place.write_bytes(content)
    registry = default_registry(session.env, run)

    def show(spec: str) -> None:
        with blank_settings(session.env) as settings:
            words = (*_as_on(target), "--offline", f"--cache={cache}")
            try:
                tree = resolve_tree(*name_and_version(spec), registry, settings, run, words)
            except UnreachableError as error:
                raise LockError(
                    f"npm cannot install {spec} from the packages that were locked for {target.name}: {error.message}",
                    "its packages may contradict those of another one: lock them one by one to see which",
                ) from error
            if missing := sorted({(one.name, one.version) for one in tree.packages} - known):
                raise LockError(f"npm installs {spec} with {' '.join(missing[0])}, which was not locked")

    with ThreadPoolExecutor(_NPMS_AT_ONCE, "npm") as pool:
        list(pool.map(show, locked.roots))


def _files(locked: LockedNpm, store: Store) -> Iterator[tuple[str, Path | bytes]]:
    yield from {one.place.removeprefix(PLACE): store.path(one.sha256) for one in locked.packages}.items()
    yield from read_metadata(store.path(locked.metadata.sha256)).items()


def _platforms(one: Resolved | PackageJson) -> dict[str, tuple[str, ...]]:
    return {"os": tuple(one.os), "cpu": tuple(one.cpu), "libc": tuple(one.libc)}


def _checked(model: type[_T], **words: object) -> _T:
    """A row of the lock, through its own rules. Raises IntegrityError if it is none."""
    try:
        return TypeAdapter(model).validate_python({name.replace("_", "-"): word for name, word in words.items()})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise IntegrityError(
            f"npm resolved {str(words['name'])[:200]!r} to what is no package: {where}: {first['msg']}"
        ) from error
