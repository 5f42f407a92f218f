"""The package.json above the npm packages: the project that npm installed them for."""

from __future__ import annotations

import json

from bundler.model.bundle import File, text_file
from bundler.payloads.prisma.choice import CLI_PROGRAM
from bundler.payloads.prisma.places import PRISMA_CLI


def project_file() -> File:
    """The file. Without one, prisma-client-py writes its own, and npm would look for another above."""
    project = {"name": "prisma-binaries", "version": "1.0.0", "private": True, "main": CLI_PROGRAM}
    return text_file(f"{PRISMA_CLI}/package.json", f"{json.dumps(project, indent=2)}\n".encode())
