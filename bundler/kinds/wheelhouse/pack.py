"""From a request, its lock and verified files to the archive's content, and the proof that it closes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.locked_reading import ReadLocked
from bundler.adapters.regular import open_regular
from bundler.code.values import Code, Tree
from bundler.errors import IntegrityError, ProofError, WorkError
from bundler.kinds import file_list, runtime_env
from bundler.kinds.wheelhouse.lock import Lock
from bundler.kinds.wheelhouse.members import archive_manifest, requirements, texts
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest, PythonFacts
from bundler.kinds.wheelhouse.recipe import Recipe
from bundler.kinds.wheelhouse.request import CONSUMERS_PIP, Request
from bundler.model.bundle import (
    FILE_LIST,
    INSTALLER,
    LOCK,
    MANIFEST,
    REQUIREMENTS,
    RUNTIME_ENV,
    WHEELS,
    WHEELS_FROM_LOCK,
    Bundle,
    Entry,
    File,
    Link,
    Slice,
    text_file,
    top_of,
)
from bundler.model.closure import Wheel, proof_of
from bundler.model.locked_wheel import LockedWheel
from bundler.model.needs import UNREADABLE, parse_requirement
from bundler.model.startup import startup_faults
from bundler.model.unfit_code import faults_of
from bundler.payloads import SECTIONS
from bundler.platforms import HEAD, named, read_code

_MOST_TOLD = 100

ReadWheel = Callable[[LockedWheel], Wheel]


@dataclass(frozen=True)
class Proven:
    """Wheels as they say of themselves, and the projects that each project needs on the host."""

    wheels: tuple[Wheel, ...]
    edges: Mapping[str, frozenset[str]]


def prove_wheels(request: Request, lock: Lock, read: ReadWheel) -> Proven:
    """Prove that the lock's wheels, as `read` finds them, are what the host will ask for.

    Raises ProofError, and IntegrityError for files that Python runs when it starts and that the lock does not allow.
    """
    wheels = tuple(read(locked) for locked in lock.wheels)
    proof = proof_of((*request.requirements, CONSUMERS_PIP), wheels, request.python)
    if proof.findings:
        raise ProofError(
            request.target.name, proof.findings, f"{request.again(request.target.name)}, which resolves anew"
        )
    if faults := list(startup_faults(wheels, lock.facts.startup_files)):
        raise IntegrityError("\n".join((f"{request.target.name}: {faults[0]}", *faults[1:])))
    return Proven(wheels, proof.edges)


def prove_carried(request: Request, carried: Iterable[Entry]) -> None:
    """Prove that the host loads the compiled code that stands in an archive beside its wheels. Raises WorkError."""
    entries = [entry for entry in carried if not entry.path.startswith(f"{WHEELS}/")]
    code = {entry.path: found for entry in entries if isinstance(entry, File) and (found := _code_of(entry))}
    tree = Tree(code, {entry.path: entry.target for entry in entries if isinstance(entry, Link)})
    told = faults_of(tree, request.python.platform, request.python.floor)
    if faults := [f"  - unfit: {path}: {fault}" for path, fault in told]:
        raise WorkError(
            "\n".join((f"{request.target.name}: the host would not load what is carried", *faults[:_MOST_TOLD])),
            "pin another Python in python.yaml, or raise the oldest system of the target",
        )


def _code_of(file: File) -> Code | None:
    """What a file that was unpacked says of itself, if it is code that a platform judges."""
    if not isinstance(file.content, Slice):
        return None
    with open_regular(Path(file.content.file)) as stream:

        def read(offset: int, size: int) -> bytes:
            stream.seek(start + offset)
            return stream.read(min(size, file.size - offset))

        start = file.content.offset
        return read_code(read(0, HEAD), read, file.size)


def wheel_reader(ask: Callable[[str, ReadLocked], Wheel], *, code: bool = False) -> ReadWheel:
    """Read locked wheels by `ask`, which is told their SHA-256 (hex); each once, however many targets share it.

    With `code` its compiled code is read.
    """
    known: dict[str, Wheel] = {}

    def read(locked: LockedWheel) -> Wheel:
        if locked.sha256 not in known:
            known[locked.sha256] = ask(locked.sha256, ReadLocked(locked.filename, code))
            _parse_ahead(known[locked.sha256])
        return known[locked.sha256]

    return read


def _parse_ahead(wheel: Wheel) -> None:
    """Parse what a wheel asks for as it comes, and not when the proof waits for it: it is remembered."""
    for text in wheel.requires_dist:
        with suppress(*UNREADABLE):
            parse_requirement(text)


def plan(recipe: Recipe, lock: Lock, carried: Sequence[Entry]) -> Bundle:
    """Return the archive's content: what its payloads put there, metadata, and the manifest that lists it all."""
    request = lock.effective(recipe.request)
    variables = runtime_env.render(request.component, request.requirement, request.environment)
    return laid_out(_facts(recipe, request, lock), lock, recipe.installer(), variables, carried)


def laid_out(facts: ArchiveManifest, lock: Lock, script: bytes, variables: bytes, carried: Sequence[Entry]) -> Bundle:
    """The same of what is known already: `script` is its install.sh, `variables` its runtime.env."""
    entries: list[Entry] = [
        *carried,
        text_file(INSTALLER, script, executable=True),
        text_file(RUNTIME_ENV, variables),
        text_file(LOCK, lock.render(WHEELS_FROM_LOCK).encode()),
        text_file(REQUIREMENTS, requirements.render(lock)),
        *(text_file(path, content) for path, content in texts.render(facts).items()),
    ]
    top = top_of(facts.component)
    digests = {entry.path: entry.sha256 for entry in entries if isinstance(entry, File)}
    listed = Bundle.of(top, (*entries, text_file(FILE_LIST, file_list.render(digests)))).entries
    return Bundle.of(top, (*listed, text_file(MANIFEST, archive_manifest.render(facts, listed))))


def _facts(recipe: Recipe, request: Request, lock: Lock) -> ArchiveManifest:
    pinned, pin = dict(lock.sections), recipe.python_pin
    platform, _ = named(request.python.platform)
    told = {name: one.facts(request.choice(name), pinned.get(name), request.target) for name, one in SECTIONS.items()}
    return ArchiveManifest(
        component=request.component,
        program=request.program,
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
            floor=platform.floor_version(request.python.floor),
            sha256=pin.sha256 if pin else "",
        ),
        service=request.service,
        sections={name: facts for name, facts in told.items() if facts is not None},
    )
