"""What the wheel of database support holds: Prisma Client Python, the engines, and the npm packages of the CLI."""

from __future__ import annotations

from collections.abc import Iterator

from bundler.model.bundle import WHEELS
from bundler.model.declared_licences import licence_of
from bundler.model.inventory import Item
from bundler.model.package_url import npm_url, package_url, wheel_url
from bundler.payloads.prisma.pins import LockedDatabase
from bundler.payloads.prisma.places import CLI_FOLDER, ENGINES_FOLDER, PACKAGE


def items_of(locked: LockedDatabase) -> Iterator[Item]:
    """The wheel, which needs all that it is made of, and each of these; an engine's digest is the program's."""
    made = locked.made
    inside = f"{WHEELS}/{made.filename}!/"
    parts = tuple(_parts(locked, inside))
    needs = tuple(sorted({one.purl for one in parts}))
    yield Item(wheel_url(made.project, made.version), "wheel", made.project, made.version, needs=needs)
    yield from parts


def _parts(locked: LockedDatabase, inside: str) -> Iterator[Item]:
    client = locked.client
    purl, path = wheel_url(PACKAGE, client.version), f"{inside}{PACKAGE}"
    yield Item(purl, "file", PACKAGE, client.version, path, client.size, client.sha256)
    for engine in locked.engines:
        name, path = f"{PACKAGE}-{engine.name}", f"{inside}{ENGINES_FOLDER}/{engine.name}"
        purl = package_url("generic", name, locked.commit)
        yield Item(purl, "program", name, locked.commit, path, sha256=engine.program_sha256)
    for one in locked.npm:
        licence, path = licence_of(one.license), f"{inside}{CLI_FOLDER}/{one.at}"
        told = (licence,) if licence else ()
        yield Item(npm_url(one.name, one.version), "npm", one.name, one.version, path, one.size, one.sha256, told)
