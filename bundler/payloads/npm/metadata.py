"""The cache's own files: what it says of each package, and its index. They are made, and kept, as one file.

npm asks for both under the address of the registry that the host's npm is configured for: the one that an npm has which
nobody configured, which npm itself is asked for. That address stands in these files alone, never in a lock.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from bundler.adapters.regular import read_regular
from bundler.payloads.npm.cache import as_json, content_path, index_file, integrity
from bundler.payloads.npm.description import PackageJson, left_out_facts, newest, packument
from bundler.payloads.npm.pins import Closure
from bundler.payloads.payload import PathOf

_LARGEST = 1 << 30
# How npm asks for what is known of a package: in short, or in full (https://github.com/npm/pacote, lib/registry.js).
_ACCEPTED = ("application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*", "application/json")
_JSON, _BYTES = "application/json", "application/octet-stream"


def write_metadata(closure: Closure, registry: str, at: PathOf, out: BinaryIO) -> None:
    """Write the cache's own files to `out`: a JSON object of their texts by their paths.

    Raises IntegrityError if a package's file holds no package.json of that package.
    """
    out.write(json.dumps(_files(closure, registry, at), indent=0, sort_keys=True).encode())


def read_metadata(path: Path) -> Mapping[str, bytes]:
    """The files that `write_metadata` wrote, by their paths in the cache; the lock pins `path` by its digest."""
    return {name: str(text).encode() for name, text in json.loads(read_regular(path, _LARGEST)).items()}


def _files(closure: Closure, registry: str, at: PathOf) -> dict[str, str]:
    found: dict[str, bytes] = {}
    versions: dict[str, dict[str, dict[str, object]]] = defaultdict(dict)
    optional: set[str] = set()
    for one in closure.packages:
        path, entry = index_file(registry + one.path, one.integrity, one.size, _BYTES)
        found[path] = entry
        package = PackageJson.of(one, at(one.sha256))
        versions[one.name][one.version] = package.facts(one, registry)
        optional |= package.optional_peers
    latest = {name: newest(known) for name, known in versions.items()} | dict(closure.versions())
    for other in closure.left_out:
        versions[other.name][other.version] = left_out_facts(other)
        latest.setdefault(other.name, other.version)
    # npm asks for optional peers as well, though it installs none: without an answer it would ask the network.
    for name in sorted(versions.keys() | optional):
        content = as_json(packument(name, versions.get(name, {}), latest.get(name))).encode()
        pinned = integrity(hashlib.sha512(content).digest())
        # As npm spells a scoped package's address (https://github.com/npm/npm-package-arg, `escapedName`).
        path, entry = index_file(registry + name.replace("/", "%2f"), pinned, len(content), _JSON, _ACCEPTED)
        found[path] = entry
        found[content_path(pinned)] = content
    return {path: content.decode() for path, content in found.items()}
