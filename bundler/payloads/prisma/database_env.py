"""metadata/database.env: the variables with which prisma-client-py uses what the archive carries, for any POSIX shell.

Set AIWS_RUNTIME_DIR to the archive's top folder, or to a folder with a copy of packages/prisma, before it is sourced.
The variables are those of prisma-client-py (`PRISMA_BINARY_CACHE_DIR`) and of the Prisma CLI.
"""

from __future__ import annotations

from bundler.payloads.prisma.places import PRISMA_CLI, PRISMA_ENGINES

RUNTIME_DIR = "${AIWS_RUNTIME_DIR:?}"
_VARIABLES = {
    "PRISMA_BINARY_CACHE_DIR": PRISMA_CLI,
    "PRISMA_QUERY_ENGINE_BINARY": f"{PRISMA_ENGINES}/query-engine",
    # The client that LiteLLM generates never loads it, but the CLI would fetch one that it does not find.
    "PRISMA_QUERY_ENGINE_LIBRARY": f"{PRISMA_ENGINES}/query-engine",
    "PRISMA_SCHEMA_ENGINE_BINARY": f"{PRISMA_ENGINES}/schema-engine",
}


def render() -> bytes:
    """Return the file's bytes."""
    paths = "".join(f'export {name}="{RUNTIME_DIR}/{path}"\n' for name, path in _VARIABLES.items())
    # Or the CLI would ask its makers whether there is a newer one.
    return f"{paths}export CHECKPOINT_DISABLE=1\n".encode()


def differs(content: bytes) -> bool:
    """Say whether the file is anything but what `render` would write."""
    return content != render()
