"""From a request to its lock: uv resolves, packaging picks each package's wheel, the closure is proven."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TypeAlias

from packaging.markers import Environment
from packaging.pylock import Package, PackageWheel, Pylock, PylockSelectError, PylockValidationError
from packaging.requirements import Requirement
from packaging.tags import Tag, create_compatible_tags_selector
from packaging.utils import canonicalize_name

from bundler.adapters.resolver import Resolver
from bundler.errors import IntegrityError, LockError, ProofError
from bundler.kinds.wheelhouse.caution import Caution
from bundler.kinds.wheelhouse.limits import Limits
from bundler.kinds.wheelhouse.lock import Lock, facts_for, hint_of
from bundler.kinds.wheelhouse.request import CONSUMERS_PIP, Request
from bundler.model.closure import Wheel, describe, prove
from bundler.model.known_bad import bad_among, package_of
from bundler.model.locked_wheel import LockedWheel
from bundler.model.needs import PARSING
from bundler.model.startup import startup_faults
from bundler.model.toml import MOST_PARTS_OF_UV, parse_toml
from bundler.model.wheel_name import parse_wheel_name
from bundler.payloads.payload import Pinned
from bundler.words import SPEC_PATTERN

# Files that Python runs when it starts, by the name of the wheel that holds them.
StartupFiles: TypeAlias = Mapping[str, tuple[str, ...]]
MetadataOf = Callable[[Sequence[tuple[LockedWheel, str]]], list[Wheel]]


def resolve(
    request: Request,
    resolver: Resolver,
    metadata_of: MetadataOf,
    caution: Caution,
    *,
    versions: Mapping[str, str],
    limits: Limits,
    previous: Lock | None,
    kept: Collection[str] = (),
    sections: Mapping[str, Pinned] = MappingProxyType({}),
    built: tuple[LockedWheel, Path] | None = None,
) -> tuple[Lock, StartupFiles]:
    """Return a new lock for `request`. `versions` are pinned (`--set`); `previous` versions are kept where they fit.

    What is uploaded after `limits` say is not looked at; wheels whose SHA-256 is among `kept` may be young.

    The lock pins the payloads of `sections`, and whatever else they ask for. `built` is the wheel that is built from
    source for the request's own requirement, and where it is.

    Raises LockError if no set of wheels fits, or one is known to be bad, yanked or too young; ProofError if the set
    does not close on the target; IntegrityError if a wheel has files that Python runs when it starts and the manifest
    does not allow it.
    """
    wanted = request.with_sections(sections).with_versions(versions)
    preferences = previous.published().render() if previous else None
    if built and built[0].version not in Requirement(wanted.requirement).specifier:
        raise LockError(
            f"{request.target.name}: the source makes {built[0].project} {built[0].version}, "
            f"{wanted.requirement} is asked for"
        )
    refuse_bad(wanted)
    with _named(built) as own:
        constraints = [*_constraints(wanted, versions), *own]

        def ask(within: Limits) -> str:
            return resolver.resolve(
                request.target.name, wanted.requirements, wanted.python, [*constraints, *within.barred],
                within.newest, preferences, within.projects,
            )  # fmt: skip

        text = caution.resolved(limits, ask, wanted.requirements[-1] if built else wanted.requirement)
    chosen = _choose(text, request, built[0] if built else None)
    wheels = caution.refuse(request.target.name, [wheel for wheel, _ in chosen], kept)
    facts = facts_for(request, resolver.version(), limits.newest, versions, sections)
    lock = Lock(facts, tuple(sorted(wheels, key=lambda wheel: wheel.project)), tuple(sections.items()))
    if bad := lock.bad(request):
        raise LockError(f"{request.target.name}: {bad}", "ask for another version of it, or of what asks for it")
    read = metadata_of(chosen)
    if findings := prove((*wanted.requirements, CONSUMERS_PIP), read, request.python):
        raise ProofError(request.target.name, findings)
    refuse_startup(request, read)
    return lock, {wheel.filename: wheel.startup for wheel in read if wheel.startup}


def refuse_bad(request: Request) -> None:
    """Raise LockError if a version that a request asks for is known to be bad."""
    named = [text for text in request.requirements if re.fullmatch(SPEC_PATTERN, text)]
    if bad := bad_among(map(package_of, named), dict(request.known_bad)):
        raise LockError(f"{request.target.name}: {bad}", "ask for another version")


def refuse_startup(request: Request, wheels: Iterable[Wheel]) -> None:
    """Raise IntegrityError if a wheel has files that Python runs when it starts, and the manifest does not allow it."""
    if faults := list(startup_faults(wheels, request.startup_files)):
        raise IntegrityError("\n".join((f"{request.target.name}: {faults[0]}", *faults[1:])))


def _constraints(request: Request, versions: Mapping[str, str]) -> list[str]:
    """What is known to be bad, and `--set` for projects that no requirement of ours names: others lead to them."""
    named = {canonicalize_name(Requirement(text).name) for text in request.requirements}
    packages = (one for one, _ in request.known_bad if isinstance(one, tuple))
    bad = [f"{project}!={version}" for project, version in packages]
    return [*bad, *(f"{name}=={version}" for name, version in versions.items() if name not in named)]


@contextmanager
def _named(built: tuple[LockedWheel, Path] | None) -> Iterator[list[str]]:
    """A constraint by which uv takes the built wheel and no other, while it is there under its own name."""
    if built is None:
        yield []
        return
    wheel, path = built
    with TemporaryDirectory(prefix="aiws-bundle-built-") as folder:
        named = Path(folder) / wheel.filename
        named.symlink_to(path.absolute())
        yield [f"{wheel.project} @ {named.as_uri()}"]


def _choose(text: str, request: Request, built: LockedWheel | None) -> Sequence[tuple[LockedWheel, str]]:
    """Pick the wheel of each package for the target's own markers and tags, with the address it was seen at."""
    environment: Environment = request.python.environment()
    tags: Sequence[Tag] = request.python.tags
    try:
        document = parse_toml(text, MOST_PARTS_OF_UV)
        with PARSING:
            pylock = Pylock.from_dict(document)
        picked = list(pylock.select(environment=environment, tags=tags))
    except PylockSelectError as error:
        raise LockError(f"{request.target.name}: {error}{_wheels_there(pylock, request)}") from error
    except (PylockValidationError, ValueError, RecursionError) as error:
        raise LockError(f"{request.target.name}: uv wrote a lock that cannot be read: {error}") from error
    own = built.project if built else None
    found = [_locked(package, source, request) for package, source in picked if package.name != own]
    return [*found, (built, "")] if built else found


def _locked(package: Package, source: object, request: Request) -> tuple[LockedWheel, str]:
    """Name exactly one wheel. Raises LockError if the package comes as anything else."""
    if not isinstance(source, PackageWheel) or package.version is None:
        raise LockError(f"{request.target.name}: {package.name} does not come as a wheel")
    if source.size is None or "sha256" not in source.hashes:
        raise LockError(f"{request.target.name}: the index tells neither size nor SHA-256 of {source.filename}")
    address = source.url or ""
    wheel = LockedWheel(
        project=package.name,
        version=str(package.version),
        filename=source.filename,
        size=source.size,
        sha256=source.hashes["sha256"],
        hint=hint_of(address),
    )
    return wheel, address


def _wheels_there(pylock: Pylock, request: Request) -> str:
    """List the packages that have wheels, but none for the target, with the tags that exist."""
    select = create_compatible_tags_selector(request.python.tags)
    lines = []
    for package in pylock.packages:
        names = [wheel.filename for wheel in package.wheels or ()]
        if names and not list(select((name, parse_wheel_name(name)[3]) for name in names)):
            tags = sorted({"-".join(name.removesuffix(".whl").split("-")[-3:]) for name in names})
            lines.append(f"{package.name} {package.version} has no wheel for {describe(request.python)}; there are:")
            lines += [f"  {tag}" for tag in tags]
    return "".join(f"\n{line}" for line in lines)
