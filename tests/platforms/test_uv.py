"""What the table says of each platform, compared with what uv knows of it."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename
from uv import find_uv_bin

from bundler.adapters.environment import UV
from bundler.model.interpreter import Interpreter
from bundler.platforms import NAMES, PLATFORMS, named
from tests.model.samples import real_manifests

pytestmark = pytest.mark.slow  # uv itself is started, once a platform

PYTHON = "3.13.5"
# The markers that a platform decides.
MARKERS = ("os_name", "sys_platform", "platform_system", "platform_machine")
CASES = [
    *(("linux-amd64", floor) for floor in (17, 31, 36, 40)),
    *(("linux-arm64", floor) for floor in (28, 36)),
    *((name, floor) for name in ("darwin-amd64", "darwin-arm64") for floor in (11, 14)),
]


def uv(*words: str, env: Iterable[tuple[str, str]] = ()) -> str:
    done = subprocess.run([find_uv_bin(), *words], capture_output=True, text=True, env={**UV.of({}), **dict(env)})
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def platform_words() -> frozenset[str]:
    """Every value that `--python-platform` takes."""
    text = uv("pip", "compile", "--help")
    (listed,) = re.findall(r"--python-platform <.*?possible values: ([^]]+)\]", text, re.DOTALL)
    return frozenset(re.split(r",\s+", listed))


def empty_wheel(folder: Path, name: str) -> None:
    project, version = name.split("-")[:2]
    with zipfile.ZipFile(folder / name, "w") as wheel:
        info = f"{project}-{version}.dist-info"
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr(f"{info}/RECORD", "")


def tried_tags() -> Iterator[str]:
    """The tags of every platform for some floors each, which are mostly another platform's, and what is near them.

    Without `fat3`: packaging counts PowerPC's universal files among those for amd64, uv does not; no wheel is one.
    """
    for name in NAMES:
        platform, arch = named(name)
        for floor in (11, 12, 15, 37, 41):
            yield from (tag for tag in platform.tags(arch, floor) if not tag.endswith("_fat3"))
    yield from ("macosx_10_9_arm64", "macosx_11_1_arm64", "macosx_10_3_x86_64", "macosx_10_15_intel", "win_arm64")
    yield from ("manylinux_2_5_x86_64", "manylinux_2_4_x86_64", "manylinux_2_17_aarch64", "manylinux_2_16_aarch64")
    yield from ("musllinux_1_1_x86_64", "linux_riscv64", "manylinux_2_17_armv7l", "manylinux1_aarch64", "any")


@dataclass(frozen=True)
class Tried:
    """A folder with an older wheel for any platform and a newer one for a tag, of one project a tag; uv's cache."""

    wheels: Path
    cache: Path
    newer: dict[str, str]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """Made once: what uv has read of a wheel is the same for every platform."""
    wheels = tmp_path_factory.mktemp("wheels")
    newer = {tag: f"t{number}-2-py3-none-{tag}.whl" for number, tag in enumerate(dict.fromkeys(tried_tags()))}
    for number, name in enumerate(newer.values()):
        empty_wheel(wheels, f"t{number}-1-py3-none-any.whl")
        empty_wheel(wheels, name)
    for number in range(len(MARKERS)):
        empty_wheel(wheels, f"m{number}-1-py3-none-any.whl")
    return Tried(wheels, tmp_path_factory.mktemp("cache"), newer)


@pytest.mark.parametrize(("name", "floor"), CASES)
def test_uv_takes_the_wheels_and_markers_that_the_table_says_and_no_others(
    name: str, floor: int, tried: Tried, tmp_path: Path
) -> None:
    platform, arch = named(name)
    python = Interpreter(PYTHON, name, floor)
    accepted = frozenset(python.tags)
    expected = {tag: "1" if parse_wheel_filename(n)[3].isdisjoint(accepted) else "2" for tag, n in tried.newer.items()}
    values = dict(python.environment())
    lines = [f"t{number}" for number in range(len(tried.newer))]
    lines += [f"m{number}; {word} == '{values[word]}'" for number, word in enumerate(MARKERS)]
    wanted = tmp_path / "wanted.txt"
    wanted.write_text("\n".join(lines) + "\n")
    text = uv(
        "pip", "compile", str(wanted), "--no-index", "--find-links", str(tried.wheels), "--only-binary", ":all:",
        "--python-platform", platform.resolver_word(arch, floor), "--python-version", PYTHON,
        "--no-header", "--no-annotate", "--no-python-downloads", "--no-config", "--quiet",
        "--cache-dir", str(tried.cache),
        env=platform.resolver_environment(floor).items(),
    )  # fmt: skip
    found = dict(line.split("==") for line in text.splitlines())
    assert {tag: found[f"t{number}"] for number, tag in enumerate(tried.newer)} == expected
    assert [word for number, word in enumerate(MARKERS) if f"m{number}" not in found] == []
    assert {"1", "2"} == set(expected.values())


@pytest.mark.parametrize("name", NAMES)
def test_uv_knows_the_platforms_word_whatever_the_floor(name: str) -> None:
    platform, arch = named(name)
    assert {platform.resolver_word(arch, floor) for floor in range(1, 60)} <= platform_words()


def test_the_triple_is_in_the_names_of_the_portable_pythons_that_uv_knows() -> None:
    listed = uv(
        "python", "list", "cpython@3.13", "--all-platforms", "--all-arches", "--all-versions", "--only-downloads",
        "--output-format", "json", "--no-config",
    )  # fmt: skip
    names = {download["url"].rpartition("/")[2] for download in json.loads(listed)}
    for platform in PLATFORMS:
        for triple in platform.TRIPLES.values():
            assert [name for name in names if f"-{triple}-install_only_stripped" in name], triple


def test_the_triple_is_in_the_addresses_that_are_pinned() -> None:
    for name in NAMES:
        if not (pin := real_manifests().hosts.portable_python().pin(name)):
            continue
        platform, arch = named(name)
        assert f"-{platform.TRIPLES[arch]}-" in pin.address
