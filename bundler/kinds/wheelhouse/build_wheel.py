"""From a source archive to its wheel: lock what builds it, and build it, the same bytes wherever that is done."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from build import BuildException, ProjectBuilder
from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import canonicalize_name

from bundler.adapters.digest import sha256_of
from bundler.adapters.index import Index
from bundler.adapters.pip_compile import Pinned, PipCompile
from bundler.adapters.regular import open_regular, read_regular
from bundler.adapters.source_archive import stated_commit, unpack_source
from bundler.adapters.wheel_file import rewrite_wheel
from bundler.adapters.workshop import BuildWheel, Workshop, opened
from bundler.errors import IntegrityError, LockError, UsageError
from bundler.kinds.wheelhouse.build_lock import (
    BuildFacts,
    BuildLock,
    Product,
    by_project,
    fitting,
    runs_here,
)
from bundler.kinds.wheelhouse.manifest import SourceArchive
from bundler.model.locked_wheel import LockedWheel, Source
from bundler.model.metadata import read_wheel
from bundler.model.needs import UNREADABLE, parse_requirement
from bundler.model.toml import parse_toml
from bundler.model.wheel_name import parse_wheel_name

WheelAt = Callable[[LockedWheel], Path]

_LARGEST_PROJECT_FILE = 1 << 20
_PLAIN = re.compile(r"[A-Za-z0-9._\-\[\],<>=!~ ;()'\"*+]+")


def python_here() -> str:
    """The minor version of the Python that builds: `3.11`."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Means:
    """What building takes: how to fetch a wheel to build with, a folder for temporary files, and when to give up.

    A build may take `timeout` seconds.
    """

    path_of: WheelAt
    scratch: Path
    cancelled: Callable[[], bool] = lambda: False
    timeout: float = 1800.0

    def workshop(self, name: str, folder: Path, wheels: Sequence[LockedWheel]) -> AbstractContextManager[Workshop]:
        """Open a workshop for the unpacked source in `folder` with those of `wheels` that fit this Python."""
        chosen = [
            BuildWheel(self.path_of(wheel), wheel.filename, f"{wheel.project}=={wheel.version}", wheel.sha256)
            for wheel in fitting(wheels, python_here(), list(sys_tags()))
        ]
        return opened(name, folder, chosen, self.scratch, self.cancelled, self.timeout)


def lock_build(
    component: str,
    requirement: str,
    source: SourceArchive,
    archive: Path,
    made: Path,
    means: Means,
    compiler: PipCompile,
    index: Index,
) -> BuildLock:
    """Lock what builds `component` from the fetched `archive`; the wheel, which serves `requirement`, goes to `made`.

    Raises LockError if the source cannot be built, makes something else, or not the same twice; IntegrityError if it is
    unsafe or reaches outside; UnreachableError.
    """
    name = _name(component, source.commit)
    if stated_commit(archive) not in (None, source.commit):
        raise LockError(
            f"{name}: the archive says that it is of commit {stated_commit(archive)}", "correct the manifest"
        )
    with _unpacked(archive, name, means.scratch) as folder:
        wanted = _declared(folder, name)
        wheels = _on_index(compiler.resolve(wanted), index)
        with means.workshop(name, folder, wheels) as workshop:
            asked = _checked(workshop.requirements(), name)
        if further := [text for text in asked if text not in wanted]:
            wanted = (*wanted, *further)
            wheels = _on_index(compiler.resolve(wanted), index)
        product = _build(wheels, name, folder, requirement, made, means)
        if product != _build(wheels, name, folder, requirement, made, means):
            raise LockError(
                f"{name}: two builds gave two different wheels, so no lock can pin it",
                "its build depends on more than its source, such as chance or the time of day",
            )
    pinned = Source(source.commit, source.sha256)
    return BuildLock(BuildFacts(component, pinned, wanted, python_here(), compiler.version(), product), wheels)


def build_wheel(lock: BuildLock, requirement: str, archive: Path, made: Path, means: Means) -> None:
    """Build the wheel that `lock` pins to the file `made`.

    Raises IntegrityError if it is another one, or the build reaches outside; LockError if it cannot be built here.
    """
    name = _name(lock.facts.component, lock.facts.source.commit)
    with _unpacked(archive, name, means.scratch) as folder:
        product = _build(lock.wheels, name, folder, requirement, made, means)
    if product != (pinned := lock.facts.wheel):
        made_with, here = lock.facts.python, python_here()
        hint = f"the lock was made with Python {made_with}, this is Python {here}: build with {made_with}"
        raise IntegrityError(
            f"{name}: the build gave another wheel than is locked\n"
            f"  expected {pinned.sha256} ({pinned.filename})\n  actual   {product.sha256} ({product.filename})",
            hint if made_with != here else "its build depends on this host; lock anew with --upgrade here",
        )


def _name(component: str, commit: str) -> str:
    return f"{component} from its source at {commit[:12]}"


@contextmanager
def _unpacked(archive: Path, name: str, scratch: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        yield unpack_source(archive, name, Path(folder))


def _declared(folder: Path, name: str) -> tuple[str, ...]:
    """What `[build-system] requires` says (PEP 518), else PEP 517's default."""
    project = folder / "pyproject.toml"
    try:
        if os.path.lexists(project):  # the builder reads it again, without limits
            parse_toml(read_regular(project, _LARGEST_PROJECT_FILE).decode())
        requires = ProjectBuilder(folder).build_system_requires
    except (BuildException, UsageError, ValueError, RecursionError) as error:
        raise LockError(f"{name}: not a Python project that can be built: {error}".replace(str(folder), "")) from error
    return _checked(requires, name)


def _checked(requires: Sequence[str] | set[str], name: str) -> tuple[str, ...]:
    """Sorted, each one a name and versions, as an index can serve it. Raises LockError."""
    found = set()
    for text in requires:
        try:
            parsed = parse_requirement(text)
            canonical = str(parsed)
        except UNREADABLE as error:
            raise LockError(f"{name}: build requirement {text[:200]!r} is none: {str(error)[:200]}") from error
        # pip takes a path for a project to build, and puts variables of the environment in the place of ${NAME}.
        if parsed.url or not _PLAIN.fullmatch(text) or any(one.operator == "===" for one in parsed.specifier):
            raise LockError(
                f"{name}: build requirement {text[:200]!r} is not a name and versions that an index can serve"
            )
        found.add(canonical)
    return tuple(sorted(found))


def _on_index(pins: Sequence[Pinned], index: Index) -> tuple[LockedWheel, ...]:
    """Every wheel of the pinned versions that could serve where something is built."""
    found: list[LockedWheel] = []
    for pin in pins:
        project = canonicalize_name(pin.project)
        wheels = [
            LockedWheel(project, pin.version, file.filename, file.size, file.sha256)
            for file in index.files(project)
            if file.filename.endswith(".whl") and file.sha256 in pin.sha256 and file.size and runs_here(file.filename)
        ]
        if not wheels:
            raise LockError(f"the index tells neither size nor SHA-256 of a wheel of {pin.project} {pin.version}")
        found += wheels
    return by_project(found)


def _build(
    wheels: Sequence[LockedWheel], name: str, folder: Path, requirement: str, made: Path, means: Means
) -> Product:
    with means.workshop(name, folder, wheels) as workshop:
        filename, path = workshop.wheel()
        project, version = identity(filename, requirement, name)
        with made.open("wb") as out:
            rewrite_wheel(path, filename, out)
    with open_regular(made) as file:
        read_wheel(file, filename)
    return Product(project, version, filename, made.stat().st_size, sha256_of(made))


def identity(filename: str, requirement: str, name: str) -> tuple[str, str]:
    """Return the project and version of a wheel that serves `requirement` on every target. Raises LockError if not."""
    wanted = Requirement(requirement)
    try:
        project, version, _, tags = parse_wheel_name(filename)
    except ValueError as error:
        raise LockError(f"{name}: its build made {filename[:200]!r}, which is no wheel: {error}") from error
    if project != canonicalize_name(wanted.name) or not wanted.specifier.contains(version, prereleases=True):
        raise LockError(
            f"{name}: the source makes {project} {version}, the manifest asks for {wanted.name}{wanted.specifier}",
            "let the manifest's requirement and source be of one version",
        )
    shown = filename.removesuffix(".whl").split("-", 2)[2]
    if not filename.endswith("-none-any.whl") or not any(tag.interpreter == "py3" for tag in tags):
        raise LockError(
            f"{name}: the source makes a wheel for one platform or Python only ({shown}); one has to serve all targets",
            "what is compiled cannot be built here for other hosts; take it from the index",
        )
    return str(project), str(version)
