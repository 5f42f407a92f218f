"""The table of platforms is the only place that lists them, and each entry is whole."""

from __future__ import annotations

import ast
import os
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
from packaging.markers import Marker

import bundler.platforms
from bundler.model.targets_file import DistroEntry
from bundler.platforms import (
    FLOOR_KEYS,
    NAMES,
    PLATFORMS,
    Platform,
    canonical,
    distro_told,
    endings,
    image,
    marker,
    name_for,
    named,
    runner,
    short,
    spellings,
    told,
)
from bundler.words import Arch
from tests.model.samples import LOCKS, real_manifests
from tests.modules import MODULES, faults, nodes_of
from tests.modules import short as short_path

FOLDER = Path(bundler.platforms.__file__).parent
ARCHES: tuple[Arch, ...] = get_args(Arch)
ENTRIES = {platform.__name__.rpartition(".")[2] for platform in PLATFORMS}  # type: ignore[attr-defined]
# Where a word of the table means something else: wheels are built in a sandbox, which only one system has; container
# images, npm and Prisma have words of their own, which are the same; a distro that is known is called as a platform is.
ELSEWHERE = {
    *("kinds/wheelhouse/build_lock.py", "model/oci_image.py", "payloads/npm/choice.py"),
    *("payloads/prisma/choice.py", "model/known_hosts.py"),
}

every_platform = pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.WORD)
every_name = pytest.mark.parametrize("name", NAMES)


def test_the_table_lists_every_file_of_its_folder() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} - {"__init__"} == ENTRIES


OUTSIDE = [path for path in MODULES if FOLDER not in path.parents]


def words_of(path: Path) -> set[str]:
    return {node.value for node in nodes_of(path) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_no_other_module_imports_a_platform() -> None:
    def imported(path: Path) -> list[str]:
        found = []
        for node in nodes_of(path):
            if isinstance(node, ast.Import):
                found += [alias.name for alias in node.names if alias.name.startswith("bundler.platforms.")]
            elif isinstance(node, ast.ImportFrom) and node.module == "bundler.platforms":
                found += ENTRIES & {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bundler.platforms."):
                found.append(node.module or "")
        return found

    assert faults(imported, OUTSIDE) == {}


def test_no_other_module_says_a_platforms_words() -> None:
    own = {word for p in PLATFORMS for word in (p.WORD, *p.ALIASES, p.PLATFORM_SYSTEM, p.SYS_PLATFORM)}

    def said(path: Path) -> set[str]:
        return {word.strip("-_") for word in words_of(path)} & own

    assert faults(said, [path for path in OUTSIDE if short_path(path) not in ELSEWHERE]) == {}


def test_no_module_but_an_entry_knows_tags_or_triples() -> None:
    known = re.compile(r"manylinux|macosx_|apple-darwin|linux-gnu")
    assert faults(lambda path: [*filter(known.search, words_of(path))], OUTSIDE) == {}


@every_platform
def test_an_entry_is_whole(platform: Platform) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*", platform.WORD)
    assert set(platform.MACHINES) == set(platform.TRIPLES) == set(ARCHES)
    for arch in ARCHES:
        assert named(f"{platform.WORD}-{arch}") == (platform, arch)
    assert isinstance(platform.QEMU_USER, bool)
    assert set(platform.RUNNERS) <= set(ARCHES)


@every_platform
def test_a_floor_is_read_as_it_is_written(platform: Platform) -> None:
    for floor in (11, 36):
        assert platform.floor_of(platform.floor_version(floor)) == floor
    for wrong in ("", "2", "2.", "2.0365", "11", "11.3", "10.0", "011.0", "2.36 ", "2.036"):
        with pytest.raises(ValueError, match=r"^not a"):
            platform.floor_of(wrong)


def test_no_two_platforms_share_the_key_of_a_floor_and_targets_yaml_has_each() -> None:
    assert len(set(FLOOR_KEYS)) == len(PLATFORMS)
    assert set(FLOOR_KEYS) <= {field.name for field in fields(DistroEntry)}


@pytest.mark.parametrize(
    ("distro", "told_so", "names"),
    [
        ("debian", {"distro": "debian"}, ("debian-12-arm64",)),
        ("macos", {"os": "darwin", "distro": "darwin"}, ("darwin-arm64", "macos-12-arm64")),
    ],
)
def test_what_archives_say_of_a_distro(distro: str, told_so: dict[str, str], names: tuple[str, ...]) -> None:
    assert told(distro) == told_so
    assert distro_told(told_so["distro"]) == distro
    assert endings(distro, "12", "arm64") == names


def test_python_yaml_calls_linux_by_its_architecture_alone() -> None:
    assert [short(name) for name in NAMES] == ["amd64", "arm64", "darwin-amd64", "darwin-arm64"]


def test_containers_are_of_a_distro() -> None:
    assert (image("debian", "12"), image("macos", "11")) == ("debian:12", "")


def test_no_two_platforms_share_a_word() -> None:
    words = [word for platform in PLATFORMS for word in (platform.WORD, *platform.ALIASES, *platform.CALLED)]
    assert len(set(words)) == len(words)
    assert not set(words) & {*ARCHES, "all"}


def test_what_is_called_so_today() -> None:
    assert set(NAMES) >= {"linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"}
    assert spellings().items() >= {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64"}.items()
    assert not set(spellings()) & set(ARCHES)


@pytest.mark.parametrize("name", ["linux", "amd64", "linux-x86_64", "windows-amd64", "macos-arm64", "", "linux-amd64-"])
def test_nothing_else_is_a_platform(name: str) -> None:
    with pytest.raises(KeyError):
        named(name)


@pytest.mark.parametrize(
    ("distro", "name"),
    [("debian", "linux-arm64"), ("ubuntu", "linux-arm64"), ("macos", "darwin-arm64"), ("anything", "linux-arm64")],
)
def test_a_distro_is_of_one_platform(distro: str, name: str) -> None:
    assert name_for(distro, "arm64") == name


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("macos", "darwin"),
        ("macos-arm64", "darwin-arm64"),
        ("darwin", "darwin"),
        ("linux-amd64", "linux-amd64"),
        ("macos-14-arm64", "macos-14-arm64"),
        ("macos-14", "macos-14"),
        ("apple-silicon", "darwin-arm64"),
        ("macos-", "darwin-"),
        ("debian", "debian"),
        ("", ""),
    ],
)
def test_a_selector_in_the_tables_own_words(word: str, meant: str) -> None:
    assert canonical(word) == meant


def test_the_marker_is_the_one_that_committed_locks_hold() -> None:
    for target in real_manifests().targets:
        text = (LOCKS / f"pylock.litellm-{target.slug}.toml").read_text(encoding="utf-8")
        assert tomllib.loads(text)["environments"] == [str(Marker(marker(target.platform)))]


@pytest.mark.parametrize(
    ("name", "system", "machine", "way"),
    [
        ("linux-amd64", "Linux", "x86_64", "native"),
        ("linux-arm64", "Linux", "aarch64", "native"),
        ("linux-arm64", "Linux", "x86_64", "qemu-user"),
        ("linux-amd64", "Linux", "riscv64", "qemu-user"),
        ("linux-amd64", "Darwin", "x86_64", "nothing"),
        ("linux-arm64", "Darwin", "arm64", "nothing"),
        ("darwin-arm64", "Darwin", "arm64", "native"),
        ("darwin-amd64", "Darwin", "arm64", "nothing"),
        ("darwin-arm64", "Linux", "aarch64", "nothing"),
        ("darwin-amd64", "Linux", "x86_64", "nothing"),
    ],
)
def test_what_runs_programs(name: str, system: str, machine: str, way: str) -> None:
    assert runner(name, system, machine) == way


def test_something_runs_here() -> None:
    host = os.uname()
    assert "native" in {runner(name, host.sysname, host.machine) for name in NAMES}
