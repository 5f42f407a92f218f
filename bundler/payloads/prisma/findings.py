"""What must be found of database support in an archive that was read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from bundler.model.contents import Contents
from bundler.model.verdict import Finding
from bundler.payloads.prisma import database_env
from bundler.payloads.prisma.choice import CLI_PROGRAM, ENGINES
from bundler.payloads.prisma.pins import LockedDatabase
from bundler.payloads.prisma.places import DATABASE_ENV, PRISMA, PRISMA_CLI, PRISMA_ENGINES
from bundler.payloads.prisma.project import project_file

_LONGEST_WORD = 300
# Each npm package's own word about what it is.
NPM_MANIFEST = re.compile(rf"{PRISMA_CLI}(/node_modules/(@[^/]+/)?[^/]+)+/package\.json")


def findings(pins: LockedDatabase, contents: Contents) -> Iterator[Finding]:
    """Compare what is there with what is locked."""
    if database_env.differs(contents.texts.get(DATABASE_ENV, b"")):
        yield Finding(f"{DATABASE_ENV}: is not what aiws-bundle writes")
    for engine in ENGINES:
        file = contents.files.get(f"{PRISMA_ENGINES}/{engine}")
        if file is None or not file.executable:
            yield Finding(f"missing: {PRISMA_ENGINES}/{engine}, an executable file")
    for path in (f"{PRISMA_CLI}/package.json", f"{PRISMA_CLI}/{CLI_PROGRAM}"):
        if path not in contents.files:
            yield Finding(f"missing: {path}, which prisma-client-py looks for")
    places = [f"{PRISMA_CLI}/{package.at}" for package in pins.npm]
    for package, place in zip(pins.npm, places, strict=True):
        words, found = (package.name, package.version), contents.noted.get(f"{place}/package.json")
        if found != words:
            said = " ".join(found) if isinstance(found, tuple) else "nothing"
            yield Finding(f"{place}: the lock inside says {' '.join(words)}, its package.json {said}")
    project = contents.files.get(f"{PRISMA_CLI}/package.json")
    if project and project.sha256 != project_file().sha256:
        yield Finding(f"{PRISMA_CLI}/package.json: is not what aiws-bundle writes")
    known = (*(f"{place}/" for place in places), *(f"{PRISMA_ENGINES}/{engine}" for engine in ENGINES))
    for path in contents.below(f"{PRISMA}/"):
        if path != f"{PRISMA_CLI}/package.json" and not path.startswith(known):
            yield Finding(f"surplus: {path}, which belongs to no locked npm package or engine")


def npm_words(content: bytes) -> tuple[str, str] | None:
    """What a package.json says of its package: name and version, or None if it cannot be read."""
    try:
        document: object = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    return str(document.get("name"))[:_LONGEST_WORD], str(document.get("version"))[:_LONGEST_WORD]
