"""Locks of npm packages, made by the real npm from a registry on loopback that tells the truth or lies."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundler.adapters.npm import default_registry
from bundler.adapters.process import run
from bundler.errors import BundleError, IntegrityError, LockError, UnreachableError
from bundler.model.bundle import File
from bundler.model.contents import Contents, ListedFile
from bundler.payloads.npm.locked import LockedNpm
from bundler.payloads.npm.pins import PLACE
from bundler.session import Session
from bundler.words import Arch
from tests.payloads.npm.locks import content_of, entries, install, locked, needs_npm, on_disk, session_at
from tests.payloads.npm.registry import Registry, integrity_of, tarball
from tests.server import Reply, serving

pytestmark = [pytest.mark.slow, needs_npm]

ROOTS = ("@scope/tool@2.0.0", "demo@1.0.0")
PLATFORMS: dict[str, dict[str, Any]] = {
    "demo-linux-x64": {"os": ["linux"], "cpu": ["x64"], "libc": ["glibc"]},
    "demo-linux-x64-musl": {"os": ["linux"], "cpu": ["x64"], "libc": ["musl"]},
    "demo-linux-arm64": {"os": ["linux"], "cpu": ["arm64"], "libc": ["glibc"]},
    "demo-darwin-arm64": {"os": ["darwin"], "cpu": ["arm64"]},
    "demo-not-win": {"os": ["!win32"]},
}


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving() as server:
        yield Registry(server)


@pytest.fixture
def session(registry: Registry, tmp_path: Path) -> Session:
    return session_at(tmp_path, registry.address)


def publish(registry: Registry) -> None:
    """Two roots with a bin each, which need two versions of one package; an alias; optional packages and peers."""
    for version in ("1.0.0", "1.4.0", "2.0.0"):
        registry.add("@scope/lib", version)
    for name, facts in PLATFORMS.items():
        registry.add(name, "1.0.0", **facts)
    # A registry that tells less than the file does.
    registry.add("demo-secretly-musl", "1.0.0", inside={"os": ["linux"], "libc": ["musl"]})
    optional = dict.fromkeys((*PLATFORMS, "demo-secretly-musl"), "1.0.0")
    registry.add("@scope/tool", "1.0.0-native", os=["linux"], cpu=["x64"])
    registry.add(
        "@scope/tool",
        "2.0.0",
        bin={"tool": "index.js"},
        dependencies={"@scope/lib": "2.0.0", "demo": "1.0.0"},
        optionalDependencies={"native": "npm:@scope/tool@1.0.0-native"},
    )
    registry.add(
        "demo",
        "1.0.0",
        bin="index.js",
        dependencies={"@scope/lib": "^1.0.0"},
        optionalDependencies=optional,
        peerDependencies={"ghost": "*"},
        peerDependenciesMeta={"ghost": {"optional": True}},
    )


@pytest.mark.parametrize("mode", ["--offline", "--prefer-offline"])
@pytest.mark.parametrize(("arch", "cpu"), [("amd64", "x64"), ("arm64", "arm64")])
def test_npm_installs_each_root_without_a_network_with_what_its_target_needs(
    arch: Arch, cpu: str, mode: str, registry: Registry, session: Session, tmp_path: Path
) -> None:
    publish(registry)
    pins = locked(session, ROOTS, arch)
    cache = on_disk(entries(session, pins, tmp_path / "spool"), tmp_path / "out")
    platform = ("--os=linux", f"--cpu={cpu}", "--libc=glibc")
    for spec in ("demo", "demo@latest", *ROOTS):
        prefix = tmp_path / "prefix" / spec
        done = install(cache, tmp_path, "-g", mode, *platform, f"--prefix={prefix}", spec)
        assert done.returncode == 0, done.stderr
        assert "attempt" not in done.stderr, "the network was asked"
        program = prefix / "bin" / ("tool" if spec.startswith("@") else "demo")
        assert subprocess.run([program], capture_output=True, check=True).stdout == b"hi\n"
        installed = {path.parent.name for path in prefix.rglob("package.json")}
        assert {name for name in PLATFORMS if name in installed} == {f"demo-linux-{cpu}", "demo-not-win"}
        assert "demo-secretly-musl" not in installed
        assert ("native" in installed) == (arch == "amd64" and spec.startswith("@"))


def test_a_project_of_such_packages_is_installed_twice(registry: Registry, session: Session, tmp_path: Path) -> None:
    publish(registry)
    pins = locked(session, ROOTS)
    cache = on_disk(entries(session, pins, tmp_path / "spool"), tmp_path / "out")
    project = tmp_path / "project"
    project.mkdir()
    for spec in (*ROOTS, ""):
        done = install(cache, tmp_path, "--prefer-offline", *filter(None, [spec]), where=project)
        assert done.returncode == 0, done.stderr
        assert "attempt" not in done.stderr, "the network was asked"
    assert (project / "node_modules/@scope/tool").is_dir() and (project / "node_modules/demo").is_dir()


def test_a_lock_says_what_is_shipped_what_is_not_and_for_whom(registry: Registry, session: Session) -> None:
    publish(registry)
    pins = locked(session, ROOTS)
    assert pins.versions() == {"@scope/tool": "2.0.0", "demo": "1.0.0"}
    shipped = {(one.name, one.version): one.roots for one in pins.packages}
    assert shipped["@scope/lib", "1.4.0"] == ("@scope/tool", "demo")
    assert shipped["@scope/lib", "2.0.0"] == ("@scope/tool",)
    assert ("@scope/lib", "1.0.0") not in shipped
    left = {one.name: one.libc for one in pins.left_out}
    assert left == {
        "demo-linux-x64-musl": ("musl",),
        "demo-secretly-musl": ("musl",),
        "demo-linux-arm64": ("glibc",),
        "demo-darwin-arm64": (),
    }
    assert registry.server.address not in repr(pins)


def test_another_target_asks_for_no_file_again_and_the_same_lock_is_the_same_bytes(
    registry: Registry, session: Session, tmp_path: Path
) -> None:
    publish(registry)
    first = locked(session, ROOTS)
    locked(session, ROOTS, "arm64")
    asked = [one.path for one in registry.server.requests if one.path.endswith(".tgz")]
    assert len(set(asked)) == len(asked)
    assert locked(session, ROOTS) == first
    made = [
        [(one.path, content_of(one)) for one in entries(session, first, tmp_path / name)] for name in ("one", "two")
    ]
    assert made[0] == made[1]
    # The host's npm asks the default registry, wherever the files came from.
    default = default_registry(session.env, run).encode()
    texts = [content for path, content in made[0] if "index-v5" in path]
    assert all(default in text and registry.server.address.encode() not in text for text in texts)


def contents_of(session: Session, pins: LockedNpm, folder: Path) -> Contents:
    files = {}
    for entry in entries(session, pins, folder):
        assert isinstance(entry, File)
        files[entry.path] = ListedFile(entry.path, entry.size, entry.sha256)
    return Contents("top", files, frozenset(), {}, (), "", 0, {})


def test_an_archive_holds_exactly_what_the_lock_says(registry: Registry, session: Session, tmp_path: Path) -> None:
    publish(registry)
    pins = locked(session, ROOTS)
    contents = contents_of(session, pins, tmp_path / "spool")
    assert list(pins.findings(contents)) == []
    assert f"{PLACE}_cacache/tmp/README" in contents.files, "or root's npm makes that folder its own"
    package = pins.packages[0].place
    for path, one in contents.files.items():
        others = {name: listed for name, listed in contents.files.items() if name != path}
        for files in (
            others,
            {**others, path: replace(one, sha256="0" * 64)},
            {**others, path: replace(one, link="x")},
        ):
            assert list(pins.findings(replace(contents, files=files))), path
    executable = {**contents.files, package: replace(contents.files[package], executable=True)}
    assert any("executable" in str(one) for one in pins.findings(replace(contents, files=executable)))
    surplus = {**contents.files, f"{PLACE}x": ListedFile(f"{PLACE}x", 1, "0" * 64)}
    assert list(pins.findings(replace(contents, files=surplus)))


def test_optional_packages_that_the_registry_does_not_have_are_named(
    registry: Registry, session: Session, tmp_path: Path
) -> None:
    registry.add("demo", "1.0.0", optionalDependencies={"demo-linux-x64": "1.0.0", "gone": "npm:demo-x@^1.0.0"})
    with pytest.raises(LockError, match=r"demo-linux-x64 \(of demo\), gone \(of demo\)") as caught:
        locked(session, ["demo@1.0.0"])
    assert "without" in caught.value.hint
    pins = locked(session, ["demo@1.0.0"], without=["demo-linux-x64", "gone"])
    assert [(one.name, one.version) for one in pins.left_out] == [("demo-linux-x64", "1.0.0"), ("demo-x", "1.0.0")]
    cache = on_disk(entries(session, pins, tmp_path / "spool"), tmp_path / "out")
    done = install(cache, tmp_path, "-g", "--prefer-offline", f"--prefix={tmp_path / 'prefix'}", "demo")
    assert done.returncode == 0 and "attempt" not in done.stderr, done.stderr


def test_a_package_that_must_be_there_but_is_for_another_system_is_refused(
    registry: Registry, session: Session
) -> None:
    registry.add("lib", "1.0.0", os=["darwin"])
    registry.add("demo", "1.0.0", dependencies={"lib": "1.0.0"})
    with pytest.raises(LockError, match=r"demo@1\.0\.0 is not for debian-12-amd64: .*lib@1\.0\.0"):
        locked(session, ["demo@1.0.0"])


def test_what_must_be_there_cannot_be_left_out(registry: Registry, session: Session) -> None:
    registry.add("lib", "1.0.0")
    registry.add("demo", "1.0.0", dependencies={"lib": "1.0.0"})
    with pytest.raises(LockError, match=r"lib 1\.0\.0, which demo needs"):
        locked(session, ["demo@1.0.0"], without=["lib"])


def test_a_version_that_the_registry_does_not_have_cannot_be_locked(registry: Registry, session: Session) -> None:
    registry.add("demo", "1.0.0")
    with pytest.raises(UnreachableError, match=r"demo 2\.0\.0"):
        locked(session, ["demo@2.0.0"])


DEMO = tarball({"package.json": b'{"name":"demo","version":"1.0.0"}'})
LIES: dict[str, dict[str, Any]] = {
    "the file is another than its pin says": {"pin": integrity_of(b"another")},
    "the pin is none": {"pin": "sha512-x"},
    "the pin is weak": {"pin": "sha1-C+7Hteo/D9vJXQ3UfzxbwnXaijM="},
    "the file is another package": {"inside": {"name": "other"}},
    "the file is another version": {"inside": {"version": "1.0.1"}},
    "the file is no archive": {"content": b"<html>"},
    "the file is empty": {"content": b""},
    "the file is cut short": {"content": DEMO[:60]},
    "package.json is huge": {"inside": {"x": "y" * (5 << 20)}},
    "package.json is odd": {"inside": {"bin": [1, 2]}},
    "package.json names a path": {"inside": {"optionalDependencies": {"../../x": "1.0.0"}}},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_registry_that_lies_is_found_out(lie: str, registry: Registry, session: Session) -> None:
    registry.add("demo", "1.0.0", **LIES[lie])
    with pytest.raises(IntegrityError, match="demo") as caught:
        locked(session, ["demo@1.0.0"])
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("path", ["../../../etc/passwd", "demo/%2e%2e/x.tgz", "demo/-/x.tgz?a=/../b", "demo/-/ x.tgz"])
def test_a_path_of_the_registrys_making_is_checked_before_it_is_asked_for(
    path: str, registry: Registry, session: Session
) -> None:
    registry.add("lib", "1.0.0")
    registry.versions["lib"]["1.0.0"]["dist"]["tarball"] = registry.address + path
    registry.add("lib", "0.9.0")
    registry.add("demo", "1.0.0", dependencies={"lib": "1.0.0"})
    before = len(registry.server.requests)
    with pytest.raises(BundleError) as caught:
        locked(session, ["demo@1.0.0"])
    assert caught.value.exit_code in (3, 4)
    assert not [one for one in registry.server.requests[before:] if "passwd" in one.path or "x.tgz" in one.path]


@pytest.mark.parametrize("where", ["git+ssh://git@127.0.0.1/x.git#main", "file:/etc", "https://127.0.0.1:9/x.tgz"])
def test_what_does_not_come_from_the_registry_is_not_locked(where: str, registry: Registry, session: Session) -> None:
    registry.add("demo", "1.0.0", dependencies={"lib": where})
    with pytest.raises(BundleError) as caught:
        locked(session, ["demo@1.0.0"])
    assert caught.value.exit_code in (2, 3, 4)


def test_a_download_that_breaks_off_is_tried_again(registry: Registry, session: Session) -> None:
    content = registry.add("demo", "1.0.0")
    path = "/demo/-/demo-1.0.0.tgz"
    registry.server.script(path, Reply(content, drop_after=50), Reply(status=503), Reply(content))
    assert [one.name for one in locked(session, ["demo@1.0.0"]).packages] == ["demo"]
    assert len(registry.server.asked(path)) == 3


def test_without_npm_nothing_is_locked_and_the_way_out_is_told(
    registry: Registry, session: Session, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UnreachableError, match="npm is not installed") as caught:
        locked(replace(session, env={**session.env, "PATH": str(empty)}), ["demo@1.0.0"])
    assert "install npm" in caught.value.hint
