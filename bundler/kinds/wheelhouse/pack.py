"""From a request, its lock and verified files to the archive's content, proven before a byte is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bundler.adapters.regular import open_regular
from bundler.errors import ProofError
from bundler.kinds.wheelhouse.lock import Lock
from bundler.kinds.wheelhouse.members import archive_manifest, file_list, requirements, runtime_env
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest, DatabaseFacts, PythonFacts
from bundler.kinds.wheelhouse.recipe import Recipe
from bundler.kinds.wheelhouse.request import CONSUMERS_PIP, Request
from bundler.model.bundle import (
    DATABASE_ENV,
    FILE_LIST,
    INSTALLER,
    LOCK,
    MANIFEST,
    PYTHON,
    REQUIREMENTS,
    RUNTIME_ENV,
    WHEELS,
    WHEELS_FROM_LOCK,
    Bundle,
    Entry,
    File,
    Folder,
    Slice,
    text_file,
    top_of,
)
from bundler.model.closure import Wheel, prove
from bundler.model.locked_wheel import LockedWheel
from bundler.model.metadata import read_wheel
from bundler.payloads.prisma import database_env
from bundler.payloads.prisma.pins import missing_reason

PathOf = Callable[[str], Path]
ReadWheel = Callable[[LockedWheel], Wheel]


def prove_wheels(request: Request, lock: Lock, read: ReadWheel) -> None:
    """Prove that the lock's wheels, as `read` finds them, are what the host will ask for. Raises ProofError."""
    wheels = [read(locked) for locked in lock.wheels]
    if findings := prove((*request.requirements, CONSUMERS_PIP), wheels, request.python):
        raise ProofError(request.target.name, findings, f"`aiws-bundle lock {request.target.name}` resolves anew")


def wheel_reader(path_of: PathOf) -> ReadWheel:
    """Read a locked wheel's metadata from its file; each file once, however many targets share it.

    The lock pins its bytes, so they are not inflated; `verify` does that.
    """
    known: dict[str, Wheel] = {}

    def read(locked: LockedWheel) -> Wheel:
        if locked.sha256 not in known:
            with open_regular(path_of(locked.sha256)) as file:
                known[locked.sha256] = read_wheel(file, locked.filename, digests=False)
        return known[locked.sha256]

    return read


def plan(recipe: Recipe, lock: Lock, path_of: PathOf, trees: Sequence[Entry]) -> Bundle:
    """Return the archive's content: wheels, trees (Python, Prisma), metadata, and the manifest that lists them."""
    request = lock.effective(recipe.request)
    entries: list[Entry] = [
        Folder(PYTHON),
        *trees,
        text_file(INSTALLER, recipe.installer, executable=True),
        text_file(RUNTIME_ENV, runtime_env.render(request.component, request.requirement, request.environment)),
        text_file(LOCK, lock.render(WHEELS_FROM_LOCK).encode()),
        text_file(REQUIREMENTS, requirements.render(lock)),
    ]
    if lock.facts.database:
        entries.append(text_file(DATABASE_ENV, database_env.render()))
    entries += [
        File(f"{WHEELS}/{w.filename}", w.size, w.sha256, Slice(str(path_of(w.sha256)), 0, w.size)) for w in lock.wheels
    ]
    top = top_of(request.component)
    digests = {entry.path: entry.sha256 for entry in entries if isinstance(entry, File)}
    listed = Bundle.of(top, (*entries, text_file(FILE_LIST, file_list.render(digests)))).entries
    manifest = archive_manifest.render(_facts(recipe, request, lock), listed)
    return Bundle.of(top, (*listed, text_file(MANIFEST, manifest)))


def _facts(recipe: Recipe, request: Request, lock: Lock) -> ArchiveManifest:
    return ArchiveManifest(
        component=request.component,
        commit=lock.source.commit if lock.source else recipe.lock_sha256[:40],
        distro=request.target.distro,
        version=request.target.version,
        arch=request.target.arch,
        inputs=recipe.inputs(),
        requirement=request.requirement,
        requirements=request.requirements,
        python=PythonFacts(
            version=request.python.version,
            source="portable" if request.portable else "system",
            glibc=f"2.{request.python.glibc_minor}",
        ),
        database=_database(request, lock),
    )


def _database(request: Request, lock: Lock) -> DatabaseFacts:
    chosen, pins = request.database, lock.facts.database
    if chosen is None:
        return DatabaseFacts(supported=False, reason="the component's manifest asks for none")
    if pins is None:
        return DatabaseFacts(supported=False, reason=missing_reason(request.target))
    return DatabaseFacts(
        supported=True,
        prisma_cli=pins.prisma_cli,
        engines=pins.commit,
        platform=pins.platform,
        node=chosen.node,
        generate=chosen.schema,
    )
