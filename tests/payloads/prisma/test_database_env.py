from __future__ import annotations

import subprocess
from pathlib import Path

from bundler.payloads.prisma.database_env import differs, render


def sourced(tmp_path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "database.env"
    path.write_bytes(render())
    argv = ["sh", "-c", f". {path}; env"]
    return subprocess.run(argv, env={"PATH": "/usr/bin:/bin", **env}, capture_output=True, text=True, check=False)


def test_a_shell_gets_paths_below_the_runtimes_folder(tmp_path: Path) -> None:
    lines = sourced(tmp_path, AIWS_RUNTIME_DIR="/srv/a b").stdout.splitlines()
    assert "PRISMA_BINARY_CACHE_DIR=/srv/a b/packages/prisma/cli" in lines
    assert "PRISMA_QUERY_ENGINE_BINARY=/srv/a b/packages/prisma/engines/query-engine" in lines
    assert "PRISMA_QUERY_ENGINE_LIBRARY=/srv/a b/packages/prisma/engines/query-engine" in lines
    assert "PRISMA_SCHEMA_ENGINE_BINARY=/srv/a b/packages/prisma/engines/schema-engine" in lines
    assert "CHECKPOINT_DISABLE=1" in lines


def test_without_the_runtimes_folder_nothing_is_made_up(tmp_path: Path) -> None:
    done = sourced(tmp_path)
    assert done.returncode != 0
    assert "AIWS_RUNTIME_DIR" in done.stderr


def test_every_line_is_an_export() -> None:
    assert all(line.startswith("export ") for line in render().decode().splitlines())


def test_any_change_is_seen() -> None:
    assert not differs(render())
    assert differs(render() + b"\n")
    assert differs(b"")
