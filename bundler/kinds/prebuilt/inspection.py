"""What a released archive says of itself, without judging it."""

from __future__ import annotations

from pathlib import Path

from bundler.adapters.read_archive import open_archive
from bundler.errors import IntegrityError
from bundler.kinds.kind import Inspection
from bundler.kinds.prebuilt import component_manifest
from bundler.model.bundle import MANIFEST

_LARGEST_MANIFEST = 1 << 20


def inspect(path: Path) -> Inspection:
    """Read an archive. Raises IntegrityError if it cannot be read."""
    files: dict[str, int] = {}
    manifest = b""
    with open_archive(path, path.name) as reader:
        for member in reader.members():
            inner = member.path.partition("/")[2]
            if member.kind != "folder":
                files[inner] = member.size
            if inner == MANIFEST and member.kind == "file":
                if member.size > _LARGEST_MANIFEST:
                    raise IntegrityError(f"{path.name}: {MANIFEST} is too large")
                manifest = b"".join(reader.read())
    facts = component_manifest.parse(manifest)
    return Inspection(
        path=path,
        lines=(
            ("component", f"{facts.component}, commit {facts.commit or 'unknown'}"),
            ("platform", facts.platform),
            ("program", facts.program),
        ),
        packages=(),
        files=files,
        document={
            "component": facts.component,
            "commit": facts.commit,
            "os": facts.os,
            "arch": facts.arch,
            "program": facts.program,
        },
    )
