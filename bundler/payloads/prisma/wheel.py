"""The wheel that brings database support: Prisma Client Python, the Prisma CLI and its engines in one.

It is made of locked parts, the same bytes anywhere. In a virtual environment it needs nothing else but the Node.js
wheel that its METADATA asks for: no variable, no folder of the user's, no network.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO

from bundler.adapters.archive import SourceChangedError
from bundler.adapters.digest import sha256_of
from bundler.adapters.gunzip import gunzip
from bundler.adapters.regular import open_regular
from bundler.adapters.wheel_file import WheelWriter
from bundler.errors import IntegrityError, LockError
from bundler.model.bundle import File
from bundler.model.wheel_content import WheelContent
from bundler.model.wheel_name import parse_wheel_name
from bundler.model.zip_file import ZipReader
from bundler.payloads.payload import PathOf
from bundler.payloads.prisma.choice import CLI_PROGRAM, NODE_WHEEL
from bundler.payloads.prisma.notice import notice
from bundler.payloads.prisma.patch import PatchError, apply
from bundler.payloads.prisma.pins import LockedClient, LockedEngine, Parts
from bundler.payloads.prisma.places import CLI_FOLDER, ENGINES_FOLDER, OFFLINE, PACKAGE
from bundler.payloads.prisma.tree import unpacked

LARGEST_ENGINE = 256 << 20
# All of it is held in memory: Prisma Client Python unpacks to 2 MB, the CLI to 40 MB in 160 files.
_LARGEST_CLIENT, _LARGEST_CLI, _MOST_FILES = 32 << 20, 256 << 20, 20_000
_HINT = "lock another version of it (`lock --set`), or update the patch: bundler/payloads/prisma"
_CONFIG = f"{PACKAGE}/_config.py"
# With what signs RECORD.
_REPLACED = ("METADATA", "WHEEL", "RECORD", "RECORD.jws", "RECORD.p7s")


def filename_of(client: LockedClient, tag: str) -> str:
    """What the wheel is called; `tag` is its platform's (PEP 425)."""
    return f"{PACKAGE}-{client.made_version}-py3-none-{tag}.whl"


def write_wheel(parts: Parts, client: LockedClient, filename: str, at: PathOf, out: BinaryIO) -> None:
    """Write the wheel called `filename` to `out`.

    Raises LockError if the patch is not for this Prisma Client Python, IntegrityError if a part is not what is pinned,
    or unsafe to unpack.
    """
    project, _, _, _ = parse_wheel_name(client.filename)
    after = f"{project}-{client.made_version}.dist-info"
    writer = WheelWriter(out)
    metadata: dict[str, bytes] = {}
    package: dict[str, tuple[bytes, bool]] = {}
    for path, content, executable in _client(client, _checked(client.sha256, client.filename, at)):
        top, _, inner = path.partition("/")
        if top.lower().endswith(".dist-info"):
            metadata[inner] = content
        elif top.lower().endswith(".data") or path.lower().startswith(OFFLINE):
            raise LockError(f"{PACKAGE} {client.version} has {path}, which aiws-bundle's patch knows nothing of", _HINT)
        else:
            package[path] = content, executable
    package |= {path: (text.encode(), False) for path, text in _patched(parts, client, package).items()}
    package |= {path: (content, False) for path, content in own_files(parts).items()}
    for path in sorted(package):
        writer.put(path, package[path][0], executable=package[path][1])
    for path, program, executable in _programs(parts, at):
        writer.put(path, program, executable=executable)
    tags = "-".join(filename.removesuffix(".whl").split("-")[-3:])
    for name, content in _metadata(metadata, parts, client, tags).items():
        writer.put(f"{after}/{name}", content)
    writer.close(after)


def own_files(parts: Parts) -> dict[str, bytes]:
    """What aiws-bundle itself puts into the package, by path."""
    offline = _text("offline.py").replace("@PRISMA_VERSION@", parts.prisma_cli)
    # Without it Prisma Client Python writes its own, and npm would look for another above.
    project = {"name": "prisma-binaries", "version": "1.0.0", "private": True, "main": CLI_PROGRAM}
    return {
        f"{OFFLINE}/__init__.py": offline.replace("@ENGINE_VERSION@", parts.commit).encode(),
        f"{CLI_FOLDER}/package.json": f"{json.dumps(project, indent=2)}\n".encode(),
    }


def _client(client: LockedClient, wheel: Path) -> Iterator[tuple[str, bytes, bool]]:
    """The files of Prisma Client Python's wheel."""
    with open_regular(wheel) as file:
        archive = ZipReader(file, client.filename)
        if sum(member.size for member in archive.members) > _LARGEST_CLIENT:
            raise IntegrityError(f"{client.filename}: unpacks to more than {_LARGEST_CLIENT} bytes")
        WheelContent(archive, client.filename).check_digests()
        for member in archive.members:
            if member.kind == "file":
                yield member.path, archive.read(member, _LARGEST_CLIENT), member.executable


def _patched(parts: Parts, client: LockedClient, package: Mapping[str, tuple[bytes, bool]]) -> dict[str, str]:
    """The files that the patch changes, changed; the versions that they ask for must be those that are locked."""
    name = f"{PACKAGE} {client.version}"
    try:
        texts = {path: content.decode() for path, (content, _) in package.items() if path.endswith(".py")}
        changed = apply(_text("prisma-client-py.patch"), texts)
    except (PatchError, UnicodeDecodeError) as error:
        raise LockError(f"{name} is not the one that aiws-bundle's patch is for: {error}", _HINT) from error
    for version in (parts.prisma_cli, parts.commit):
        if f"default='{version}'" not in changed[_CONFIG]:
            asked = ", ".join(
                re.findall(r"_version: str = Field\(\s*env='\w+',\s*default='([\w.]{1,60})'", changed[_CONFIG])
            )
            raise LockError(
                f"{name} asks for another Prisma than the manifest: {version} is chosen, it wants {asked or 'others'}",
                "change prisma-cli and engines.commit in the component's manifest",
            )
    return changed


def _programs(parts: Parts, at: PathOf) -> Iterator[tuple[str, bytes | memoryview, bool]]:
    """The Prisma CLI as npm would install it, and the engines."""
    tree: dict[str, tuple[bytes, bool]] = {}
    size = 0
    for package in parts.npm:
        archive = _checked(package.sha256, f"npm package {package.name}", at)
        for path, content, executable in unpacked(package, archive):
            if path in tree:
                raise IntegrityError(f"npm package {package.name} {package.version}: {path} is there twice")
            tree[path] = content, executable
            size += len(content)
            if size > _LARGEST_CLI or len(tree) > _MOST_FILES:
                raise IntegrityError(
                    f"npm packages: with {package.name} {package.version} they unpack to more than "
                    f"{_LARGEST_CLI} bytes or {_MOST_FILES} files"
                )
    if CLI_PROGRAM not in tree:
        raise IntegrityError(f"npm package prisma {parts.prisma_cli} has no build/index.js, which is run")
    for path in sorted(tree):  # each is let go when it is written
        yield f"{CLI_FOLDER}/{path}", *tree.pop(path)
    for engine in parts.engines:
        yield f"{ENGINES_FOLDER}/{engine.name}", _engine(engine, at), True


def _engine(engine: LockedEngine, at: PathOf) -> bytes | memoryview:
    name, content = f"Prisma's {engine.name}", io.BytesIO()
    content.writelines(gunzip(_checked(engine.sha256, name, at), name, LARGEST_ENGINE))
    return content.getbuffer()


def _metadata(found: Mapping[str, bytes], parts: Parts, client: LockedClient, tags: str) -> dict[str, bytes]:
    """The files of the `.dist-info` folder, changed in what is no longer true of Prisma Client Python alone."""
    name = f"{PACKAGE} {client.version}"
    # Lines as headers.read_headers has them: others end one at characters that may stand in a value.
    head, _, description = found["METADATA"].decode().replace("\r\n", "\n").partition("\n\n")
    fields = head.removesuffix("\n").split("\n")
    version = f"Version: {client.version}"
    if fields.count(version) != 1:
        raise LockError(f"{name}: its METADATA says no version in a line of its own")
    fields[fields.index(version)] = f"Version: {client.made_version}"
    fields += ["License-File: NOTICE", *([f"Requires-Dist: {NODE_WHEEL}"] if parts.node else [])]
    kept = {path: content for path, content in found.items() if path not in _REPLACED}
    made = {
        "METADATA": "\n".join([*fields, "", description]).encode(),
        "NOTICE": notice(parts, client).encode(),
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: aiws-bundle\nRoot-Is-Purelib: false\nTag: {tags}\n".encode(),
    }
    return dict(sorted((kept | made).items()))


def _checked(sha256: str, name: str, at: PathOf) -> Path:
    """The file with this digest. Raises SourceChangedError if its copy went bad on disk."""
    path = at(sha256)
    actual = sha256_of(path)
    if actual != sha256:
        raise SourceChangedError(File(name, 0, sha256, b""), actual)
    return path


@cache
def _text(name: str) -> str:
    return files("bundler.payloads.prisma").joinpath(name).read_text(encoding="utf-8")
