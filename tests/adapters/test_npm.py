"""How npm is called, and what is made of its answers: with a runner that stands in for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bundler.adapters.npm import Resolved, find_registry, resolve_package
from bundler.adapters.process import Completed
from bundler.errors import IntegrityError, UnreachableError

REGISTRY = "https://user:secret@npm.test/root/"


@dataclass
class FakeNpm:
    """Notes its calls; `lock` is what it writes."""

    lock: object = None
    code: int = 0
    output: str = ""
    errors: str = ""
    calls: list[tuple[list[str], dict[str, str]]] = field(default_factory=list)
    project: str = ""

    def __call__(self, argv: Sequence[str], env: Mapping[str, str], timeout: float) -> Completed:
        self.calls.append((list(argv), dict(env)))
        for word in argv:
            if word.startswith("--prefix="):
                folder = Path(word.removeprefix("--prefix="))
                self.project = (folder / "package.json").read_text()
                if self.lock is not None:
                    (folder / "package-lock.json").write_text(
                        self.lock if isinstance(self.lock, str) else json.dumps(self.lock)
                    )
        return Completed(self.code, self.output, self.errors)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    program = tmp_path / "npm"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    return {"PATH": str(tmp_path)}


def never(argv: Sequence[str], env: Mapping[str, str], timeout: float) -> Completed:
    raise AssertionError(argv)


@pytest.mark.parametrize("name", ["npm_config_registry", "NPM_CONFIG_REGISTRY"])
def test_the_environment_names_the_registry_and_npm_is_not_needed(name: str) -> None:
    assert find_registry({name: " https://npm.test/root "}, never) == "https://npm.test/root/"


def test_npm_is_asked_for_the_registry(env: dict[str, str]) -> None:
    npm = FakeNpm(output="a warning\nhttps://npm.test/\n")
    assert find_registry(env, npm) == "https://npm.test/"
    assert npm.calls[0][0][1:] == ["config", "get", "registry"]


def test_without_npm_and_variable_the_way_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="npm is not installed") as caught:
        find_registry({"PATH": str(tmp_path)}, never)
    assert "npm_config_registry" in caught.value.hint


@pytest.mark.parametrize("npm", [FakeNpm(code=1), FakeNpm(output="undefined\n"), FakeNpm(output="file:///etc/\n")])
def test_a_registry_that_is_no_address_is_refused(npm: FakeNpm, env: dict[str, str]) -> None:
    with pytest.raises(UnreachableError):
        find_registry(env, npm)


def package(**facts: Any) -> dict[str, Any]:
    return {"version": "1.0.0", "integrity": "sha512-x", **facts}


def resolved(env: dict[str, str], packages: Any) -> list[Resolved]:
    return resolve_package("cli", "1.0.0", REGISTRY, env, FakeNpm({"packages": packages}))


def test_packages_come_with_their_places_and_paths_below_the_registry(env: dict[str, str]) -> None:
    found = resolved(
        env,
        {
            "": {"name": "locked"},
            "node_modules/cli": package(resolved=f"{REGISTRY}cli/-/cli-1.0.0.tgz"),
            "node_modules/@a/b": package(resolved="https://elsewhere.test/b.tgz"),
            "node_modules/cli/node_modules/@a/b": package(version="2.0.0"),
            "node_modules/alias": package(name="real"),
        },
    )
    assert [(one.name, one.version, one.at, one.path) for one in found] == [
        ("@a/b", "1.0.0", "node_modules/@a/b", "@a/b/-/b-1.0.0.tgz"),
        ("real", "1.0.0", "node_modules/alias", "real/-/real-1.0.0.tgz"),
        ("cli", "1.0.0", "node_modules/cli", "cli/-/cli-1.0.0.tgz"),
        ("@a/b", "2.0.0", "node_modules/cli/node_modules/@a/b", "@a/b/-/b-2.0.0.tgz"),
    ]


def test_no_script_is_run_and_no_password_is_an_argument(env: dict[str, str]) -> None:
    npm = FakeNpm({"packages": {"node_modules/cli": package()}})
    resolve_package("cli", "1.0.0", REGISTRY, env, npm)
    argv, told = npm.calls[0]
    assert {"install", "--package-lock-only", "--ignore-scripts"} <= set(argv)
    assert "secret" not in " ".join(argv)
    assert told["npm_config_registry"] == REGISTRY
    assert json.loads(npm.project)["dependencies"] == {"cli": "1.0.0"}


@pytest.mark.parametrize(
    "lock",
    [
        None,
        "{",
        {"packages": {"node_modules/cli": None}},
        {"packages": {"node_modules/cli": package(link=True)}},
        {"packages": {"node_modules/cli": package(os=["win32"])}},
        {"packages": {"node_modules/cli": package(optional=True)}},
    ],
)
def test_a_lock_that_makes_no_sense_is_refused(lock: object, env: dict[str, str]) -> None:
    with pytest.raises(IntegrityError, match=r"cli 1\.0\.0"):
        resolve_package("cli", "1.0.0", REGISTRY, env, FakeNpm(lock))


def test_what_npm_says_is_told_without_the_password(env: dict[str, str]) -> None:
    npm = FakeNpm(code=1, errors=f"npm error 404 {REGISTRY}cli\nnpm error A complete log of this run: /home/x\n")
    with pytest.raises(UnreachableError) as caught:
        resolve_package("cli", "1.0.0", REGISTRY, env, npm)
    assert caught.value.message == "npm cannot resolve cli 1.0.0: npm error 404 https://npm.test/root/cli"
