"""What must be found of database support in an archive that was read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from bundler.model.contents import Contents
from bundler.model.verdict import Finding
from bundler.payloads.prisma.choice import CLI_PROGRAM, NODE_WHEEL
from bundler.payloads.prisma.notice import notice
from bundler.payloads.prisma.pins import LockedDatabase
from bundler.payloads.prisma.places import CLI_FOLDER, ENGINES_FOLDER, OFFLINE
from bundler.payloads.prisma.wheel import own_files


def findings(pins: LockedDatabase, contents: Contents) -> Iterator[Finding]:
    """Compare what is inside the wheel with the parts that are locked; its digest is compared with all others'."""
    wheel = next((one for one in contents.wheels if one.filename == pins.wheel.filename), None)
    if wheel is None:  # missing or unreadable, which is told elsewhere
        return
    there, expected = dict(wheel.recorded), _expected(pins)
    for path, sha256 in expected.items():
        if there.get(path) != sha256:
            yield Finding(f"{wheel.filename}: {path}: the lock inside says {sha256}, it is {there.get(path)}")
    if f"{CLI_FOLDER}/{CLI_PROGRAM}" not in there:
        yield Finding(f"{wheel.filename}: missing: {CLI_FOLDER}/{CLI_PROGRAM}, which Prisma Client Python runs")
    places = tuple(f"{CLI_FOLDER}/{package.at}/" for package in pins.npm)
    for path in there:
        # In capitals, by `.data` or as a module it would stand in the same place.
        if OFFLINE in path.lower() and not path.startswith(places) and path not in expected:
            yield Finding(f"{wheel.filename}: surplus: {path}, which belongs to no locked npm package or engine")
    if pins.node != (NODE_WHEEL in wheel.requires_dist):
        yield Finding(f"{wheel.filename}: its METADATA and the lock inside disagree on Node.js")


def _expected(pins: LockedDatabase) -> dict[str, str]:
    """Digests (SHA-256, hex) of the files that the pins decide alone, by path."""
    info = f"{pins.made.project}-{pins.made.version}.dist-info"
    texts = {**own_files(pins), f"{info}/NOTICE": notice(pins, pins.client).encode()}
    return {
        **{f"{ENGINES_FOLDER}/{engine.name}": engine.program_sha256 for engine in pins.engines},
        **{path: hashlib.sha256(text).hexdigest() for path, text in texts.items()},
    }
