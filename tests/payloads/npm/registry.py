"""A small npm registry on a server: packages made on the fly, and how it lies about them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.server import Reply, Server


def integrity_of(content: bytes) -> str:
    """npm's pin of a file."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def tarball(files: Mapping[str, bytes], top: str = "package") -> bytes:
    """An npm package's file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(f"{top}/{path}")
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


@dataclass
class Registry:
    """Packages by name and version; the files are below the registry's own address, as everywhere."""

    server: Server
    versions: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """What npm is told."""
        return f"{self.server.address}/"

    def add(
        self,
        name: str,
        version: str,
        *,
        inside: Mapping[str, Any] | None = None,
        files: Mapping[str, bytes] | None = None,
        content: bytes | None = None,
        pin: str = "",
        **facts: Any,
    ) -> bytes:
        """Publish a package; return its file. `inside` is what its package.json says instead of what is published."""
        package = {"name": name, "version": version, **facts}
        said = json.dumps({**package, **(inside or {})}).encode()
        made = tarball({"index.js": b"#!/usr/bin/env node\nconsole.log('hi')\n", "package.json": said, **(files or {})})
        made = made if content is None else content
        path = f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
        address = self.server.script(path, Reply(made))
        dist = {"tarball": address, "integrity": pin or integrity_of(made)}
        self.versions.setdefault(name, {})[version] = {**package, "dist": dist}
        known = self.versions[name]
        document = {"name": name, "dist-tags": {"latest": list(known)[-1]}, "versions": known}
        page = Reply(json.dumps(document).encode(), headers={"Content-Type": "application/json"})
        self.server.script(f"/{name.replace('/', '%2f')}", page)
        return made
