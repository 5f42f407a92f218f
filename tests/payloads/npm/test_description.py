"""package.json, of anybody's making, and what a registry's answer becomes of it."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from bundler.errors import IntegrityError
from bundler.payloads.npm.description import PackageJson, newest, packument
from bundler.payloads.npm.pins import LockedPackage
from tests.payloads.npm.registry import integrity_of, tarball


def locked(content: bytes, name: str = "demo", version: str = "1.0.0") -> LockedPackage:
    sha256 = hashlib.sha256(content).hexdigest()
    return LockedPackage(name, version, "demo/-/demo.tgz", integrity_of(content), len(content), sha256, ("demo",))


def read(folder: Path, package: Any, **files: bytes) -> dict[str, object]:
    said = package if isinstance(package, bytes) else json.dumps(package).encode()
    return of(folder, tarball({"package.json": said, **files}))


def of(folder: Path, content: bytes) -> dict[str, object]:
    path = folder / "file"
    path.write_bytes(content)
    one = locked(content)
    return PackageJson.of(one, path).facts(one, "https://npm.test/")


DEMO = {"name": "demo", "version": "1.0.0"}


def test_what_installing_needs_is_kept_and_nothing_else(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        {
            **DEMO,
            "description": "x",
            "dependencies": {"a": "^1"},
            "optionalDependencies": {"b": "npm:c@1.0.0"},
            "peerDependencies": {"d": "*", "e": "*"},
            "peerDependenciesMeta": {"e": {"optional": True}, "d": {}},
            "bin": "cli.js",
            "os": "linux",
            "bundledDependencies": True,
            "scripts": {"postinstall": "x", "test": "y"},
        },
    )
    dist = found.pop("dist")
    assert isinstance(dist, dict) and dist["tarball"] == "https://npm.test/demo/-/demo.tgz"
    assert found == {
        **DEMO,
        "dependencies": {"a": "^1"},
        "optionalDependencies": {"b": "npm:c@1.0.0"},
        "peerDependencies": {"d": "*", "e": "*"},
        "peerDependenciesMeta": {"e": {"optional": True}},
        "bundleDependencies": ["a"],
        "bin": "cli.js",
        "os": ["linux"],
        "hasInstallScript": True,
    }


@pytest.mark.parametrize("odd", [{"dependencies": []}, {"engines": ["node"]}, {"scripts": None}, {"version": "v1.0.0"}])
def test_old_oddities_that_npm_passes_over_are_passed_over(odd: dict[str, Any], tmp_path: Path) -> None:
    found = read(tmp_path, {**DEMO, **odd})
    assert {name: found[name] for name in found if name != "dist"} == DEMO


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"demo"',
        {**DEMO, "name": "other"},
        {**DEMO, "version": "1.0.1"},
        {**DEMO, "name": ["demo"]},
        {**DEMO, "version": 1},
        {"name": "demo"},
        {**DEMO, "dependencies": {"../../x": "1"}},
        {**DEMO, "dependencies": {"a": {"b": 1}}},
        {**DEMO, "dependencies": "a"},
        {**DEMO, "bin": 7},
        {**DEMO, "bundleDependencies": {"a": 1}},
        {**DEMO, "optionalDependencies": {f"a{n}": "1" for n in range(2001)}},
        json.dumps({**DEMO, "x": [0] * 250_000}).encode(),
        b'{"a":' * 5000,
    ],
    ids=lambda said: str(said)[:40],
)
def test_a_package_json_that_is_odd_or_another_packages_is_refused(said: Any, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"npm package demo 1\.0\.0"):
        read(tmp_path, said)


def test_a_huge_package_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="at most"):
        read(tmp_path, json.dumps({**DEMO, "x": "y" * (5 << 20)}).encode())


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"x" * 2000), tarball({"README": b""})])
def test_a_file_without_package_json_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"npm package demo 1\.0\.0"):
        of(tmp_path, content)


def test_the_newest_version_is_the_highest_finished_one() -> None:
    assert newest(["1.10.0", "1.9.0", "2.0.0-rc.1", "1.10.0-rc.2"]) == "1.10.0"
    assert newest(["1.0.0-rc.9", "1.0.0-rc.10", "1.0.0-1"]) == "1.0.0-rc.10"
    assert newest(["1.0.0-rc", "1.0.0-rc.1"]) == "1.0.0-rc.1"


def test_a_package_of_no_version_has_no_latest() -> None:
    assert packument("demo", {}, None) == {"name": "demo", "dist-tags": {}, "versions": {}}
