"""A stand-in for Prisma Client Python: of each file what the patch looks for, and the versions that it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

PATCH = files("bundler.payloads.prisma").joinpath("prisma-client-py.patch").read_text(encoding="utf-8")


def client(prisma_cli: str, commit: str) -> Mapping[str, bytes]:
    """Its files, by path."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in PATCH.splitlines():
        if line.startswith("--- a/"):
            lines = found.setdefault(line.removeprefix("--- a/"), [])
        elif line.startswith("@@"):
            start = int(line.split()[1].partition(",")[0].removeprefix("-"))
            lines += ["# …"] * (start - 1 - len(lines))
        elif line[0] in " -":
            lines.append(line[1:])
    asked = {"PRISMA_VERSION": prisma_cli, "PRISMA_EXPECTED_ENGINE_VERSION": commit}
    asks = "".join(
        f"    x_version: str = Field(\n        env='{n}',\n        default='{v}',\n    )\n" for n, v in asked.items()
    )
    texts = {path: "\n".join(lines) + "\n" for path, lines in found.items()}
    texts["prisma/_config.py"] += asks
    return {path: text.encode() for path, text in texts.items()}
