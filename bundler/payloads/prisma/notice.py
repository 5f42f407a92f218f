"""NOTICE: what the wheel consists of, where each part is from, its licence and digest; and what was changed."""

from __future__ import annotations

from bundler.payloads.prisma.choice import CLIENT
from bundler.payloads.prisma.pins import LockedClient, Parts

_ENGINES_LICENSE = "Apache-2.0"


def notice(parts: Parts, client: LockedClient) -> str:
    """Return the text."""
    lines = [
        f"{CLIENT} {client.made_version} was made by aiws-bundle for hosts without a network. It is no release of",
        "Prisma Client Python, of Prisma, or of their makers. Its parts, each with its licence and the SHA-256 of",
        "the file that it was taken from:",
        "",
        f"{CLIENT} {client.version}, Prisma Client Python, from a Python package index: {client.filename}",
        "    licence: Apache-2.0 (LICENSE beside this file)",
        f"    sha256: {client.sha256}",
        "    changed: _config.py, cli/_node.py, cli/prisma.py and engine/utils.py call _offline, which aiws-bundle",
        "    added; METADATA, WHEEL and RECORD say what is here",
        "",
    ]
    for engine in parts.engines:
        lines += [
            f"Prisma's {engine.name} {parts.commit} for {parts.platform}, from {engine.address}",
            f"    licence: {_ENGINES_LICENSE}",
            f"    sha256: {engine.sha256}",
            f"    sha256 of the program: {engine.program_sha256}",
            "",
        ]
    for package in parts.npm:
        lines += [
            f"{package.name} {package.version}, from an npm registry: {package.path}",
            f"    licence: {package.license}",
            f"    sha256: {package.sha256}",
            "",
        ]
    return "\n".join(lines)
